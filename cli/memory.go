package cli

import (
	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// What the process needs besides its stores: connections, answers on their way, the runtime itself, and the garbage of all that.
const (
	heapBase    = 128 << 20
	garbageBase = 4 << 20
)

// heapFor is how large the heap of a process with these stores may become, and how much of it may be garbage. Memory of their hot tiers is
// not the collector's and does not count.
func heapFor(stores ...engine.Options) (heap, garbage int64) {
	heap, garbage = heapBase, garbageBase
	for _, o := range stores {
		heap += o.Heap()
		garbage += o.Garbage()
	}
	return heap, garbage
}

// heapOf is heapFor the stages of a configuration.
func heapOf(cfg *config.Config) (heap, garbage int64) {
	var stores []engine.Options
	for _, s := range cfg.Stages {
		if s.Cache.Enabled {
			stores = append(stores, control.StoreOptions(s, control.Keys{}, nil))
		}
	}
	return heapFor(stores...)
}
