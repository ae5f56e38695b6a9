package tier

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// index says where the newest version of a hash lies. An entry is 12 bytes without pointers, so that the collector never
// looks at it: 32 bits of the hash besides those that chose the shard, segment, offset, and size in short form. 42 bits of
// a hash decide; what is read is always compared with the whole hash, so a false match costs one read and is never a wrong
// answer. Two hashes that agree in those 42 bits share one entry: the older one becomes a miss.
//
// Shards grow one at a time and by a twentieth, so no caller waits long and little stands empty.
type index struct {
	shards [indexShards]indexShard
	// alive tells whether a segment slot still has a file; entries of dead segments are room to be reused.
	alive func(slot uint16) bool
}

const (
	indexShards   = 1024
	indexSlotSize = 12
	// slotNone marks an empty entry, slotTomb one that only remembers a sequence number while the index is loading.
	slotNone  = 0
	slotTomb  = 1
	slotFirst = 2 // the first that stands for a segment
)

type indexSlot struct {
	fp  uint32 // any value: place tells whether the slot is used
	off uint32
	// place is the segment's slot number (16 bits), whether the entry was asked for (1 bit) and shortSize (15 bits). The middle
	// one is set by readers, who hold the shard's lock for reading: they use it atomically.
	place uint32
}

const hitBit = 1 << 15

func (e *indexSlot) seg() uint16 { return uint16(e.place >> 16) }
func (e *indexSlot) loc() loc    { return loc{e.seg(), e.off, uint16(e.place) &^ hitBit} }

func slotAt(fp uint32, l loc) indexSlot {
	return indexSlot{fp: fp, off: l.off, place: uint32(l.seg)<<16 | uint32(l.size)}
}

type indexShard struct {
	mu    sync.RWMutex
	slots []indexSlot
	used  int
	// seqs runs beside slots while a start is loading: the highest sequence wins, in whatever order segments are read.
	seqs []uint64
}

// loc is where a record lies.
type loc struct {
	seg  uint16
	off  uint32
	size uint16 // shortSize: an upper bound, at most 0.2 % above
}

func newIndex(alive func(uint16) bool) *index { return &index{alive: alive} }

// shortSize keeps 10 bits of a size, rounded up, in 15.
func shortSize(n int) uint16 {
	e := max(0, bits.Len(uint(n))-10)
	m := (n + 1<<e - 1) >> e
	if m == 1<<10 {
		m, e = m>>1, e+1
	}
	return uint16(e<<10 | m)
}

func longSize(s uint16) int { return int(s&(1<<10-1)) << (s >> 10) }

func shardAndPrint(h *Hash) (shard uint16, fp uint32) {
	v := binary.LittleEndian.Uint64(h[:])
	return uint16(v >> 54), uint32(v)
}

func (x *index) shard(h *Hash) (*indexShard, uint32) {
	n, fp := shardAndPrint(h)
	return &x.shards[n], fp
}

// home is where a fingerprint would like to be among n slots.
func home(fp uint32, n int) int { return int(uint64(fp) * uint64(n) >> 32) }

// find returns the slot of fp, or the empty one where it would go; -1 if there are no slots.
func (s *indexShard) find(fp uint32) (i int, found bool) {
	n := len(s.slots)
	if n == 0 {
		return -1, false
	}
	for i = home(fp, n); ; {
		switch {
		case atomic.LoadUint32(&s.slots[i].place)>>16 == slotNone:
			return i, false
		case s.slots[i].fp == fp:
			return i, true
		}
		if i++; i == n {
			i = 0
		}
	}
}

// Lookup returns where h lies.
func (x *index) Lookup(h *Hash) (loc, bool) {
	l, _, ok := x.lookup(h, false)
	return l, ok
}

// Ask is Lookup for who wants the entry, which an eviction takes into account; again tells that somebody did before.
func (x *index) Ask(h *Hash) (l loc, again, ok bool) { return x.lookup(h, true) }

func (x *index) lookup(h *Hash, asked bool) (l loc, again, ok bool) {
	s, fp := x.shard(h)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.find(fp)
	if !found {
		return loc{}, false, false
	}
	e := &s.slots[i]
	place := atomic.LoadUint32(&e.place)
	if place>>16 < slotFirst {
		return loc{}, false, false
	}
	again = place&hitBit != 0
	if asked && !again {
		atomic.OrUint32(&e.place, hitBit)
	}
	return loc{uint16(place >> 16), e.off, uint16(place) &^ hitBit}, again, true
}

// At tells whether h lies at l.
func (x *index) At(h *Hash, l loc) bool {
	at, found := x.Lookup(h)
	return found && at == l
}

