package tier

import (
	"slices"
	"sync"
)

// What is read, sealed or packed goes through buffers that are used again. Large ones have a pool of their own: else the many
// small requests would hold them.
const (
	largeBuffer   = 64 << 10
	largestBuffer = 4 << 20 // above it they are left to the collector
)

var buffers, largeBuffers = newBufferPool(), newBufferPool()

func newBufferPool() *sync.Pool { return &sync.Pool{New: func() any { return new([]byte) }} }

// getBuffer lends a buffer of n bytes. If it grows far beyond that, it is worth asking for more at once.
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
