package control

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
}
