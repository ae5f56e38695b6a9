package tier

import (
	"encoding/binary"
	"sync/atomic"
)

// copies says of a hash whether a segment may hold a version of it that the index does not know: it has moved out and its copy stayed behind,
// or could not be read, or was in a commit that failed. It is a Bloom filter, which is wrong about few where it is right about all that matter.
type copies struct {
	bits []atomic.Uint64
}

// newCopies has about 16 bits for each record of 500 bytes that a victim may have moving; a compaction moves up to twice as many.
func newCopies(segmentSize int64) *copies {
	return &copies{bits: make([]atomic.Uint64, max(1, segmentSize/64/64))}
}

// at gives two places, of bits of the hash that choose neither its shard nor much else.
func (c *copies) at(h *Hash, i int) (word *atomic.Uint64, bit uint64) {
	v := binary.LittleEndian.Uint64(h[8*i:])
	return &c.bits[v>>6%uint64(len(c.bits))], 1 << (v & 63)
}

func (c *copies) add(h *Hash) {
	for i := range 2 {
		word, bit := c.at(h, i)
		word.Or(bit)
	}
}

func (c *copies) has(h *Hash) bool {
	for i := range 2 {
		if word, bit := c.at(h, i); word.Load()&bit == 0 {
			return false
		}
	}
	return true
}
