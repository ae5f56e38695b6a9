package gateway

import (
	"sync/atomic"

	"stagecache/engine"
)

// budget bounds the memory of the answers that a stage is receiving to store them. Every buffer is reserved before it is
// allocated, a growing one before it grows, and given back when its fill is over. What cannot be reserved goes through
// to its client without being stored, in a copy buffer of fixed size; nothing ever waits for the budget.
//
// What is not counted: the window of a body that turned out too large (at most what the buffer it replaces had reserved),
// the copy buffers of clients (32 KiB each, pooled), what hits have read for their clients, and the moment in which a buffer and its larger
// successor both live.
type budget struct {
	free  atomic.Int64
	total atomic.Int64
}

// budgetOf is what the stage's memory has for that, and never less than eight of its largest objects or 8 MiB: a store that
// keeps little or nothing in memory must still be able to fill its disk.
func budgetOf(memory int64, maxObject int) int64 {
	return max(engine.MaxInFlight(memory), 8*int64(maxObject), 8<<20)
}

// resize changes the budget to a new total. What is reserved stays so: after a cut nothing more is until enough came back.
func (b *budget) resize(total int64) { b.free.Add(total - b.total.Swap(total)) }

// reserve takes n bytes, or nothing.
func (b *budget) reserve(n int) bool {
	if b.free.Add(-int64(n)) >= 0 {
		return true
	}
	b.free.Add(int64(n))
	return false
}

func (b *budget) release(n int) { b.free.Add(int64(n)) }
