package tier

import (
	"cmp"
	"errors"
	"slices"
)

// takeSlot hands out a slot number. Numbers of dead segments come back only after the index holds none of them any more.
func (d *Disk) takeSlot() (uint16, error) {
	for range 2 {
		d.slotMu.Lock()
		if n := len(d.freeSlots); n > 0 {
			slot := d.freeSlots[n-1]
			d.freeSlots = d.freeSlots[:n-1]
			d.slotMu.Unlock()
			return slot, nil
		}
		d.slotMu.Unlock()
		d.sweep()
	}
	return 0, errors.New("too many segments")
}

func (d *Disk) freeSlot(slot uint16) {
	d.slotMu.Lock()
	d.freeSlots = append(d.freeSlots, slot)
	d.slotMu.Unlock()
}

func (d *Disk) sweep() {
	d.slotMu.Lock()
	dead := d.deadSlots
	d.deadSlots = nil
	d.slotMu.Unlock()
	if len(dead) == 0 {
		return
	}
	d.index.Sweep()
	d.slotMu.Lock()
	d.freeSlots = append(d.freeSlots, dead...)
	d.slotMu.Unlock()
}

func (d *Disk) addSegment(s *segment) {
	d.slotMu.Lock()
	d.highSlot = max(d.highSlot, s.slot+1)
	d.slotMu.Unlock()
	d.segs[s.slot].Store(s)
}

// rotate seals active segments that are full or old.
func (d *Disk) rotate() {
	for c, s := range d.active {
		if s == nil || s.fileBytes.Load() < d.segmentSize && d.uptime()-s.born < sealAge(c) && s.sealer.Seals() < sealLimit {
			continue
		}
		d.seal(s)
		d.active[c] = nil
	}
}

// sealLimit leaves room for a round's records, its index and the footer below crypto's limit per key.
const sealLimit = 1<<24 - 1<<20

func (d *Disk) sealAll() {
	for c, s := range d.active {
		if s != nil {
			d.seal(s)
			d.active[c] = nil
		}
	}
}

// retire stops writing to the active segment of class c after a failure. What was committed before is still read; it goes first.
func (d *Disk) retire(c int) {
	s := d.active[c]
	d.active[c] = nil
	s.dbMu.Lock()
	_ = guard(s.db.Close) // nothing more can be done about this file
	s.db = nil
	s.dbMu.Unlock()
	s.setState(stateDamaged)
	d.measure(s)
}

// keepHouse drops what has expired, keeps within capacity, and closes idle files.
func (d *Disk) keepHouse() {
	now := d.o.Now()
	d.rotate()
	for _, s := range d.segments() {
		if s.maxExpiry.Load() <= now && !s.is(stateActive) {
			d.unlink(s)
		}
	}
	d.makeRoom(0)
	d.closeIdle()
	d.slotMu.Lock()
	many := len(d.deadSlots) > 64
	d.slotMu.Unlock()
	if many {
		d.sweep()
	}
}

func (d *Disk) usage() int64 {
	n := d.diskBytes.Load() + d.quarantinedFiles.Load()
	if d.o.Reserved != nil {
		n += d.o.Reserved()
	}
	return n
}

// makeRoom evicts until n more bytes fit.
func (d *Disk) makeRoom(n int64) {
	for d.usage()+n > d.o.Capacity || d.o.IndexBytes > 0 && d.indexLive() > d.o.IndexBytes {
		if !d.evictOne() {
			return
		}
	}
}

// indexLive is what the index would take without dead entries.
func (d *Disk) indexLive() int64 {
	var n int64
	for _, s := range d.segments() {
		n += s.live.Load()
	}
	return n * indexSlotSize * 5 / 4
}

// evictOne gives up the segment that is worth least: files set aside, then damaged ones, then the least live time left, then
// the oldest. That order is what supersede.go relies on.
func (d *Disk) evictOne() bool {
	if d.o.Reclaim != nil && d.o.Reclaim() || d.removeAside() {
		return true
	}
	victim := d.victim()
	if victim == nil {
		return false
	}
	if victim.is(stateActive) {
		d.seal(victim)
		d.active[victim.class] = nil
	}
	if victim.is(stateDamaged) && !d.leaveTombstones(victim) {
		return false
	}
	d.evicted.Add(victim.live.Load())
	d.unlink(victim)
	return true
}

// victim is the segment that goes next.
func (d *Disk) victim() *segment {
	var victim *segment
	for _, s := range d.segments() {
		if victim == nil || evictsBefore(s, victim) {
			victim = s
		}
	}
	return victim
}

func evictsBefore(a, b *segment) bool {
	if x, y := a.is(stateDamaged), b.is(stateDamaged); x != y {
		return x
	}
	return cmp.Or(cmp.Compare(a.maxExpiry.Load(), b.maxExpiry.Load()), cmp.Compare(a.id, b.id)) < 0
}

// unlink removes a segment: from the index at once, from the disk now, its descriptor when the last read has ended.
func (d *Disk) unlink(s *segment) {
	s.metaMu.Lock() // the loader inserts a batch under it: none after this
	s.setState(stateDead)
	s.metaMu.Unlock()
	d.segs[s.slot].Store(nil)
	_ = s.closeFile(true)
	if err := d.o.FS.Remove(s.path); err != nil {
		d.o.Report("unlink failed", s.path, err) // the next start finds the file again; nothing in it is newer than its age
	}
	d.diskBytes.Add(-s.fileBytes.Swap(0))
	d.slotMu.Lock()
	d.deadSlots = append(d.deadSlots, s.slot)
	d.slotMu.Unlock()
}

// leaveTombstones writes tombstones for the records of s that the index points to, and carries over its own: s is about to
// go before its turn. It reports whether they are on the disk. The caller is the writer.
func (d *Disk) leaveTombstones(s *segment) bool {
	var latest int64
	for _, o := range d.segments() {
		if o != s {
			latest = max(latest, o.maxExpiry.Load())
		}
	}
	now := d.o.Now()
	if latest <= now {
		return true
	}
	var first [classes][]tombstone
	for _, ref := range slices.Clone(s.batches) {
		x, err := s.readIndex(ref)
		if err != nil {
			continue // unreadable: what it listed cannot be known
		}
		c := classOf(latest - now)
		for i := range x.entries {
			e := &x.entries[i]
			if e.expires > now {
				first[c] = append(first[c], tombstone{e.hash, e.seq + 1, latest})
			}
		}
		for _, t := range x.tombs {
			if t.expires > now {
				first[c] = append(first[c], tombstone{t.hash, t.seq, t.expires})
			}
		}
	}
	for c := range first {
		if len(first[c]) == 0 {
			continue
		}
		if d.active[c] == nil {
			a, err := d.createSegment(c)
			if err != nil {
				return true // no room even for this: rather lose the promise for a damaged segment than hang
			}
			d.active[c] = a
		}
		if d.commit(c, work{tombs: first[c]}, now) != nil {
			return true
		}
	}
	return true
}

// closeIdle closes descriptors that no read has used since the last time, when there are too many.
func (d *Disk) closeIdle() {
	var open []*segment
	for _, s := range d.segments() {
		if s.isOpen() {
			open = append(open, s)
		}
	}
	excess := len(open) - d.o.OpenFiles
	for _, s := range open {
		if excess <= 0 {
			return
		}
		if !s.touched.Swap(false) {
			_ = s.closeFile(false) // opened for reading: nothing is lost
			excess--
		}
	}
}
