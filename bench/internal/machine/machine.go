package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// IO is what a process has moved between itself and the disk (not the page cache) since it began.
type IO struct{ Read, Written int64 }

// Usage is processor time, of user and system together.
type Usage struct{ User, System time.Duration }

// Total is user and system time.
func (u Usage) Total() time.Duration { return u.User + u.System }

// Describe is a line about the machine and its load.
func Describe() string {
	out := fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(load)); len(f) > 0 {
			out += ", load " + f[0]
		}
	}
	return out
}

// Files lists the regular files below a folder.
func Files(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, name)
		}
		return err
	})
	return out, err
}

// DropCache makes the pages of all files below a folder leave the page cache: posix_fadvise(POSIX_FADV_DONTNEED). Pages that
// are dirty or mapped stay, so sync first and check with ProcessIO that reads reach the disk.
func DropCache(dir string) error {
	names, err := Files(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = dontNeed(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("drop the pages of %s: %w", name, err)
		}
	}
	return nil
}