// Asked tells whether h lies at l and was asked for since it came there.
func (x *index) Asked(h *Hash, l loc) bool {
	s, fp := x.shard(h)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.find(fp)
	return found && s.slots[i].off == l.off && atomic.LoadUint32(&s.slots[i].place) == uint32(l.seg)<<16|hitBit|uint32(l.size)
}

// Insert puts h at l if seq is the highest yet, and returns what it replaced.
func (x *index) Insert(h *Hash, l loc, seq uint64) (old loc, replaced, inserted bool) {
	was, _, inserted := x.Load(h, l, seq)
	if !inserted || was.seg < slotFirst {
		return loc{}, false, inserted
	}
	return was, true, true
}

// Load is Insert for who wants to know what was there, also if it stays.
func (x *index) Load(h *Hash, l loc, seq uint64) (was loc, wasSeq uint64, inserted bool) {
	s, fp := x.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.loadLocked(s, fp, l, seq)
}

func (x *index) loadLocked(s *indexShard, fp uint32, l loc, seq uint64) (was loc, wasSeq uint64, inserted bool) {
	i, found := s.find(fp)
	if !found {
		if i < 0 || (s.used+1)*indexFull > len(s.slots)*(indexFull-1) {
			x.grow(s)
			i, _ = s.find(fp)
		}
		s.used++
	} else {
		was = s.slots[i].loc()
		if s.seqs != nil {
			// A tombstone at seq speaks of seq too, so it wins over a record of the same.
			if wasSeq = s.seqs[i]; wasSeq > seq || wasSeq == seq && l.seg != slotTomb {
				return was, wasSeq, false
			}
		}
	}
	s.slots[i] = slotAt(fp, l)
	if s.seqs != nil {
		s.seqs[i] = seq
	}
	return was, wasSeq, true
}

// Loaded is what was loaded for h, while a start is loading.
func (x *index) Loaded(h *Hash) (at loc, seq uint64) {
	s, fp := x.shard(h)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.find(fp)
	if !found || s.seqs == nil {
		return loc{}, 0
	}
	return s.slots[i].loc(), s.seqs[i]
}

// LoadAll is Load for all of a batch's items, shard by shard: a lock per shard instead of one per item, so that the processor
// need not wait for one place in memory before it asks for the next. What was not simply inserted is in b.unusual.
func (x *index) LoadAll(b *loadedBatch) {
	var ends [indexShards]int32
	for i := range b.items {
		ends[b.items[i].shard]++
	}
	var sum int32
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	b.byShard = slices.Grow(b.byShard[:0], len(b.items))[:len(b.items)]
	for i := range b.items { // in order within a shard
		at := &ends[b.items[i].shard]
		b.byShard[*at] = b.items[i]
		*at++
	}
	b.unusual = b.unusual[:0]
	var from int32
	for i, to := range ends {
		if from == to {
			continue
		}
		s := &x.shards[i]
		items := b.byShard[from:to]
		s.mu.Lock()
		b.touched += s.touch(items)
		for j := range items {
			e := &items[j]
			was, wasSeq, inserted := x.loadLocked(s, e.fp, e.to, e.seq)
			if !inserted || was.seg != slotNone {
				b.unusual = append(b.unusual, loadResult{n: e.n, to: e.to, was: was, seq: e.seq, wasSeq: wasSeq, inserted: inserted})
			}
		}
		s.mu.Unlock()
		from = to
	}
}

// touch looks at the places of items without looking at what is there: the processor fetches them all at once, where inserting
// would wait for one after the other. What it returns only keeps the compiler from leaving that out.
func (s *indexShard) touch(items []loadItem) (sum uint32) {
	n := len(s.slots)
	if n == 0 || len(s.seqs) != n {
		return 0
	}
	for i := range items {
		h := home(items[i].fp, n)
		sum += s.slots[h].fp + uint32(s.seqs[h])
	}
	return sum
}

// Move puts h at to if it still lies at from.
func (x *index) Move(h *Hash, from, to loc) bool {
	s, fp := x.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.find(fp)
	if !found || s.slots[i].seg() != from.seg || s.slots[i].off != from.off {
		return false
	}
	s.slots[i] = slotAt(fp, to)
	return true
}

// Supersede removes h, whatever lies there below seq. While loading it remembers seq, so that older versions that are
// loaded later stay out.
func (x *index) Supersede(h *Hash, seq uint64) (old loc, removed bool) {
	s, fp := x.shard(h)
	s.mu.Lock()
	loading := s.seqs != nil
	if !loading {
		defer s.mu.Unlock()
		i, found := s.find(fp)
		if !found {
			return loc{}, false
		}
		old = s.slots[i].loc()
		s.delete(i)
		return old, old.seg >= slotFirst
	}
	s.mu.Unlock()
	old, removed, _ = x.Insert(h, loc{seg: slotTomb}, seq-1) // the version with seq itself may follow
	return old, removed
}

