package tier

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"

	"stagecache/internal/aio"
)

// openFiles is what segments share for reading. It counts the descriptors they hold, and has some closed when there are too many.
type openFiles struct {
	reader aio.Reader
	n      atomic.Int64
	most   int64
	watch  func() // called before each read; nil but in tests, which count
	// close closes others than keep: those that nobody has read since the last time, or with all also the rest, until excess
	// are closed. It does not wait for any of them.
	close func(keep *segment, excess int64, all bool)
}

// errUnopened says that a file could not be opened for a reason that says nothing about what is in it.
var errUnopened = errors.New("file could not be opened")

// open opens s's file for reading, if it is not open.
func (s *segment) open() error {
	err := s.openOnce()
	if s.files == nil {
		return err
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		s.files.close(s, s.files.n.Load(), true)
		err = s.openOnce()
	}
	if excess := s.files.n.Load() - s.files.most; excess > 0 {
		s.files.close(s, excess, false)
	}
	return err
}

func (s *segment) openOnce() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil || s.gone {
		return nil
	}
	f, err := s.fs.OpenFile(s.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return err // somebody has taken it away
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnopened, err)
	}
	s.file = f
	s.touched.Store(true)
	if s.files == nil {
		return nil
	}
	if aio.Direct != 0 && s.files.n.Load() < s.files.most/2 {
		// Not every file system has it, and it can be done without: also where descriptors are few.
		if d, err := s.fs.OpenFile(s.path, os.O_RDONLY|aio.Direct, 0); err == nil {
			s.direct = d
		}
	}
	s.files.n.Add(s.descriptors())
	return nil
}

// descriptors is how many s holds; s.mu is held.
func (s *segment) descriptors() (n int64) {
	for _, f := range []*os.File{s.file, s.direct} {
		if f != nil {
			n++
		}
	}
	return n
}

// closeFile closes the descriptor; with gone, for ever. It waits for reads in progress.
func (s *segment) closeFile(gone bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = s.gone || gone
	return s.closeLocked()
}

func (s *segment) closeLocked() error {
	if s.file == nil {
		return nil
	}
	if s.files != nil {
		s.files.n.Add(-s.descriptors())
	}
	err := s.file.Close()
	if s.direct != nil {
		err = errors.Join(err, s.direct.Close())
	}
	s.file, s.direct = nil, nil
	return err
}

// closeIdle closes descriptors in two rounds: those that no read has used since the last time, then, if that is not enough,
// those that no read has used since a moment ago, or with all any that no read is using now.
func (d *Disk) closeIdle(keep *segment, excess int64, all bool) {
	for round := range 2 {
		for _, s := range d.segments() {
			if excess <= 0 {
				return
			}
			if s == keep || s.touched.Swap(false) && !(all && round > 0) || !s.mu.TryLock() {
				continue
			}
			excess -= s.descriptors()
			_ = s.closeLocked() // opened for reading: nothing is lost
			s.mu.Unlock()
		}
	}
}
