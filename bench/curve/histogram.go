package curve

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in buckets that widen with them, 32 to each doubling: adding one costs a few instructions, and a
// quantile is too high by a 32nd at most. It belongs to one goroutine; merge adds up.
type histogram struct {
	counts [buckets]uint64
	n      uint64
	most   time.Duration
}

const (
	subBits = 5
	buckets = (64 - subBits) << subBits
)

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.n++
	h.most = max(h.most, d)
}

// bucketOf gives every nanosecond below 64 a bucket of its own. From there on the leading bit chooses 32 buckets, and the five
// bits after it one of them.
func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - 1 - subBits
	return (shift+1)<<subBits | int(ns>>shift)&(1<<subBits-1)
}

// top is the longest duration that falls into a bucket.
func top(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	return time.Duration((1<<subBits|bucket&(1<<subBits-1)+1)<<shift - 1)
}

// merge adds what the other has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.most = max(h.most, other.most)
}

// quantile is the duration that a share q of all did not exceed; 0 of none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.n)))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(top(i), h.most)
		}
	}
	return h.most
}
