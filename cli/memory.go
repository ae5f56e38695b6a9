package cli

import (
	"os"
	"runtime/debug"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// heapBase is what the process needs besides its stores: connections, answers on their way, the runtime itself.
const heapBase = 128 << 20

// limitHeap tells the collector how much the stages' indexes and queues may take in all, so that it does not let garbage
// grow to as much again. Memory of the hot tier is not the collector's and does not count. GOMEMLIMIT, if set, wins.
func limitHeap(cfg *config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit(cfg))
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
