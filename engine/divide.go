package engine

import "stagecache/tier"

// How a store divides its memory between the index and the hot tier. Nobody knows beforehand what entries take on disk, so the index is
// promised what small ones need (see budget), and the hot tier begins with the rest. Once enough is stored to tell, the hot tier gets
// what the index will not need. It begins empty then, for fastcache does not grow: the disk answers what it held. It is never made smaller:
// fastcache does not give memory back either. Entries that become smaller later on are evicted before the capacity is used, until the next start.

const (
	// divideEvery is after how many stores it is looked at again.
	divideEvery = 4096
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

func (s *Store) divide() {
	if !s.flushMu.TryLock() {
		return // a flush or a close is going on
	}
	defer s.flushMu.Unlock()
	need, known := s.gen.Load().disk.IndexNeed()
	spare := s.indexRoom.Load() - need
	hot := s.memory.Load()
	if !known || s.closed.Load() || spare < hot.Size()/worthIt {
		return
	}
	s.indexRoom.Store(need)
	s.gen.Load().disk.LimitIndex(need)
	// Whoever writes to the hot tier holds a key's lock. With all of them held, nobody writes to one that is closed.
	for i := range s.leases {
		s.leases[i].mu.Lock()
		defer s.leases[i].mu.Unlock()
	}
	s.memory.Store(tier.NewMemory(hot.Size() + spare*6/7))
	_ = hot.Close() // fastcache's pool has its blocks now, and the new one takes them from there
}
