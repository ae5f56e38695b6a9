package tier

import (
	"testing"

	"github.com/VictoriaMetrics/fastcache"
)

// Guards against a fastcache that hashes its keys in another way or has another number of rings: what goes to other rings must leave
// an entry alone, and a ring's worth of bytes in its own must push it out.
func TestKeysMeetTheirRing(t *testing.T) {
	for _, ring := range []uint64{0, 1, 77, memRings - 1} {
		c := fastcache.New(MemoryStep)
		h := hashOf(int(ring))
		key, chunk := aimedKey(&h, ring), chunkKey(ring, ring)
		keys := [][]byte{key[:], chunk[:]}
		for _, k := range keys {
			c.Set(k, []byte("kept"))
		}
		value := make([]byte, 4000)
		n := 0
		write := func(to uint64) {
			h := hashOf(1000 + n)
			a, b := aimedKey(&h, to), chunkKey(uint64(n), to)
			c.Set(a[:], value)
			c.Set(b[:], value)
			n++
		}
		for to := range uint64(memRings) {
			for i := 0; to != ring && i < 10; i++ { // 80 kB through a ring of 64 KiB
				write(to)
			}
		}
		for i, k := range keys {
			if !c.Has(k) {
				t.Errorf("ring %d: key %d was pushed out by other rings", ring, i)
			}
		}
		for range 10 {
			write(ring)
		}
		for i, k := range keys {
			if c.Has(k) {
				t.Errorf("ring %d: key %d outlived a full turn", ring, i)
			}
		}
		c.Reset()
	}
}

func TestAimedKeysDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for i := range 100_000 {
		h := hashOf(i)
		k, c := aimedKey(&h, uint64(i)%memRings), chunkKey(uint64(i), 9)
		if seen[string(k[:])] || seen[string(c[:])] {
			t.Fatalf("key %d is another's too", i)
		}
		seen[string(k[:])], seen[string(c[:])] = true, true
	}
}
