package cli

import (
	"slices"
	"testing"

	"stagecache/engine"
)

// TestHeapLimit: what is configured for the stores counts, and the hot tier's memory, which the collector does not see, does not.
func TestHeapLimit(t *testing.T) {
	limit := func(stores ...engine.Options) int64 {
		heap, garbage := heapFor(slices.Values(stores))
		if garbage > heap/2 {
			t.Errorf("%d of a heap of %d may be garbage", garbage, heap)
		}
		return heap
	}
	o := engine.Options{Capacity: 1e9, Memory: 1e9}
	none, one, two := limit(), limit(o), limit(o, o)
	if none != heapBase || one <= none || one-none > 5e8 || two-one != one-none {
		t.Errorf("limits are %d, %d, %d", none, one, two)
	}
	o.InFlight = engine.MaxInFlight(o.Memory)
	if with := limit(o); with <= one || with+o.Hot() > heapBase+o.Memory {
		t.Errorf("%d with what is in flight, %d without, and %d of hot tier", with, one, o.Hot())
	}
}
