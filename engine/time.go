package engine

import (
	"sync/atomic"
	"time"

	"stagecache/internal/clock"
)

// engineTime is the time that expiry is judged by, in ms since 1970. It starts at the later of the wall clock and the mark
// found on disk, advances by the larger of the wall and monotonic time that has passed, and never goes back: no jump of a
// clock gives an expired entry its life back.
type engineTime struct {
	clock clock.Clock
	base  atomic.Int64 // ms that passed time is added to
	wall  time.Time
	mono  time.Duration
	last  atomic.Int64
}

func newEngineTime(c clock.Clock) *engineTime {
	t := &engineTime{clock: c, wall: c.Wall(), mono: c.Mono()}
	t.base.Store(t.wall.UnixMilli())
	t.last.Store(t.wall.UnixMilli())
	return t
}

func (t *engineTime) now() int64 {
	passed := max(t.clock.Mono()-t.mono, t.clock.Wall().Sub(t.wall))
	now := t.base.Load() + passed.Milliseconds()
	for {
		last := t.last.Load()
		if now <= last {
			return last
		}
		if t.last.CompareAndSwap(last, now) {
			return now
		}
	}
}

// advance makes it at least mark now, and lets time go on from there.
func (t *engineTime) advance(mark int64) {
	if behind := mark - t.now(); behind > 0 {
		t.base.Add(behind)
	}
}

func msTime(ms int64) time.Time { return time.UnixMilli(ms) }
