package cli

import (
	"testing"

	"stagecache/engine"
	"stagecache/gateway/config"
)

// TestHeapLimit: what the configuration gives the stages counts, what is switched off does not, and the hot tier's memory,
// which the collector does not see, does not either.
func TestHeapLimit(t *testing.T) {
	const memory = 1_000_000_000
	stage := func(enabled bool) *config.Stage {
		return &config.Stage{Name: "s", Cache: config.Cache{Enabled: enabled, Capacity: 1e9, Memory: memory, MaxObject: 1e6}}
	}
	limit := func(stages ...*config.Stage) int64 {
		heap, garbage := heapOf(&config.Config{Stages: stages})
		if garbage > heap/2 {
			t.Errorf("%d of a heap of %d may be garbage", garbage, heap)
		}
		return heap
	}
	none, one, two := limit(stage(false)), limit(stage(true)), limit(stage(true), stage(true))
	if none != heapBase || one <= none || one-none > memory/2 || two-one != one-none {
		t.Errorf("limits are %d, %d, %d", none, one, two)
	}
	o := engine.Options{Capacity: 1e9, Memory: memory, InFlight: engine.MaxInFlight(memory)}
	if one != none+o.Heap() || one+o.Hot() > heapBase+memory {
		t.Errorf("%d for one stage, and %d of hot tier", one, o.Hot())
	}
}
