package cli

import (
	"testing"

	"stagecache/gateway/config"
)

// TestHeapLimit: what the configuration gives the stages counts, what is switched off does not, and the hot tier's memory,
// which the collector does not see, does not either.
func TestHeapLimit(t *testing.T) {
	stage := func(enabled bool, memory int64) *config.Stage {
		return &config.Stage{Name: "s", Cache: config.Cache{Enabled: enabled, Capacity: 1e9, Memory: memory, MaxObject: 1e6}}
	}
	limit := func(cfg *config.Config) int64 {
		heap, garbage := heapOf(cfg)
		if garbage > heap/2 {
			t.Errorf("%d of a heap of %d may be garbage", garbage, heap)
		}
		return heap
	}
	none := limit(&config.Config{Stages: []*config.Stage{stage(false, 1e9)}})
	one := limit(&config.Config{Stages: []*config.Stage{stage(true, 1e9)}})
	two := limit(&config.Config{Stages: []*config.Stage{stage(true, 1e9), stage(true, 1e9)}})
	if none != heapBase || one <= none || one-none > 5e8 || two-one != one-none {
		t.Errorf("limits are %d, %d, %d", none, one, two)
	}
}
