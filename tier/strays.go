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

// leaveCopies says that records will be moved out of s: until it is unlinked, if it ever is, it holds copies of them that the
// index does not point to.
func (d *Disk) leaveCopies(s *segment) {
	if s.copies.Load() == nil {
		s.copies.CompareAndSwap(nil, newCopies(d.segmentSize))
	}
	d.copied.add(s)
}

// leaveCopy says of one record that it leaves s.
func (s *segment) leaveCopy(h *Hash) {
	if c := s.copies.Load(); c != nil { // else s is another one by now, in the same slot
		c.add(h)
	}
}
