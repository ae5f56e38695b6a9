package dirlock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// Name of the lock file within the directory.
const Name = "LOCK"

// errHeld is what flock gives for "somebody else has it", whatever the platform calls it.
var errHeld = errors.New("lock is held")

// HeldError says that another process, or another Lock of this one, uses the directory.
type HeldError struct {
	Dir string
	PID int // 0: not known
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("data directory %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("data directory %s is in use by another process (pid %d)", e.Dir, e.PID)
}

// Lock is a held lock. Release it once.
type Lock struct{ file *os.File }

// Acquire locks dir, which must exist. It does not wait: where the lock is held the error is a *HeldError.
func Acquire(dir string) (*Lock, error) {
	// Not truncated on opening: until the lock is ours, the text in the file is its holder's.
	f, err := os.OpenFile(filepath.Join(dir, Name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := flock(f); err != nil {
		pid := readPID(f)
		f.Close()
		if errors.Is(err, errHeld) {
			return nil, &HeldError{Dir: dir, PID: pid}
		}
		return nil, fmt.Errorf("locking the data directory %s: %w", dir, err)
	}
	// The process id is for people who read the error above; a disk too full for it is no reason to refuse the lock.
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{file: f}, nil
}

// Release gives the lock up.
func (l *Lock) Release() error {
	l.file.Truncate(0)
	return l.file.Close() // closing the only descriptor releases the flock
}

func readPID(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
