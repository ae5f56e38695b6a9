package tier

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"syscall"
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

// retire stops writing to the active segment of stream c after a failure. What was committed before is still read; it goes first.
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

// reviewStrays forgets those that are gone. The caller holds writerMu, so none is about to be unlinked.
func (d *Disk) reviewStrays() {
	d.strays.review()
	d.copied.review()
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
	d.removeLeft()
	d.makeRoom(0)
	d.closeIdle(nil, d.files.n.Load()-d.files.most, false)
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
	for !d.fits(n) || d.indexFull(0) {
		if !d.evictOne() {
			return
		}
	}
}

// fits tells whether there is room for n more bytes.
func (d *Disk) fits(n int64) bool { return d.usage()+n <= d.o.Capacity }

// indexFull tells whether the index would take more than its limit, less so many 64ths of that.
func (d *Disk) indexFull(less int64) bool {
	limit := d.indexLimit.Load()
	return limit > 0 && d.indexLive() > limit-limit*less/64
}

// indexLive is what the index would take without dead entries.
func (d *Disk) indexLive() int64 {
	var n int64
	for _, s := range d.segments() {
		n += s.live.Load()
	}
	return n * indexPerEntry
}

// indexPerEntry is about what the index takes for an entry: shards are never quite full.
const indexPerEntry = indexSlotSize * 5 / 4

// IndexBytes is what the index takes now, and the ghosts beside it.
func (d *Disk) IndexBytes() int64 { return d.index.Bytes() + d.ghostBytes() }

// IndexNeed is what the index, and the ghosts beside it, will take when the capacity is used by entries like those that are there, with an eighth to spare. It is known
// once these use a quarter of the capacity.
func (d *Disk) IndexNeed() (bytes int64, known bool) {
	var live, size int64
	for _, s := range d.segments() {
		live += s.live.Load()
		size += s.liveBytes.Load()
	}
	if live <= 0 || size < d.o.Capacity/4 {
		return 0, false
	}
	return int64(float64(d.o.Capacity)/float64(size)*float64(live*indexPerEntry)*9/8) + d.ghostBytes(), true
}

// LimitIndex sets another IndexBytes, of which the ghosts take their part.
func (d *Disk) LimitIndex(bytes int64) {
	if bytes > 0 {
		bytes = max(1, bytes-d.ghostBytes())
	}
	d.indexLimit.Store(bytes)
}

// evictOne gives up the segment that is worth least: files set aside, then damaged ones, then what is too much in the entrance, then the least
// live time left, then the oldest. That order is what supersede.go relies on.
func (d *Disk) evictOne() bool {
	if d.giveUpAside() {
		return true
	}
	if !d.removeLeft() {
		return false
	}
	// A damaged one goes before its turn if its tombstones can be written. What goes in its turn needs none.
	victim, turn := d.damagedOne(), d.turn()
	if victim == nil || victim != turn && !d.leaveTombstones(victim) {
		victim = turn
	}
	if victim == nil {
		return false
	}
	if victim.is(stateActive) {
		d.seal(victim)
		d.active[victim.stream] = nil
	}
	d.evicted.Add(victim.live.Load())
	d.unlink(victim)
	return true
}

// giveUpAside gives up some of what was set aside, which goes first; false: there is nothing.
func (d *Disk) giveUpAside() bool { return d.o.Reclaim != nil && d.o.Reclaim() || d.removeAside() }

// Evict gives up what is worth least; false: there is nothing. For a caller that needs room on a full disk.
func (d *Disk) Evict() bool {
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	return d.evictOne()
}

// noSpace tells a full disk. bbolt does not wrap all its errors, hence the text.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

// turn is the segment that goes next.
func (d *Disk) turn() *segment {
	if s := d.crowdedEntrance(); s != nil {
		return s
	}
	first := d.firstOf(func(*segment) bool { return true })
	if first == nil || !inEntrance(first.stream) {
		return first
	}
	// One entry that lives for days makes a segment of the main part last as long, and the entrance, which has its share or less, would go instead.
	// What the main part's first one holds supersedes nothing that was committed after all of it, so it may go before that.
	m := d.firstOf(func(s *segment) bool { return !inEntrance(s.stream) })
	if m == nil || !m.is(stateSealed) {
		return first
	}
	_, last := m.span()
	if d.firstOf(func(s *segment) bool {
		from, _ := s.span()
		return inEntrance(s.stream) && (from <= last || s.is(stateDamaged)) && expiresBefore(s, m)
	}) != nil {
		return first
	}
	return m
}

// span is the numbers of the first batch and the last one.
func (s *segment) span() (first, last uint64) {
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	if len(s.batches) == 0 {
		return math.MaxUint64, 0
	}
	return s.batches[0].number, s.batches[len(s.batches)-1].number
}

// damagedOne is the damaged segment that goes next; nil: there is none.
func (d *Disk) damagedOne() *segment {
	return d.firstOf(func(s *segment) bool { return s.is(stateDamaged) })
}

// firstOf is the first in order of those that want approves.
func (d *Disk) firstOf(want func(*segment) bool) (first *segment) {
	for _, s := range d.segments() {
		if want(s) && (first == nil || expiresBefore(s, first)) {
			first = s
		}
	}
	return first
}

func expiresBefore(a, b *segment) bool {
	return cmp.Or(cmp.Compare(a.maxExpiry.Load(), b.maxExpiry.Load()), cmp.Compare(a.id, b.id)) < 0
}

// unlink removes a segment: from the index at once, from the disk now, its descriptor when the last read has ended.
func (d *Disk) unlink(s *segment) {
	s.metaMu.Lock() // the loader inserts a batch under it: none after this
	s.setState(stateDead)
	s.metaMu.Unlock()
	_ = s.closeFile(true)
	if err := d.remove(s); err != nil {
		d.o.Report("unlink failed", s.path, err)
		s.left.Store(true) // it counts as capacity, and housekeeping tries again
		d.strays.add(s)
	}
	d.reviewStrays()
	d.segs[s.slot].Store(nil)
	d.slotMu.Lock()
	d.deadSlots = append(d.deadSlots, s.slot)
	d.slotMu.Unlock()
}

// remove removes the file of s, so that it is gone after a loss of power as well: what is put from now on does not supersede what is in it.
func (d *Disk) remove(s *segment) error {
	if err := d.o.FS.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.maxExpiry.Load() > d.o.Now() { // else it does not matter
		if err := d.o.FS.SyncDir(d.dir); err != nil {
			return err
		}
	}
	d.diskBytes.Add(-s.fileBytes.Swap(0))
	return nil
}

// removeLeft tries again to remove what could not be removed, and reports whether all is gone now. Until then nothing that comes
// after it may be evicted: what is there keeps its older versions dead.
func (d *Disk) removeLeft() bool {
	gone := true
	for _, s := range d.strays.all() {
		if !s.left.Load() {
			continue
		}
		if d.remove(s) != nil {
			gone = false
			continue
		}
		s.left.Store(false)
	}
	d.reviewStrays()
	return gone
}

// leaveTombstones writes tombstones for the records of s, whether or not the index points to them, and carries over its own: s is about to
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
	latest++ // as in graves
	var first [streams][]tombstone
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
		if _, err := d.commit(c, work{tombs: first[c]}, now); err != nil {
			return false
		}
	}
	return true
}
