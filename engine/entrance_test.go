package engine

import (
	"fmt"

	"stagecache/tier"
)

// The disk tier has an entrance only where there is room for many segments, and segments are so large that a test would have to write
// gigabytes to see much of it. So these tests run with small ones.

const (
	entranceCapacity = 2 << 20
	entranceSegment  = 64 << 10
)

// withEntrance makes a store evict from its entrance, and move out of there, all the time. A value may have 20 KB.
func withEntrance(o *Options) {
	o.Capacity = MinCapacity
	o.disk = func(d *tier.DiskOptions) {
		d.Capacity, d.SegmentSize, d.QueueBytes = entranceCapacity, entranceSegment, 2*entranceSegment
	}
}

// entranceSeen is what a store has done that withEntrance is for.
type entranceSeen struct {
	evicted int64 // entries
	moved   int64 // entries that had a second chance
	fell    int64 // entries evicted from the entrance that have not come back
}

func entranceOf(s *Store) entranceSeen {
	d := s.gen.Load().disk
	st := d.Stats()
	return entranceSeen{st.Evicted, st.Moved, int64(d.GhostsForTest())}
}

func (e *entranceSeen) add(o entranceSeen) {
	e.evicted, e.moved, e.fell = e.evicted+o.evicted, e.moved+o.moved, e.fell+o.fell
}

func (e entranceSeen) max(o entranceSeen) entranceSeen {
	return entranceSeen{max(e.evicted, o.evicted), max(e.moved, o.moved), max(e.fell, o.fell)}
}

// missing tells what none of the stores has done; nil: nothing.
func (e entranceSeen) missing() error {
	if e.evicted == 0 || e.moved == 0 || e.fell == 0 {
		return fmt.Errorf("%+v: the test does not see the entrance", e)
	}
	return nil
}
