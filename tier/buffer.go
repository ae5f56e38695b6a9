package tier

import (
	"slices"
	"sync"
)

// What is read, sealed or packed goes through buffers that are used again. Large ones have a pool of their own: else the many
// small requests would hold them.
const (
	largeBuffer   = 64 << 10
	largestBuffer = 2 * maxRound // above it they are left to the collector
)

var buffers, largeBuffers = newBufferPool(), newBufferPool()

func newBufferPool() *sync.Pool { return &sync.Pool{New: func() any { return new([]byte) }} }

// getBuffer lends a buffer of n bytes. Ask for as much as it will take: what grows large comes back to those that are lent for large
// things, and the next one begins small again.
func getBuffer(n int) *[]byte {
	pool := buffers
	if n > largeBuffer {
		pool = largeBuffers
	}
	b := pool.Get().(*[]byte)
	*b = slices.Grow((*b)[:0], n)[:n]
	return b
}

// putBuffer takes it back.
func putBuffer(b *[]byte) {
	switch n := cap(*b); {
	case n <= largeBuffer:
		buffers.Put(b)
	case n <= largestBuffer:
		largeBuffers.Put(b)
	}
}
