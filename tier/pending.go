package tier

import (
	"sync"
	"sync/atomic"
	"time"
)

// pendingShards divides what waits to be written, so that readers of different keys do not meet.
const pendingShards = 64

// pendingRecord is a record on its way to the disk. It is answered from here until the index points at its place in a
// segment, so a Put is visible at once.
type pendingRecord struct {
	Record
	shadows []shadow       // guarded by its shard's lock: older versions on disk
	gone    bool           // guarded by its shard's lock: replaced or dropped while it waited
	next    *pendingRecord // guarded by its shard's lock: what replaced it while it waited
	claimed []shadow       // the writer's: shadows when it took the record
	// from is set for a record that moves from one segment to another (compaction): it is written only if the index still
	// points there, and it never answers from here.
	from     *loc
	entrance bool // it was put for the first time
	// Set by encode, and from the beginning for one that moves: its payload, how that is encoded, and its size before.
	packed   []byte
	codec    uint8
	raw      int
	dict     *dictionary   // that it is packed with, if any; see fit
	chunk    *chunk        // it is encoded with; nil for one that moves
	size     int64         // for a round's sum: what there is to write, and what it takes besides
	moved    *atomic.Int64 // counts those that have moved
	taken    bool          // it is in the writer's round, or was; the writer owns this
	finished bool          // its room in the queue is given back; the writer owns this
}

func (p *pendingRecord) found() Found {
	return Found{Seq: p.Seq, Stamp: p.Stamp, Expires: p.Expires, Plain: p.Plain}
}

// stream is where it will be written to, if nothing comes in between.
func (p *pendingRecord) stream(now int64) int {
	c := classOf(p.Expires - now)
	if p.entrance {
		return entranceOf(c)
	}
	return c
}

func newPending(p *pendingRecord) *pendingRecord {
	p.size = int64(len(p.Blob)+len(p.packed)+8*len(p.Labels)) + 160
	return p
}

// room is what it takes of the queue: a blob waits until it is committed, and half of its size is for what it is encoded to. What moves
// waits elsewhere.
func (p *pendingRecord) room() int64 {
	if p.from != nil {
		return 0
	}
	return p.size + int64(len(p.Blob)/2)
}

type pendingShard struct {
	mu sync.RWMutex
	m  map[Hash]*pendingRecord // guarded by mu; the newest version of each
}

func (s *pendingShard) get(h *Hash) *pendingRecord {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.m[*h]; p != nil && !p.gone {
		return p
	}
	return nil
}

func (d *Disk) shardOf(h *Hash) *pendingShard { return &d.pending[h[15]%pendingShards] }

// isGone tells whether p was replaced or dropped.
func (s *pendingShard) isGone(p *pendingRecord) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return p.gone
}

// Put implements Tier. The old version is out of the index before it returns, whether or not the new one is kept.
func (d *Disk) Put(r Record) error {
	if len(r.Blob) > d.o.MaxBlob {
		d.Supersede(r.Hash, r.Seq)
		return ErrTooLarge
	}
	p := newPending(&pendingRecord{Record: r})
	if !d.reserve(p.room()) {
		d.dropped.Add(1)
		d.Supersede(r.Hash, r.Seq)
		return ErrDropped
	}
	sh := d.shardOf(&r.Hash)
	sh.mu.Lock()
	if old := sh.m[r.Hash]; old != nil {
		if old.Seq >= r.Seq {
			sh.mu.Unlock()
			d.release(p.room())
			return nil
		}
		// What the older one would have superseded is now this one's to supersede. It is skipped when its turn comes.
		p.shadows = old.shadows
		old.shadows, old.gone, old.next = nil, true, p
	}
	p.shadows = d.unindex(p.shadows, &r.Hash, r.Seq)
	p.entrance = d.entering(&r.Hash, len(p.shadows) > 0)
	sh.m[r.Hash] = p
	sh.mu.Unlock()
	d.stored.Add(1)
	d.enqueue(p)
	return nil
}

