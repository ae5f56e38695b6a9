package tier

import (
	"slices"
	"sync/atomic"
)

// segmentList is a short list that is looked at without a lock.
type segmentList struct{ list atomic.Pointer[[]*segment] }

func (l *segmentList) all() []*segment {
	if p := l.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *segmentList) add(s *segment) {
	l.change(func(all []*segment) ([]*segment, bool) { return append(all, s), !slices.Contains(all, s) })
}

// review removes what is gone.
func (l *segmentList) review() {
	l.change(func(all []*segment) ([]*segment, bool) {
		left := slices.DeleteFunc(all, (*segment).isGone)
		return left, len(left) < len(all)
	})
}

// change gives fn a copy to change. Others may be at it as well: then it is called again.
func (l *segmentList) change(fn func([]*segment) (now []*segment, changed bool)) {
	for {
		was := l.list.Load()
		now, changed := fn(slices.Clone(l.all()))
		if !changed || l.list.CompareAndSwap(was, &now) {
			return
		}
	}
}

// leaveCopies says that s will hold certain records which the index does not know, until it is unlinked: they moved out of it, or could not
// be read, or were in a commit that failed. leaveCopy says which.
func (d *Disk) leaveCopies(s *segment) {
	if s.copies.Load() == nil {
		s.copies.CompareAndSwap(nil, newCopies(d.segmentSize))
	}
	d.copied.add(s)
}

func (s *segment) leaveCopy(h *Hash) {
	if c := s.copies.Load(); c != nil { // else s is another one by now, in the same slot
		c.add(h)
	}
}