// RemoveAt removes h if it lies at l. While loading, its sequence stays: an older version that is loaded later stays out.
func (x *index) RemoveAt(h *Hash, l loc) bool {
	s, fp := x.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.find(fp)
	if !found || s.slots[i].seg() != l.seg || s.slots[i].off != l.off {
		return false
	}
	if s.seqs != nil {
		s.slots[i] = slotAt(fp, loc{seg: slotTomb})
		return true
	}
	s.delete(i)
	return true
}

// delete empties slot i and moves later entries of the run up, so that no lookup ends too early.
func (s *indexShard) delete(i int) {
	n := len(s.slots)
	s.used--
	for j := i; ; {
		s.slots[i] = indexSlot{}
		for {
			if j++; j == n {
				j = 0
			}
			if s.slots[j].seg() == slotNone {
				return
			}
			// The entry at j may move to i unless its home lies cyclically in (i, j].
			k := home(s.slots[j].fp, n)
			if i <= j && (k <= i || k > j) || i > j && k <= i && k > j {
				break
			}
		}
		s.slots[i] = s.slots[j]
		if s.seqs != nil {
			s.seqs[i] = s.seqs[j]
		}
		i = j
	}
}

// indexFull is how full a shard may be: one slot in so many stays empty. Fuller, a look for what is not there takes long.
const indexFull = 10

// roomFor is how many slots a shard of n entries gets: room to grow by a twentieth. Less, and it would grow all the time.
func roomFor(n int) int { return max(8, n*indexFull/(indexFull-1)*21/20+2) }

// grow makes room; entries of dead segments are left behind.
func (x *index) grow(s *indexShard) {
	live := 0
	for i := range s.slots {
		if x.keep(s.slots[i].seg()) {
			live++
		}
	}
	x.rebuild(s, max(len(s.slots), roomFor(live+1)))
}

func (x *index) keep(seg uint16) bool {
	return seg == slotTomb || seg >= slotFirst && x.alive(seg)
}

func (x *index) rebuild(s *indexShard, size int) {
	slots, seqs := s.slots, s.seqs
	// All of what the allocator gives: it rounds sizes up, and what is asked for and not used would be lost in every shard.
	s.slots = slices.Grow([]indexSlot(nil), size)
	s.slots, s.used = s.slots[:cap(s.slots)], 0
	size = len(s.slots)
	if seqs != nil {
		s.seqs = make([]uint64, size)
	}
	for i := range slots {
		if !x.keep(slots[i].seg()) {
			continue
		}
		j, _ := s.find(slots[i].fp)
		s.slots[j] = slots[i]
		if seqs != nil {
			s.seqs[j] = seqs[i]
		}
		s.used++
	}
}

// StartLoading makes the highest sequence win whatever the order of Inserts, and makes room for about n entries, so that
// nothing has to grow on the way. Call it before any Insert.
func (x *index) StartLoading(n int64) {
	size := roomFor(int(n / indexShards))
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		s.seqs = []uint64{}
		x.rebuild(s, size)
		s.mu.Unlock()
	}
}

// FinishLoading forgets sequences and tombstones.
func (x *index) FinishLoading() {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		s.seqs = nil
		for j := range s.slots {
			if s.slots[j].seg() == slotTomb {
				// Rebuilding once is simpler than deleting in the middle of runs, and it drops dead segments too.
				for k := range s.slots {
					if s.slots[k].seg() == slotTomb {
						s.slots[k].place = slotDying << 16
					}
				}
				x.rebuild(s, len(s.slots))
				break
			}
		}
		s.mu.Unlock()
	}
}

// slotDying is a slot number that never has a segment.
const slotDying = 1<<16 - 1

// Sweep removes the entries of dead segments, so that their slot numbers can be used again. It holds one shard at a time.
func (x *index) Sweep() {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		dead, live := 0, 0
		for j := range s.slots {
			if s.slots[j].seg() == slotNone {
				continue
			}
			if x.keep(s.slots[j].seg()) {
				live++
			} else {
				dead++
			}
		}
		if dead > 0 {
			x.rebuild(s, roomFor(live))
		}
		s.mu.Unlock()
	}
}

// Bytes is what the index takes.
func (x *index) Bytes() int64 {
	var n int64
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.RLock()
		n += int64(len(s.slots))*indexSlotSize + int64(len(s.seqs))*8
		s.mu.RUnlock()
	}
	return n
}
