package tier

import (
	"errors"
	"sync/atomic"
	"time"
)

// Second chance: before a segment is given up for capacity, what was asked for since it was written is moved to an active
// segment. That takes reading and writing, so it happens ahead of need, beside the writer, and is bounded: where it cannot
// keep up, the writer evicts at once and nothing is moved.
const (
	// chanceShare bounds what is moved of a segment to a half: eviction always frees more than it writes.
	chanceShare = 2
	// chanceLife is the part of the segment's remaining life that a record must have left to be worth moving.
	chanceLife = 4
	// chanceLeast is the least number of segments in the capacity for which room is made ahead: with fewer, the room ahead
	// would be a large part of it.
	chanceLeast = 8
	chancePause = 100 * time.Millisecond
)

// ahead is how much room is kept free for the writer; 0: none, the store is too small.
func (d *Disk) ahead() int64 {
	if d.o.Capacity < chanceLeast*d.segmentSize {
		return 0
	}
	return d.segmentSize + maxRound
}

// evictAhead makes room before the writer needs it, until the tier is closed.
func (d *Disk) evictAhead() {
	if d.ahead() == 0 {
		return
	}
	tick := time.NewTicker(chancePause)
	defer tick.Stop()
	select {
	case <-d.loaded: // before that, nobody knows what is live
	case <-d.closing:
		return
	}
	for {
		select {
		case <-d.closing:
			return
		case <-tick.C:
		}
		for d.usage()+d.ahead() > d.o.Capacity {
			if !d.evictWithChance() {
				break
			}
		}
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
	s := d.victim(evictsBefore)
	if s == nil || !s.is(stateSealed) {
		return false // the writer sees to active and damaged ones
	}
	d.leaveCopies(s)
	room := s.liveBytes.Load() / chanceShare
	now := d.o.Now()
	moved := new(atomic.Int64)
	for _, ref := range s.batches {
		if d.isClosed() {
			return false
		}
		if s.is(stateDead) || room <= 0 {
			break
		}
		asked := func(e *indexEntry, at loc) bool {
			if room <= 0 || e.expires-now < (s.maxExpiry.Load()-now)/chanceLife || !d.index.Asked(&e.hash, at) {
				return false
			}
			room -= int64(e.size)
			return true
		}
		if err := d.moveBatch(s, ref, asked, d.o.Judge, moved); err != nil {
			break
		}
	}
	if err := d.flush(); err != nil && !errors.Is(err, ErrClosed) {
		return false // the disk does not take writes: the writer will evict when it must
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
