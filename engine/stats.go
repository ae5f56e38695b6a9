package engine

import (
	"sync/atomic"
	"time"

	"stagecache/tier"
)

// Stats are a store's figures. Counters count from Open.
type Stats struct {
	MemoryHits, DiskHits, Misses uint64 // of Get
	Stores, Purges, Flushes      uint64
	Evictions                    uint64 // entries given up for capacity before they expired
	SpillDropped                 uint64 // entries whose disk copy was dropped: queue full, or the disk failed
	Quarantined                  uint64 // damaged segments, and generations set aside

	Entries       int64 // on disk or on their way; an entry that lives for less than 10 s is in memory alone
	CapacityBytes int64
	DiskBytes     int64 // as du counts, with what is being removed
	LogicalBytes  int64 // of live entries before compression
	MemoryBytes   int64 // fastcache, index and queue
	WrittenBytes  int64 // committed to segments
	SealedBytes   int64 // of these, sealed records
	IndexBytes    int64
	Segments      int
	Uptime        time.Duration
}

// tierTotals keep counting across generations.
type tierTotals struct{ dropped, evicted, quarantined, written, sealed atomic.Int64 }

func (t *tierTotals) add(st *tier.DiskStats) {
	t.dropped.Add(st.Dropped)
	t.evicted.Add(st.Evicted)
	t.quarantined.Add(st.Quarantined)
	t.written.Add(st.Written)
	t.sealed.Add(st.DataWritten)
}

// Stats may be called at any time; its figures are not of one instant.
func (s *Store) Stats() Stats {
	d := s.gen.Load().disk.Stats()
	st := Stats{
		MemoryHits: s.memoryHits.Load(), DiskHits: s.diskHits.Load(), Misses: s.misses.Load(),
		Stores: s.stores.Load(), Purges: s.purgesDone.Load(), Flushes: s.flushes.Load(),
		Evictions:    uint64(s.before.evicted.Load() + d.Evicted),
		SpillDropped: uint64(s.before.dropped.Load() + d.Dropped),
		Quarantined:  s.quarantined.Load() + uint64(s.before.quarantined.Load()+d.Quarantined),
		Entries:      d.Entries, CapacityBytes: s.o.Capacity, DiskBytes: d.DiskBytes + s.reserved(), LogicalBytes: d.LogicalBytes,
		MemoryBytes: d.IndexBytes + d.QueueBytes + d.DictionaryBytes + d.GhostBytes, WrittenBytes: s.before.written.Load() + d.Written,
		SealedBytes: s.before.sealed.Load() + d.DataWritten, IndexBytes: d.IndexBytes, Segments: d.Segments,
		Uptime: s.o.Clock.Mono() - s.opened,
	}
	if m := s.memory.Load(); m != nil {
		st.MemoryBytes += m.Bytes()
	}
	return st
}
