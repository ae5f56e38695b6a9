package main

import "container/list"

// policy is a cache of a fixed number of entries, of which only the hits are of interest.
type policy interface {
	// access asks for key, stores it on a miss, and says whether it was a hit.
	access(key uint32) (hit bool, err error)
	close() error
}

// fifo evicts in the order of insertion.
type fifo struct {
	size  int
	order []uint32 // from head on
	has   map[uint32]bool
}

func newFIFO(size int) *fifo { return &fifo{size: size, has: make(map[uint32]bool, size)} }

func (f *fifo) access(key uint32) (bool, error) {
	if f.has[key] {
		return true, nil
	}
	if len(f.has) >= f.size {
		delete(f.has, f.order[0])
		f.order = f.order[1:]
	}
	f.order = append(f.order, key)
	f.has[key] = true
	return false, nil
}

func (f *fifo) close() error { return nil }

// lru evicts what was asked for longest ago.
type lru struct {
	size  int
	order *list.List // of keys, latest first
	at    map[uint32]*list.Element
}

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), at: make(map[uint32]*list.Element, size)}
}

func (l *lru) access(key uint32) (bool, error) {
	if e := l.at[key]; e != nil {
		l.order.MoveToFront(e)
		return true, nil
	}
	if l.order.Len() >= l.size {
		oldest := l.order.Back()
		delete(l.at, oldest.Value.(uint32))
		l.order.Remove(oldest)
	}
	l.at[key] = l.order.PushFront(key)
	return false, nil
}

func (l *lru) close() error { return nil }

// s3fifo is S3-FIFO with its usual parameters: new keys pass a small queue of a tenth, what is hit there again moves to the
// main queue, what is not leaves a ghost; a key whose ghost is still there goes to the main queue at once.
type s3fifo struct {
	small, main int // their sizes
	smallQ      []uint32
	mainQ       []uint32
	hits        map[uint32]int // of what is in either queue
	ghostQ      []uint32
	ghosts      map[uint32]int // how many times in ghostQ
}

func newS3FIFO(size int) *s3fifo {
	small := max(1, size/10)
	return &s3fifo{small: small, main: max(1, size-small), hits: make(map[uint32]int, size), ghosts: make(map[uint32]int)}
}

func (s *s3fifo) access(key uint32) (bool, error) {
	if n, ok := s.hits[key]; ok {
		s.hits[key] = min(n+1, 3)
		return true, nil
	}
	for len(s.smallQ)+len(s.mainQ) >= s.small+s.main {
		s.evict()
	}
	s.hits[key] = 0
	if s.ghosts[key] > 0 {
		s.mainQ = append(s.mainQ, key)
	} else {
		s.smallQ = append(s.smallQ, key)
	}
	return false, nil
}

func (s *s3fifo) evict() {
	if len(s.smallQ) >= s.small || len(s.mainQ) == 0 {
		oldest := s.smallQ[0]
		s.smallQ = s.smallQ[1:]
		if s.hits[oldest] > 0 {
			s.hits[oldest] = 0
			s.mainQ = append(s.mainQ, oldest)
			return
		}
		delete(s.hits, oldest)
		s.remember(oldest)
		return
	}
	oldest := s.mainQ[0]
	s.mainQ = s.mainQ[1:]
	if n := s.hits[oldest]; n > 0 {
		s.hits[oldest] = n - 1
		s.mainQ = append(s.mainQ, oldest)
		return
	}
	delete(s.hits, oldest)
}

func (s *s3fifo) remember(key uint32) {
	s.ghostQ = append(s.ghostQ, key)
	s.ghosts[key]++
	if len(s.ghostQ) > s.main {
		oldest := s.ghostQ[0]
		s.ghostQ = s.ghostQ[1:]
		if s.ghosts[oldest]--; s.ghosts[oldest] == 0 {
			delete(s.ghosts, oldest)
		}
	}
}

func (s *s3fifo) close() error { return nil }
