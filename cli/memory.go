package cli

import (
	"iter"
	"maps"
	"slices"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// What the process needs besides its stores, while little goes on: the runtime, the configuration, a few connections. With many
// the collector is allowed more (collector.Keeper).
const (
	heapBase    = 16 << 20
	garbageBase = 4 << 20
)

// A heapUser is a store, or one to be.
type heapUser interface {
	Heap() int64
	Garbage() int64
}

// heapFor is how large the heap of a process with these stores should become, and how much of it may be garbage. Memory of their hot tiers is
// not the collector's and does not count.
func heapFor[U heapUser](stores iter.Seq[U]) (heap, garbage int64) {
	heap, garbage = heapBase, garbageBase
	for s := range stores {
		heap += s.Heap()
		garbage += s.Garbage()
	}
	return heap, garbage
}

// heapOf is heapFor the stages of a configuration, before they are open.
func heapOf(cfg *config.Config) (heap, garbage int64) {
	var stores []engine.Options
	for _, s := range cfg.Stages {
		if s.Cache.Enabled {
			stores = append(stores, control.StoreOptions(s, control.Keys{}, nil))
		}
	}
	return heapFor(slices.Values(stores))
}

// heapNow is heapFor the stores that are open.
func (s *Server) heapNow() (heap, garbage int64) { return heapFor(maps.Values(s.gateway.Stores())) }
