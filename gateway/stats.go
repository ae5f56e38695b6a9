package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"stagecache/engine"
	"stagecache/gateway/control"
)

// RequestStats are the request counters of one stage, from the start of the process on; a reload does not reset them.
//
// A request that gets an answer is one of
//   - a hit: answered from the store, be the entry fresh or stale, and the answer whole, a 304, a 412 or a part;
//   - a miss: caching is on for it, and it went to the backend;
//   - coalesced: it shared the answer that another request had asked for; neither a hit nor a miss, so the hit ratio,
//     hits / (hits + misses), says how often the backend was spared for want of asking, not by waiting;
//   - a bypass: caching does not apply to it.
//
// What is refused before the cache is asked (400, 403, 404, 405) counts as none. StaleServed is the part of the hits that
// were stale, for a refresh or for an error of the backend. BackendRequests counts every request to the backend, background
// refreshes included. BackendSecondsSaved adds for every hit that asked the backend nothing what the entry's own fetch took.
type RequestStats = control.RequestStats

// counters is where RequestStats come from.
type counters struct {
	mu      sync.Mutex
	earlier control.StoreCounts // guarded by mu

	hits, misses, bypasses, coalesced, stale, backend atomic.Uint64
	saved                                             atomic.Int64 // nanoseconds
}

// closing keeps what a store has counted, of which nobody can be told once it is closed.
func (c *counters) closing(store *engine.Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.earlier.Add(store.Stats())
}

func (c *counters) stats() RequestStats {
	c.mu.Lock()
	earlier := c.earlier
	c.mu.Unlock()
	return RequestStats{
		Earlier:             earlier,
		Hits:                c.hits.Load(),
		Misses:              c.misses.Load(),
		Bypasses:            c.bypasses.Load(),
		Coalesced:           c.coalesced.Load(),
		StaleServed:         c.stale.Load(),
		BackendRequests:     c.backend.Load(),
		BackendSecondsSaved: time.Duration(c.saved.Load()).Seconds(),
	}
}
