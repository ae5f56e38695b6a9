package tier

import (
	"encoding/binary"
	"sync/atomic"
)

// ghosts remembers for a while which hashes were there: 16 bits of each and when, in a table of fixed size that forgets the
// oldest of a group first. It may be wrong about a few; nothing but what stays, in memory and on disk, depends on it. All methods may
// be called at the same time.
type ghosts struct {
	slots []atomic.Uint32 // fingerprint 16 bits | time 16 bits; groups of ghostGroup
}

const (
	ghostGroup = 4
	ghostTicks = 1 << 16
	// ghostLife is how many ticks a ghost is remembered. It is far below ghostTicks: where entries are large, few ghosts come, and
	// old ones are not replaced before the clock has gone round. One in 256 then passes for a young one.
	ghostLife = 256
)

// newGhosts makes room for n, which is at least 1.
func newGhosts(n int64) *ghosts {
	return &ghosts{slots: make([]atomic.Uint32, (n+ghostGroup-1)/ghostGroup*ghostGroup)}
}

func (g *ghosts) group(h *Hash) (slots []atomic.Uint32, mark uint32) {
	v := binary.LittleEndian.Uint64(h[:])
	at := v % uint64(len(g.slots)/ghostGroup) * ghostGroup
	return g.slots[at : at+ghostGroup], uint32(v>>48) * ghostTicks
}

// add remembers h from the tick now on.
func (g *ghosts) add(h *Hash, now uint64) {
	slots, mark := g.group(h)
	tick := uint32(now % ghostTicks)
	oldest, most := 0, uint32(0)
	for i := range slots {
		v := slots[i].Load()
		if v-v%ghostTicks == mark || v == 0 {
			oldest = i
			break
		}
		if age := (tick - v) % ghostTicks; age >= most {
			oldest, most = i, age
		}
	}
	slots[oldest].Store(mark | tick)
}

// take tells whether h was added less than ghostLife ticks ago, and forgets it.
func (g *ghosts) take(h *Hash, now uint64) bool {
	slots, mark := g.group(h)
	for i := range slots {
		if v := slots[i].Load(); v != 0 && v-v%ghostTicks == mark {
			return (uint32(now%ghostTicks)-v)%ghostTicks < ghostLife && slots[i].CompareAndSwap(v, 0)
		}
	}
	return false
}

func (g *ghosts) bytes() int64 { return int64(len(g.slots)) * 4 }
