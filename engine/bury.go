package engine

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"stagecache/internal/vfs"
)

// buryStep is how much of a file is freed at a time. A file system frees a large file in one go: for half a gigabyte ext4 takes
// a tenth of a second, in which nobody else's sync ends.
const buryStep = 64 << 20

// burial is a directory on its way out.
type burial struct {
	s    *Store
	left int64 // bytes that still count as capacity for it
}

// bury removes a generation's files in the background, after first, which may be nil. What is not gone yet counts as capacity.
// Where it fails, or the process ends, the next start goes on.
func (s *Store) bury(dir string, first func()) {
	b := &burial{s: s}
	b.count(vfs.TreeUsage(s.o.FS, dir))
	s.background.Go(func() {
		if first != nil {
			first()
			b.count(vfs.TreeUsage(s.o.FS, dir) - b.left) // what was written or cut off meanwhile
		}
		if err := b.remove(dir); err != nil {
			s.o.Report("old generation could not be removed", dir, err)
			return
		}
		b.count(-b.left)
	})
}

func (b *burial) count(n int64) {
	b.left += n
	b.s.dying.Add(n)
}

// remove removes dir, file by file.
func (b *burial) remove(dir string) error {
	fsys := b.s.o.FS
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return ignoreGone(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			err = b.remove(path)
		} else {
			err = b.shrinkAway(path)
		}
		if err != nil {
			return err
		}
	}
	return ignoreGone(fsys.Remove(dir))
}

// shrinkAway cuts a file from its end, step by step, and removes the last of it. It rests after each step for as long as that
// took, so that others get at least half of the disk.
func (b *burial) shrinkAway(path string) error {
	fsys, mono := b.s.o.FS, b.s.o.Clock.Mono
	left, err := fsys.Usage(path)
	for err == nil && left > buryStep {
		began, was := mono(), left
		if err = fsys.Truncate(path, was-buryStep); err == nil {
			left, err = fsys.Usage(path)
		}
		if err != nil || left >= was {
			break // a file with holes may not get smaller this way
		}
		b.count(left - was)
		b.s.rest(mono() - began)
	}
	if err == nil {
		err = fsys.Remove(path)
	}
	if err == nil {
		b.count(-left)
	}
	return ignoreGone(err)
}

// rest pauses the removal, unless the store is being closed: then it should be over soon.
func (s *Store) rest(d time.Duration) {
	t := time.NewTimer(min(max(d, time.Millisecond), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
