package engine

import "stagecache/tier"

// How a store divides its memory between the index and the hot tier. Nobody knows beforehand what entries take on disk, so the index is
// promised what small ones need (see budget), and the hot tier begins with the rest. Once enough is stored to tell, the hot tier gets
// what the index will not need. It begins empty then, for fastcache does not grow: the disk answers what it held, and what was in memory alone is a miss. It is never made smaller:
// fastcache does not give memory back either. Should entries become much smaller later on, some are evicted before the capacity is used, until the
// next start divides anew.

const (
	// divideEvery is after how many stores it is looked at again.
	divideEvery = 4096
	// leastIndex is the part of its promise that the index keeps in any case, enough for entries of 2 KiB: what comes may be smaller than
	// what was stored first.
	leastIndex = 4
	// worthIt is the share of what the hot tier has that it must gain to begin anew.
	worthIt = 4
)

// divider divides anew when something may have come to be known, until the store is closed.
func (s *Store) divider() {
	ready := s.ready
	for {
		select {
		case <-s.closing:
			return
		case <-ready:
			ready = nil
		case <-s.grown:
		}
		s.divide()
	}
}

// noteStore makes the divider look now and then.
func (s *Store) noteStore() {
	if s.stores.Add(1)%divideEvery == 0 {
		select {
		case s.grown <- struct{}{}:
		default:
		}
	}
}

// growth is what the index may gain before Heap is asked again.
const growth = 4 << 20

// Heap is Options.Heap as it is by now: for the index what it has, and half as much again to grow.
func (s *Store) Heap() int64 {
	heap, index := s.o.Heap(), s.o.budget().index
	if s.o.Memory > 0 {
		heap -= hotOf(index - s.indexRoom.Load())
		index = s.indexRoom.Load()
	}
	has := s.gen.Load().disk.IndexBytes()
	return heap - max(0, index-(has+has/2+growth))
}

// Garbage is what of Heap is for garbage.
func (s *Store) Garbage() int64 { return s.o.Garbage() }

func (s *Store) divide() {
	if !s.flushMu.TryLock() {
		return // a flush or a close is going on
	}
	defer s.flushMu.Unlock()
	need, known := s.gen.Load().disk.IndexNeed()
	need = max(need, s.o.budget().index/leastIndex)
	spare := s.indexRoom.Load() - need
	hot := s.memory.Load()
	if !known || s.closed.Load() || spare < hot.Size()/worthIt {
		return
	}
	s.indexRoom.Store(need)
	s.gen.Load().disk.LimitIndex(need)
	s.memory.Store(tier.NewMemory(hot.Size() + hotOf(spare)))
	// Who writes to the hot tier loads it under its key's lock. Once each of those was free, nobody writes to the old one any more.
	for i := range s.leases {
		s.leases[i].mu.Lock()
		s.leases[i].mu.Unlock() //lint:ignore SA2001 only waited for
	}
	_ = hot.Close()
}
