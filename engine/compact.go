package engine

import (
	"context"

	"stagecache/tier"
)

// CompactProgress is how far a compaction has come.
type CompactProgress struct {
	Segments, SegmentsDone int
	BytesTotal, BytesRead  int64
	EntriesMoved           int64
	BytesReclaimed         int64 // disk space before less disk space now
	Done                   bool
}

// compactWorth is the share of a segment that must be dead, or may be, for rewriting it to pay.
const compactWorth = 0.10

// Compact rewrites the segments that hold dead records (replaced, purged, expired) while the store serves. progress, which
// may be nil, is called from this goroutine. A compaction that ctx ends has done what it did; call again to go on.
func (s *Store) Compact(ctx context.Context, progress func(CompactProgress)) (CompactProgress, error) {
	if s.closed.Load() {
		return CompactProgress{}, ErrClosed
	}
	g := s.gen.Load()
	tell := func(c tier.Compaction) {
		if progress != nil {
			progress(compactProgress(c))
		}
	}
	c, err := g.disk.Compact(ctx, func(i tier.SegmentInfo) bool { return s.worthCompacting(g, i) }, s.judge(g), tell)
	p := compactProgress(c)
	p.Done = err == nil
	if progress != nil {
		progress(p)
	}
	return p, err
}

func compactProgress(c tier.Compaction) CompactProgress {
	return CompactProgress{Segments: c.Segments, SegmentsDone: c.SegmentsDone, BytesTotal: c.BytesTotal, BytesRead: c.BytesRead,
		EntriesMoved: c.RecordsMoved, BytesReclaimed: c.BytesReclaimed}
}

// worthCompacting adds what is known to be dead to an upper bound of what was purged.
func (s *Store) worthCompacting(g *generation, i tier.SegmentInfo) bool {
	if i.Records == 0 {
		return false
	}
	dead := i.Records - i.Live
	g.purges.since(i.MinStamp, func(t Target) {
		if label, ok := t.label(); ok {
			dead += i.AtMost(label)
		} else if t.kind != kindKey {
			dead += i.Live
		} else {
			dead++
		}
	})
	return float64(dead) >= compactWorth*float64(i.Records)
}

// judge keeps what a Get would still answer.
func (s *Store) judge(g *generation) tier.Judge {
	return func(b []byte, f tier.Found) ([]uint64, bool) {
		p, ok := parseBlob(b)
		if !ok || g.purges.judge(f.Stamp, p.key, p.path, p.eachTag).hard {
			return nil, false
		}
		var tags []string
		p.eachTag(func(t []byte) bool { tags = append(tags, string(t)); return true })
		return labelsOf(string(p.path), tags), true
	}
}
