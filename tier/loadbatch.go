package tier

import "fmt"

// loadedBatch is what a worker of a start keeps from one batch to the next, so that it need not be made again.
type loadedBatch struct {
	x       batchIndex
	items   []loadItem
	byShard []loadItem
	unusual []loadResult
	copies  []loadedCopy // of the whole start
	touched uint32       // of no meaning; see touch
}

// loadItem is a record or a tombstone on its way into the index.
type loadItem struct {
	fp    uint32
	shard uint16
	to    loc
	n     int32 // of the batch's records and, behind them, tombstones
	seq   uint64
}

// loadedCopy is a record that another copy of the same version keeps out.
type loadedCopy struct {
	hash Hash
	at   loc
	seq  uint64
}

// loadResult is what became of an item if its place was not simply empty.
type loadResult struct {
	n        int32
	to, was  loc
	seq      uint64
	wasSeq   uint64
	inserted bool
}

// loadBatch inserts what one batch lists, reading into b.
func (d *Disk) loadBatch(b *loadedBatch, s *segment, ref batchRef) {
	err := s.readIndexInto(&b.x, ref)
	if err != nil && !s.is(stateDead) {
		d.strays.add(s)
		d.damage(s, fmt.Errorf("batch %d: %w", ref.number, err))
	}
	if err == nil {
		d.insertBatch(b, s, ref)
	}
}

// insertBatch inserts what b has read.
func (d *Disk) insertBatch(b *loadedBatch, s *segment, ref batchRef) {
	x := &b.x
	s.metaMu.Lock() // unlink takes it: nothing is inserted for a segment that is gone
	defer s.metaMu.Unlock()
	if s.is(stateDead) {
		return
	}
	now := d.o.Now()
	off := ref.off
	var live, liveBytes int64
	another := false
	b.items = b.items[:0]
	for i := range x.entries {
		e := &x.entries[i]
		to := loc{s.slot, uint32(off), shortSize(e.size)}
		off += int64(e.size)
		if e.expires <= now {
			to = loc{seg: slotTomb} // an expired version still keeps older ones out
		} else {
			live++
			liveBytes += int64(longSize(to.size))
		}
		b.add(&e.hash, to, e.seq)
	}
	for i := range x.tombs {
		// A tombstone speaks of what is below its sequence; the record with that very sequence may stand.
		b.add(&x.tombs[i].hash, loc{seg: slotTomb, off: uint32(s.slot)}, x.tombs[i].seq-1)
	}
	d.index.LoadAll(b)
	for i := range b.unusual {
		r := &b.unusual[i]
		if !r.inserted && r.to.seg >= slotFirst {
			live--
			liveBytes -= int64(longSize(r.to.size))
		}
		if !d.settle(b.hash(r.n), r) {
			continue
		}
		if !another { // moving was cut short
			d.leaveCopies(s)
			another = true
		}
		s.leaveCopy(b.hash(r.n))
		b.copies = append(b.copies, loadedCopy{*b.hash(r.n), r.to, r.seq})
	}
	s.live.Add(live)
	s.liveBytes.Add(liveBytes)
}

// settleCopies looks again at the copies that were kept out by others. All is loaded, and the index still knows sequences: a tombstone that
// came after both may be about the other one alone.
func (d *Disk) settleCopies(b *loadedBatch) {
	for i := range b.copies {
		c := &b.copies[i]
		r := loadResult{to: c.at, seq: c.seq}
		r.was, r.wasSeq = d.index.Loaded(&c.hash)
		d.settle(&c.hash, &r)
	}
}

func (b *loadedBatch) add(h *Hash, to loc, seq uint64) {
	shard, fp := shardAndPrint(h)
	b.items = append(b.items, loadItem{fp: fp, shard: shard, to: to, n: int32(len(b.items)), seq: seq})
}

func (b *loadedBatch) hash(n int32) *Hash {
	if int(n) < len(b.x.entries) {
		return &b.x.entries[n].hash
	}
	return &b.x.tombs[int(n)-len(b.x.entries)].hash
}

// settle does what an unusual insertion asks for. another: it was kept out by another copy of the same version.
func (d *Disk) settle(h *Hash, r *loadResult) (another bool) {
	switch {
	case r.inserted && r.was.seg >= slotFirst:
		d.account(r.was, -1)
		if r.to.seg == slotTomb {
			d.keepOut(h, r.was.seg, r.to.off, r.seq+1)
		}
	case !r.inserted && r.was.seg == slotTomb && r.was.off < slotFirst && r.wasSeq == r.seq && r.to.seg >= slotFirst:
		// Another copy of it was dropped, or could not be read, before this one was known.
		if s := d.segs[r.to.seg].Load(); s != nil {
			d.owe(&shadowed{hash: *h, seq: r.seq + 1, shadows: []shadow{{s}}})
		}
	case !r.inserted && r.was.seg == slotTomb && r.to.seg >= slotFirst:
		d.keepOut(h, r.to.seg, r.was.off, r.wasSeq+1)
	case !r.inserted && r.was.seg >= slotFirst && r.wasSeq == r.seq:
		return true
	}
	return false
}

// keepOut sees to a record in segment slot that a tombstone at seq in segment by keeps out of the index. If by goes first, the
// process ended between the several tombstones of that version, and the one for this record is missing. by is 0 for a newer
// version that has expired: its tombstones were written before it.
func (d *Disk) keepOut(h *Hash, slot uint16, by uint32, seq uint64) {
	s := d.segs[slot].Load()
	if s == nil || by < slotFirst {
		return
	}
	if b := d.segs[by].Load(); b == nil || expiresBefore(b, s) {
		d.owe(&shadowed{hash: *h, seq: seq, shadows: []shadow{{s}}})
	}
}