// Supersede makes every version of h below seq invalid without storing a new one: the new one lives elsewhere (in memory
// alone), or was dropped. What is on disk is kept from coming back by a tombstone.
func (d *Disk) Supersede(h Hash, seq uint64) {
	sh := d.shardOf(&h)
	sh.mu.Lock()
	var shadows []shadow
	if old := sh.m[h]; old != nil {
		if old.Seq >= seq {
			sh.mu.Unlock()
			return
		}
		shadows = old.shadows
		old.shadows, old.gone = nil, true
		delete(sh.m, h)
	}
	if shadows = d.unindex(shadows, &h, seq); len(shadows) > 0 {
		// Owed before anybody sees that the older one is gone: a Sync that does not write that one must write the tombstone.
		d.owe(&shadowed{hash: h, seq: seq, shadows: shadows})
	}
	sh.mu.Unlock()
}

// reserve takes n bytes of the queue, or says that there is no room. A record larger than the whole queue gets in when it is
// empty. With Options.Block it waits, unless the disk fails.
func (d *Disk) reserve(n int64) bool {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	for !d.closed && !d.retrying() {
		if d.roomFor(n) {
			d.queueBytes += n
			return true
		}
		if !d.o.Block {
			return false
		}
		d.queueRoom.Wait()
	}
	return false
}

func (d *Disk) roomFor(n int64) bool { return d.queueBytes == 0 || d.queueBytes+n <= d.o.QueueBytes }

func (d *Disk) release(n int64) {
	d.queueMu.Lock()
	d.queueBytes -= n
	d.queueMu.Unlock()
	d.queueRoom.Broadcast()
}

func (d *Disk) enqueue(p *pendingRecord) {
	d.queueMu.Lock()
	if len(d.queue) == 0 {
		d.queueSince = d.uptime()
	}
	d.queue = append(d.queue, p)
	d.enqueued++
	d.waiting += p.size
	first := len(d.queue) == 1
	full := d.waiting >= d.fullRound()
	c := d.join(p)
	d.queueMu.Unlock()
	if c != nil {
		d.offer(c)
	}
	if first || full {
		d.kick()
	}
}

// fullRound is how much is worth a round, however long it has waited.
func (d *Disk) fullRound() int64 { return min(maxRound, d.o.QueueBytes/2) }

// kick makes the writer look at the queue.
func (d *Disk) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// take removes what moves, up to maxRound bytes with it from the queue unless that is held back, and all tombstones owed.
func (d *Disk) take(all bool) ([]*pendingRecord, map[Hash]*shadowed) {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	fresh := all || d.hold() == 0
	recs, moving := d.takeMoving()
	var n int
	var bytes int64
	for fresh && n < len(d.queue) && (n == 0 || moving+bytes < maxRound) {
		bytes += d.queue[n].size
		n++
	}
	recs = append(recs, d.queue[:n]...)
	for _, p := range recs {
		p.taken = true
	}
	d.queue = d.queue[n:]
	d.taken += uint64(n)
	d.waiting -= bytes
	if n > 0 {
		d.heldSince = 0
		d.open = nil // some of its records may be among them, so it may not grow any more
	}
	if len(d.queue) == 0 {
		d.queue = nil
	}
	tombs := d.tombs
	d.tombs = nil
	return recs, tombs
}

// nothingWaits tells whether a round would have nothing to do. The caller holds queueMu.
func (d *Disk) nothingWaits() bool { return len(d.queue)+len(d.tombs)+len(d.moving.list) == 0 }

// due is how long the writer may still wait; 0: a round is due now; negative: nothing to do.
func (d *Disk) due() time.Duration {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	if d.moving.await > d.moving.begun {
		return 0
	}
	if d.nothingWaits() {
		return -1
	}
	if d.moving.bytes >= d.movingRoom() {
		return 0
	}
	if hold := d.hold(); hold > 0 {
		return hold
	}
	if d.waiting >= d.fullRound() {
		return 0
	}
	return max(0, d.queueSince+d.o.MaxAge-d.uptime())
}
