package control

import (
	"time"

	"stagecache/engine"
)

// Stats are the figures of one stage. Requests are counted from the start of the gateway's process; entries and bytes are
// what the store holds now. On a store whose gateway is not running all that counts requests is 0.
type Stats struct {
	Stage string `json:"stage"`

	Hits     uint64  `json:"hits"`
	Misses   uint64  `json:"misses"`
	HitRatio float64 `json:"hit_ratio"` // hits / (hits + misses); 0 before the first request
	Bypasses uint64  `json:"bypasses"`

	Stores    uint64 `json:"stores"`
	Evictions uint64 `json:"evictions"`
	Entries   int64  `json:"entries"`

	CapacityBytes int64 `json:"capacity_bytes"`
	DiskBytes     int64 `json:"disk_bytes"`
	LogicalBytes  int64 `json:"logical_bytes"` // before compression
	MemoryBytes   int64 `json:"memory_bytes"`

	MemoryHits uint64 `json:"memory_hits"`
	DiskHits   uint64 `json:"disk_hits"`

	Purges       uint64 `json:"purges"`
	Flushes      uint64 `json:"flushes"`
	SpillDropped uint64 `json:"spill_dropped"`
	Quarantined  uint64 `json:"quarantined"`

	BackendRequests     uint64  `json:"backend_requests"`
	BackendSecondsSaved float64 `json:"backend_seconds_saved"`
	Coalesced           uint64  `json:"coalesced"`
	StaleServed         uint64  `json:"stale_served"`

	UptimeSeconds float64 `json:"uptime_seconds"`
}

// StatsList is what statistics of all stages look like in JSON.
type StatsList struct {
	Stages []Stats `json:"stages"`
}

func newStats(stage string, capacity int64, e engine.Stats, r RequestStats, uptime time.Duration) Stats {
	s := Stats{
		Stage:               stage,
		Hits:                r.Hits,
		Misses:              r.Misses,
		Bypasses:            r.Bypasses,
		Stores:              e.Stores + r.Earlier.Stores,
		Evictions:           e.Evictions + r.Earlier.Evictions,
		Entries:             e.Entries,
		CapacityBytes:       capacity,
		DiskBytes:           e.DiskBytes,
		LogicalBytes:        e.LogicalBytes,
		MemoryBytes:         e.MemoryBytes,
		MemoryHits:          e.MemoryHits + r.Earlier.MemoryHits,
		DiskHits:            e.DiskHits + r.Earlier.DiskHits,
		Purges:              e.Purges + r.Earlier.Purges,
		Flushes:             e.Flushes + r.Earlier.Flushes,
		SpillDropped:        e.SpillDropped + r.Earlier.SpillDropped,
		Quarantined:         e.Quarantined,
		BackendRequests:     r.BackendRequests,
		BackendSecondsSaved: r.BackendSecondsSaved,
		Coalesced:           r.Coalesced,
		StaleServed:         r.StaleServed,
		UptimeSeconds:       uptime.Seconds(),
	}
	if e.CapacityBytes > 0 {
		s.CapacityBytes = e.CapacityBytes
	}
	if asked := r.Hits + r.Misses; asked > 0 {
		s.HitRatio = float64(r.Hits) / float64(asked)
	}
	return s
}
