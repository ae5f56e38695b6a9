package curve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stagecache/bench/internal/machine"
)

// Folder is a run's own place in a data directory.
type Folder struct {
	Path       string
	FileSystem string   // such as "ext4"; "": unknown
	InMemory   bool     // the file system keeps everything in memory: there is no disk to measure
	Leftover   []string // folders of earlier runs that were kept, or killed

	free    int64
	created string // the data directory, if it was made for this run
}

const (
	folderPrefix = "cachectl-bench-"
	// markFile says that a folder is one of ours. It is the first that is written.
	markFile = "MADE-BY-CACHECTL-BENCH"
)

// NotOursError says that a data directory holds something else than folders of earlier runs.
type NotOursError struct{ Dir, Name string }

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s holds %s, which no run of bench has made", e.Dir, e.Name)
}

// NoRoomError says that the disk is too small.
type NoRoomError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *NoRoomError) Error() string {
	return fmt.Sprintf("%s has %d bytes free, %d are needed", e.Dir, e.Free, e.Need)
}

// Claim makes a folder in dataDir, which is made too if it is not there; "": the temporary folder, where strangers are no
// objection. In any other, whatever is not a folder of an earlier run is a *NotOursError: a data directory in use is not to
// be mistaken for a place to measure in. Nothing that was there is changed.
func Claim(dataDir string) (*Folder, error) {
	f := &Folder{}
	if dataDir == "" {
		dataDir = temporary()
	} else if err := f.look(dataDir); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(dataDir, folderPrefix)
	if err != nil {
		return nil, errors.Join(err, f.removeCreated())
	}
	f.Path = path
	if err := os.WriteFile(filepath.Join(path, markFile), []byte("cachectl bench measures in this folder; it may be removed\n"), 0o600); err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	// Where the system does not tell, nothing is known, and the run goes on.
	f.FileSystem, f.InMemory, f.free, err = machine.FileSystem(path)
	if err != nil {
		f.free = -1
	}
	return f, nil
}

// temporary is the system's temporary folder, or the one that lasts, if the former is kept in memory and the latter is not.
func temporary() string {
	const lasting = "/var/tmp"
	if _, inMemory, _, err := machine.FileSystem(os.TempDir()); err == nil && inMemory && os.Getenv("TMPDIR") == "" {
		if _, inMemory, _, err := machine.FileSystem(lasting); err == nil && !inMemory {
			return lasting
		}
	}
	return os.TempDir()
}

func (f *Folder) look(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		f.created = dir
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(path, markFile)); err != nil || !strings.HasPrefix(e.Name(), folderPrefix) {
			return &NotOursError{dir, e.Name()}
		}
		f.Leftover = append(f.Leftover, path)
	}
	return nil
}

// Room is a *NoRoomError if the disk has fewer bytes free.
func (f *Folder) Room(need int64) error {
	if f.free < 0 || f.free >= need {
		return nil
	}
	return &NoRoomError{filepath.Dir(f.Path), need, f.free}
}

// Remove removes the folder with all that is in it, and the data directory if it was made for this run and nobody else uses it.
func (f *Folder) Remove() error {
	return errors.Join(os.RemoveAll(f.Path), f.removeCreated())
}

func (f *Folder) removeCreated() error {
	if f.created != "" {
		_ = os.Remove(f.created) // refused if somebody else has put something there
	}
	return nil
}
