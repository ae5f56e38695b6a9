package engine

import (
	"context"
	"time"

	"stagecache/tier"
)

var noFound tier.Found

// PurgeResult says what a purge did.
type PurgeResult struct {
	AtMost  int64 // upper bound of the entries it hit; nothing was scanned to find out
	Elapsed time.Duration
}

// Purge makes every entry that t matches, and that was filled from before now on, a miss (Hard) or stale (Soft). It takes the
// same time at any capacity, and when it returns it is durable.
func (s *Store) Purge(ctx context.Context, t Target, mode PurgeMode) (PurgeResult, error) {
	start := s.o.Clock.Mono()
	if err := t.check(); err != nil {
		return PurgeResult{}, err
	}
	if err := ctx.Err(); err != nil {
		return PurgeResult{}, err
	}
	for {
		if s.closed.Load() {
			return PurgeResult{}, ErrClosed
		}
		g := s.gen.Load()
		st := g.disk.Stats()
		keepFrom := uint64(0)
		if st.HasStamp {
			keepFrom = st.MinStamp
		}
		_, err := g.purges.purge(t, mode, keepFrom)
		if s.gen.Load() != g {
			continue // flushed meanwhile: what is new must be purged too
		}
		if err != nil {
			return PurgeResult{}, err
		}
		s.purgesDone.Add(1)
		s.measure(g)
		return PurgeResult{AtMost: s.atMost(g, t), Elapsed: s.o.Clock.Mono() - start}, nil
	}
}

// PurgeClock advances with every purge: what is equal before and after was not interrupted by one.
func (s *Store) PurgeClock() uint64 { return s.gen.Load().purges.newest.Load() }

// atMost bounds how many entries t matches, from what the segments counted as they were written.
func (s *Store) atMost(g *generation, t Target) int64 {
	if t.kind == kindKey {
		return 1
	}
	label, ok := t.label()
	n := s.short.count()
	if !ok {
		return n + g.disk.Stats().Entries
	}
	n += g.disk.Waiting(label) // before the segments: what lands in between is counted twice, not missed
	g.disk.Segments(func(i tier.SegmentInfo) { n += min(i.AtMost(label), i.Live) })
	return n
}
