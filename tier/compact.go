package tier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// SegmentInfo is what a compaction judges a segment by.
type SegmentInfo struct {
	Records   int64 // ever written to it
	DataBytes int64 // their size
	Live      int64 // records the index still points to
	LiveBytes int64
	MinStamp  uint64 // the lowest stamp in it
	MaxExpiry int64  // ms
	// AtMost is an upper bound of the records that carry a label.
	AtMost func(label uint64) int64
}

func (s *segment) info() SegmentInfo {
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	labels := s.totals.labels
	if s.is(stateActive) {
		labels = s.totals.labels.clone() // the writer adds to the map
	}
	return SegmentInfo{Records: s.totals.records, DataBytes: s.totals.dataBytes, Live: s.live.Load(), LiveBytes: s.liveBytes.Load(),
		MinStamp: s.totals.minStamp, MaxExpiry: s.maxExpiry.Load(), AtMost: labels.atMost}
}

// Segments calls fn for each live segment.
func (d *Disk) Segments(fn func(SegmentInfo)) {
	for _, s := range d.segments() {
		fn(s.info())
	}
}

// Waiting counts the records that carry a label and are not in a segment yet.
func (d *Disk) Waiting(label uint64) int64 {
	var n int64
	for i := range d.pending {
		sh := &d.pending[i]
		sh.mu.RLock()
		for _, p := range sh.m {
			if slices.Contains(p.Labels, label) {
				n++
			}
		}
		sh.mu.RUnlock()
	}
	return n
}

// Compaction is how far a Compact has come.
type Compaction struct {
	Segments, SegmentsDone int
	BytesTotal, BytesRead  int64
	RecordsMoved           int64
	BytesReclaimed         int64 // disk space before less disk space now, as du counts
}

// Judge says whether a record is still wanted, and which labels it carries.
type Judge func(blob []byte, f Found) (labels []uint64, keep bool)

// Compact rewrites the live records of the segments that want approves and unlinks those segments, while the tier serves.
// It can be stopped at any time through ctx: what is done is done, and the rest is left for another call.
func (d *Disk) Compact(ctx context.Context, want func(SegmentInfo) bool, judge Judge, progress func(Compaction)) (Compaction, error) {
	d.compactMu.Lock()
	defer d.compactMu.Unlock()
	var c Compaction
	select {
	case <-d.loaded: // before that, nobody knows what is live
	case <-ctx.Done():
		return c, ctx.Err()
	}
	if err := d.flush(); err != nil {
		return c, err
	}
	victims := d.victims(want)
	for _, s := range victims {
		c.BytesTotal += s.fileBytes.Load()
	}
	c.Segments = len(victims)
	before := d.diskBytes.Load()
	for _, s := range victims {
		if progress != nil {
			progress(c)
		}
		if err := d.compactSegment(ctx, s, judge, &c, progress); err != nil {
			d.forgetMoving()
			return c, err
		}
		c.SegmentsDone++
		c.BytesReclaimed = before - d.diskBytes.Load()
	}
	if progress != nil {
		progress(c)
	}
	return c, nil
}

// victims seals the active segments that are wanted and lists all that are, oldest first.
func (d *Disk) victims(want func(SegmentInfo) bool) []*segment {
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	var out []*segment
	for _, s := range d.segments() {
		if !want(s.info()) {
			continue
		}
		if s.is(stateActive) {
			d.seal(s)
			d.active[s.stream] = nil
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *segment) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (d *Disk) compactSegment(ctx context.Context, s *segment, judge Judge, c *Compaction, progress func(Compaction)) error {
	d.leaveCopies(s)
	before := c.RecordsMoved
	moved := new(atomic.Int64)
	for _, ref := range s.batches {
		if err := ctx.Err(); err != nil {
			_ = d.flush() // what has set out arrives, and is counted
			c.RecordsMoved = before + moved.Load()
			return err
		}
		if s.is(stateDead) {
			return nil // evicted meanwhile
		}
		if err := d.compactBatch(s, ref, judge, moved); err != nil {
			return err
		}
		c.BytesRead += ref.size
		c.RecordsMoved = before + moved.Load()
		if progress != nil {
			progress(*c)
		}
	}
	// Tombstones and moved records are on the disk before the segment goes.
	if err := d.flush(); err != nil {
		return err
	}
	c.RecordsMoved = before + moved.Load()
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	if s.is(stateDead) {
		return nil
	}
	if n := s.live.Load(); n > 0 {
		return fmt.Errorf("%d records could not be moved out of %s: it stays", n, s.path)
	}
	d.unlink(s)
	return nil
}

// compactBatch sets the live records of one batch moving, and carries its tombstones over.
func (d *Disk) compactBatch(s *segment, ref batchRef, judge Judge, moved *atomic.Int64) error {
	x, err := s.readIndex(ref)
	switch {
	case s.is(stateDead):
		return nil // unlinked meanwhile
	case errors.Is(err, ErrDamaged):
		d.damage(s, err)
		return nil // what it lists cannot be known; if the index points into it all the same, the segment stays
	case err != nil:
		return err
	}
	all := func(*indexEntry, loc) bool { return true }
	if err := d.moveListed(s, ref, x, all, judge, moved); err != nil || s.is(stateDead) {
		return err
	}
	now := d.o.Now()
	for _, t := range x.tombs {
		if t.expires > now {
			d.owe(&shadowed{hash: t.hash, seq: t.seq, expires: t.expires})
		}
	}
	return nil
}
