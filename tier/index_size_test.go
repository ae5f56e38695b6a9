package tier

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
)

// TestIndexAllocPerEntry holds entries in memory and says how much that takes: 5 million, and with STAGECACHE_LONG set as
// many as 237 GB of 4 KB each are. It also
// guards the growth by shards: an index that doubles as a whole would show here.
func TestIndexAllocPerEntry(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector the index would take several times its size: the allocs step of .ci/run runs this without")
	}
	n := 5_000_000
	if os.Getenv("STAGECACHE_LONG") != "" {
		n = 58_000_000
	}
	x := newIndex(func(uint16) bool { return true })
	r := rand.New(rand.NewPCG(1, 2))
	var h Hash
	worst := 0.0
	for i := range n {
		binary.LittleEndian.PutUint64(h[:], r.Uint64())
		x.Insert(&h, loc{seg: slotFirst, off: uint32(i), size: shortSize(4000)}, 1)
		if i > n/4 && i%(n/50) == 0 {
			worst = max(worst, float64(x.Bytes())/float64(i))
		}
	}
	per := float64(x.Bytes()) / float64(n)
	t.Logf("%d entries take %.1f MB: %.2f bytes each; %.2f at the worst moment of growing", n, float64(x.Bytes())/1e6, per, worst)
	if worst > 18 || per > 16 {
		t.Errorf("%.2f bytes per entry, %.2f at the worst", per, worst)
	}
	// All of them are found, but for the few that share 42 bits with another.
	r = rand.New(rand.NewPCG(1, 2))
	lost := 0
	for i := range n {
		binary.LittleEndian.PutUint64(h[:], r.Uint64())
		if i%16 != 0 {
			continue // a sixteenth tells enough
		}
		if l, ok := x.Lookup(&h); !ok || l.off != uint32(i) {
			lost++
		}
	}
	if lost > n/16/10_000 {
		t.Errorf("%d of %d entries are lost", lost, n/16)
	}
	t.Logf("%d of %d were replaced by another that shares the bits kept", lost, n/16)
}
