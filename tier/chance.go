package tier

import (
	"errors"
	"sync/atomic"
	"time"
)

// Second chance: before a segment is given up for capacity, what was asked for since it was written is moved to an active
// segment. That takes reading and writing, so it happens ahead of need, beside the writer, and is bounded. A writer that never rests is held
// back while it is at work on a victim, so that it does not overtake; it goes on when that takes too long, and evicts at once.
const (
	// chanceShare bounds what is moved of a segment to a half: eviction always frees more than it writes.
	chanceShare = 2
	// chanceLife is the part of the time since the segment was sealed for which a record must still be fresh to be worth moving.
	chanceLife = 4
	// chanceLeast is the least number of segments in the capacity for which room is made ahead: with fewer, the room ahead
	// would be a large part of it.
	chanceLeast = 8
	// holdMost is how long a round of what is put waits for victims.
	holdMost = time.Second
)

// movedRoom is what is kept free for what moves out of one victim: half a segment, and by how much the files of four streams grow at a time.
func (d *Disk) movedRoom() int64 { return d.segmentSize/chanceShare + d.segmentSize/4 + d.movingRoom() }

// ahead is how much room is kept free for the writer; 0: none, the store is too small.
func (d *Disk) ahead() int64 {
	if d.o.Capacity < chanceLeast*d.segmentSize {
		return 0
	}
	return d.movedRoom() + d.fullRound() + d.segmentSize/2
}

// crowded tells whether there is something to give up.
func (d *Disk) crowded() bool {
	select {
	case <-d.loaded: // before that, nobody knows what is live
	default:
		return false
	}
	return d.ahead() > 0 && (!d.fits(d.ahead()) || d.indexFull(2))
}

// hold is how long what is put still waits for evictAhead; 0: not at all. The caller holds queueMu.
func (d *Disk) hold() time.Duration {
	if !d.makingAhead.Load() || d.fits(d.movedRoom()+d.fullRound()) && !d.indexFull(1) {
		return 0
	}
	now := d.uptime()
	if d.heldSince == 0 {
		d.heldSince = now + 1
	}
	return max(0, d.heldSince+holdMost-now)
}

// checkRoom wakes evictAhead if there is something to do for it.
func (d *Disk) checkRoom() {
	if d.crowded() && d.makingAhead.CompareAndSwap(false, true) {
		d.makeAhead <- struct{}{} // has room: who takes it says that it is at work no more
	}
}

// evictAhead makes room before the writer needs it, until the tier is closed.
func (d *Disk) evictAhead() {
	if d.ahead() == 0 {
		return
	}
	for {
		select {
		case <-d.closing:
			return
		case <-d.makeAhead:
		}
		for d.crowded() && d.evictWithChance() {
		}
		d.makingAhead.Store(false)
		d.kick()
	}
}

// evictWithChance moves what was asked for out of the next victim and unlinks it; false: not now.
func (d *Disk) evictWithChance() bool {
	if !d.compactMu.TryLock() {
		return false // a compaction is moving records, and makes room as well
	}
	defer d.compactMu.Unlock()
	return d.evictVictim()
}

// evictVictim is evictWithChance for who holds compactMu.
func (d *Disk) evictVictim() bool {
	s := d.turn()
	if s == nil || !s.is(stateSealed) || d.damagedOne() != nil {
		return false // the writer sees to active and damaged ones
	}
	if given, blocked := d.clearAway(); given || blocked {
		return given
	}
	d.leaveCopies(s)
	room := s.liveBytes.Load() / chanceShare
	now := d.o.Now()
	worth := now + max(0, now-s.totals.mark)/chanceLife
	moved := new(atomic.Int64)
	var err error
	for _, ref := range s.batches {
		if d.isClosed() {
			return false
		}
		if s.is(stateDead) || room <= 0 && !inEntrance(s.stream) {
			break
		}
		asked := func(e *indexEntry, at loc) bool {
			if room > 0 && e.expires > worth && d.index.Asked(&e.hash, at) {
				room -= int64(e.size)
				return true
			}
			if inEntrance(s.stream) && d.index.At(&e.hash, at) {
				d.fellOut(&e.hash)
			}
			return false
		}
		if err = d.moveBatch(s, ref, asked, d.o.Judge, moved); err != nil {
			break
		}
	}
	if !errors.Is(err, errNoWrites) {
		err = d.awaitMoved() // what could not be read goes with the segment
	}
	if err != nil {
		d.forgetMoving()
		return false // the writer will evict when it must
	}
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	if s.is(stateDead) {
		return true
	}
	if !d.removeLeft() {
		return false
	}
	d.moved.Add(moved.Load())
	d.evicted.Add(s.live.Load())
	d.unlink(s)
	return true
}

// clearAway does what comes before any victim. given: what was set aside made room. blocked: a file that should be gone is still there, and
// nothing may go before it.
func (d *Disk) clearAway() (given, blocked bool) {
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	if !d.removeLeft() {
		return false, true
	}
	return !d.fits(d.ahead()) && d.giveUpAside(), false // else it is the index that is full
}
