//go:build !linux

package machine

import (
	"errors"
	"os"
	"runtime"
)

// errUnsupported is the error of everything that only Linux tells.
var errUnsupported = errors.New("not available on " + runtime.GOOS + ": run this benchmark on Linux")

// ProcessIO is not available here.
func ProcessIO() (IO, error) { return IO{}, errUnsupported }

// ProcessUsage is not available here.
func ProcessUsage() (Usage, error) { return Usage{}, errUnsupported }

// Resident is not available here.
func Resident() (int64, error) { return 0, errUnsupported }

func dontNeed(*os.File) error { return errUnsupported }

// OpenDirect is not available here.
func OpenDirect(string) (*os.File, error) { return nil, errUnsupported }

// AlignedBuffer is not available here.
func AlignedBuffer(int) ([]byte, error) { return nil, errUnsupported }

// FileSystem is not available here.
func FileSystem(string) (name string, inMemory bool, free int64, err error) {
	return "", false, 0, errUnsupported
}

// CPUs is not available here.
func CPUs() ([]int, error) { return nil, errUnsupported }

// OnCPUs calls start: which processors a process uses cannot be chosen here.
func OnCPUs(_ []int, start func() error) error { return start() }

// TreeUsage is not available here.
func TreeUsage(int) (Usage, error) { return Usage{}, errUnsupported }
