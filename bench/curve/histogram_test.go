package curve

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEveryDurationHasABucketThatHoldsIt(t *testing.T) {
	for shift := range 63 {
		for _, off := range []int64{-1, 0, 1} {
			ns := max(int64(1)<<shift+off, 0)
			b := bucketOf(uint64(ns))
			if b < 0 || b >= buckets {
				t.Fatalf("%d ns falls into bucket %d of %d", ns, b, buckets)
			}
			if top(b) < time.Duration(ns) || b > 0 && top(b-1) >= time.Duration(ns) {
				t.Errorf("%d ns falls into bucket %d, which goes from above %d to %d", ns, b, top(b-1), top(b))
			}
		}
	}
	if b := bucketOf(math.MaxInt64); b >= buckets || top(b) != math.MaxInt64 {
		t.Errorf("the longest duration falls into bucket %d of %d, up to %d", b, buckets, top(b))
	}
}

// A quantile must be at least the exact one (nearest rank) and at most a 32nd above it, also of several histograms together.
func TestQuantilesAreExactToA32nd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<rapid.IntRange(1, 62).Draw(t, "bits")), 1, 300).Draw(t, "ns")
		var h, other histogram
		for i, v := range values {
			if i%3 == 0 {
				other.add(time.Duration(v))
			} else {
				h.add(time.Duration(v))
			}
		}
		h.merge(&other)
		slices.Sort(values)
		for _, q := range []float64{0.001, 0.5, 0.99, 0.999, 1} {
			exact := values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
			got := int64(h.quantile(q))
			if got < exact || got > exact+exact/32 {
				t.Fatalf("quantile %v of %v is %d, exactly %d", q, values, got, exact)
			}
		}
		if h.n != uint64(len(values)) || int64(h.most) != values[len(values)-1] {
			t.Fatalf("%d values up to %d, want %d up to %d", h.n, h.most, len(values), values[len(values)-1])
		}
	})
}

func TestAnEmptyHistogramHasNoQuantiles(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("quantile %v", got)
	}
	h.add(-5) // a clock that went back
	if h.n != 1 || h.quantile(1) != 0 {
		t.Errorf("a negative duration counts as %v", h.quantile(1))
	}
}

func TestAllocsOfAdd(t *testing.T) {
	var h histogram
	if n := testing.AllocsPerRun(100, func() { h.add(12345) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
