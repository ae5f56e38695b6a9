package tier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
			d.active[s.class] = nil
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *segment) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (d *Disk) compactSegment(ctx context.Context, s *segment, judge Judge, c *Compaction, progress func(Compaction)) error {
	d.leaveCopies(s)
	for _, ref := range s.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.is(stateDead) {
			return nil // evicted meanwhile
		}
		if err := d.compactBatch(s, ref, judge, c); err != nil {
			return err
		}
		c.BytesRead += ref.size
		if progress != nil {
			progress(*c)
		}
	}
	// Tombstones and moved records are on the disk before the segment goes.
	if err := d.flush(); err != nil {
		return err
	}
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

// leaveCopies says that records will be moved out of s: until it is unlinked, if it ever is, it holds copies of them that the
// index does not point to.
func (d *Disk) leaveCopies(s *segment) {
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	if !s.is(stateDead) {
		d.addStray(s)
	}
}

// compactBatch moves the live records of one batch, carries its tombstones over, and waits until all have landed.
func (d *Disk) compactBatch(s *segment, ref batchRef, judge Judge, c *Compaction) error {
	all := func(*indexEntry, loc) bool { return true }
	if err := d.moveBatch(s, ref, all, judge, c); err != nil {
		return err
	}
	x, err := s.readIndex(ref)
	if s.is(stateDead) || errors.Is(err, ErrDamaged) {
		return nil // counted by moveBatch
	}
	if err != nil {
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

// moveBatch moves the live ones among the records of a batch that choose picks, and waits until they have landed.
func (d *Disk) moveBatch(s *segment, ref batchRef, choose func(*indexEntry, loc) bool, judge Judge, c *Compaction) error {
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
	now := d.o.Now()
	var data []byte // the batch's records, read when the first is chosen
	var moving []*pendingRecord
	off := ref.off
	for i := range x.entries {
		e := &x.entries[i]
		at := loc{s.slot, uint32(off), shortSize(e.size)}
		from := off - ref.off
		off += int64(e.size)
		if !choose(e, at) {
			continue
		}
		if data == nil {
			data = make([]byte, ref.indexOff-ref.off)
			n, err := s.readAt(data, ref.off)
			if s.is(stateDead) {
				return nil
			}
			if err != nil {
				return err // what is here is not known to be dead: the segment stays
			}
			data = data[:n]
		}
		p, grave := d.judgeRecord(s, e, at, data[min(from, int64(len(data))):], judge, now)
		if grave {
			d.owe(&shadowed{hash: e.hash, seq: e.seq + 1, expires: e.expires})
		}
		if p == nil {
			continue
		}
		if !d.reserveWait(p.room()) {
			return ErrClosed
		}
		d.enqueue(p)
		moving = append(moving, p)
	}
	if len(moving) == 0 {
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	for _, p := range moving {
		if <-p.landed {
			c.RecordsMoved++
		}
	}
	return nil
}

// judgeRecord returns the record to move, if it is alive. grave: it is dead in a way that only this copy shows (purged or
// damaged, with nothing newer), so a tombstone has to keep older versions out once this copy is gone.
func (d *Disk) judgeRecord(s *segment, e *indexEntry, at loc, b []byte, judge Judge, now int64) (p *pendingRecord, grave bool) {
	cur, known := d.index.Lookup(&e.hash, false)
	if e.expires <= now {
		if known && cur == at && d.index.RemoveAt(&e.hash, at) {
			d.account(at, -1)
		}
		return nil, false
	}
	if !known || cur != at {
		// In a damaged segment, it may have been the damage that removed it from the index.
		return nil, !known || s.is(stateDamaged)
	}
	head, err := parseRecordHeader(b)
	if err == nil && head.hash == e.hash {
		var packed []byte
		if packed, err = openRecord(nil, s.sealer, &head, b); err == nil {
			var blob []byte
			if blob, err = d.o.Codec.Decode(nil, packed, head.codec, min(head.blobSize, d.o.MaxBlob)); err == nil {
				f := Found{Seq: head.seq, Stamp: head.stamp, Expires: head.expires, Plain: head.plain, at: at}
				var labels []uint64
				keep := true
				if judge != nil {
					labels, keep = judge(blob, f)
				}
				if keep {
					return newPending(&pendingRecord{
						Record: Record{Hash: e.hash, Seq: head.seq, Stamp: head.stamp, Expires: head.expires, Plain: head.plain, Labels: labels},
						from:   &at, packed: packed, codec: head.codec, raw: head.blobSize, landed: make(chan bool, 1),
					}), false
				}
			}
		}
	}
	if err != nil {
		d.damage(s, err)
	}
	if d.index.RemoveAt(&e.hash, at) {
		d.account(at, -1)
	}
	return nil, true
}
