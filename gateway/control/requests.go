package control

import "stagecache/engine"

// RequestStats are the figures of one stage that only the gateway knows: what became of requests, where the store counts
// what became of entries. They count from the start of the process.
type RequestStats struct {
	Hits                uint64  // answered from the cache, fresh
	Misses              uint64  // asked for in the cache and not found there
	Bypasses            uint64  // never asked of the cache
	Coalesced           uint64  // waited for another request's answer
	StaleServed         uint64  // answered with a stale entry
	BackendRequests     uint64  // requests that went to the backend
	BackendSecondsSaved float64 // what the backend took for each answer that was then served from the cache

	// Earlier is what the stage's stores had counted when they were closed: a store is opened anew for another size, and when its
	// cache is switched on again, and begins at 0.
	Earlier StoreCounts
}

// StoreCounts are the counters of a store that go on when it is opened again. How much is set aside is seen anew each time.
type StoreCounts struct{ Stores, Evictions, MemoryHits, DiskHits, Purges, Flushes, SpillDropped uint64 }

// Add adds a store's counters.
func (c *StoreCounts) Add(s engine.Stats) {
	c.Stores += s.Stores
	c.Evictions += s.Evictions
	c.MemoryHits += s.MemoryHits
	c.DiskHits += s.DiskHits
	c.Purges += s.Purges
	c.Flushes += s.Flushes
	c.SpillDropped += s.SpillDropped
}
