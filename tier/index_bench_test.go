package tier

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkIndexGrowth grows an index to ten million entries and says how long the longest insertion took, by the clock and of
// what is rebuilt at once. Whoever looks something up in the same shard waits as long, and nobody longer. On a processor that others
// use as well, the longest by the clock is theirs.
func BenchmarkIndexGrowth(b *testing.B) {
	const n = 10_000_000
	for b.Loop() {
		x := newIndex(func(uint16) bool { return true })
		r := rand.New(rand.NewPCG(1, 2))
		var h Hash
		var longest, growths time.Duration
		var rebuilt, most int
		for i := range n {
			binary.LittleEndian.PutUint64(h[:], r.Uint64())
			s, _ := x.shard(&h)
			slots := len(s.slots)
			start := time.Now()
			x.Insert(&h, loc{seg: slotFirst, off: uint32(i), size: shortSize(1000)}, uint64(i))
			took := time.Since(start)
			longest = max(longest, took)
			if len(s.slots) != slots {
				growths += took
				rebuilt++
				most = max(most, len(s.slots))
			}
		}
		b.ReportMetric(float64(longest.Microseconds()), "us-longest")
		b.ReportMetric(float64(growths.Microseconds())/float64(rebuilt), "us-growth")
		b.ReportMetric(float64(most), "slots-most")
		b.ReportMetric(float64(x.Bytes())/n, "B/entry")
	}
}
