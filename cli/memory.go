package cli

import (
	"os"
	"runtime/debug"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// heapBase is what the process needs besides its stores: connections, answers on their way, the runtime itself.
const heapBase = 128 << 20

// garbage is how much of it the collector may let come together, in percent of what is in use. Most of that is the index, which
// has no pointers: looking through it costs next to nothing, and as much garbage as index is what makes a process outgrow the
// memory that was configured. ("cachectl bench" of 1 GB with 100 MB of memory: 120 MB resident with Go's own 100 percent, 103 with
// 50, at the same rate of puts.)
const garbage = 50

// limitHeap tells the collector how much the stages' indexes and queues may take in all, so that it does not let garbage
// grow to as much again. Memory of the hot tier is not the collector's and does not count.
func limitHeap(cfg *config.Config) { tuneCollector(heapLimit(cfg)) }

// tuneCollector is for a process whose heap should have at most so many bytes. GOMEMLIMIT and GOGC, if set, win.
func tuneCollector(limit int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

func heapLimit(cfg *config.Config) int64 {
	limit := int64(heapBase)
	for _, s := range cfg.Stages {
		if s.Cache.Enabled {
			limit += control.StoreOptions(s, control.Keys{}, nil).Heap()
		}
	}
	return limit
}
