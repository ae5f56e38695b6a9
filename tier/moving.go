package tier

import "errors"

// What moves from one segment to another waits apart from what is put, and a round takes of both. So neither holds up the other: however
// much is put, room is made as fast as it is used, for of a segment that is given up no more than half is written again.
//
// All of it is guarded by queueMu.
type moving struct {
	list   []*pendingRecord
	bytes  int64  // of list
	begun  uint64 // rounds of the writer
	ended  uint64
	failed uint64 // the last one that did
	await  uint64 // the round that somebody waits for
}

// movingRoom is how many bytes may wait.
func (d *Disk) movingRoom() int64 { return min(d.fullRound(), maxRound/2) }

// setMoving waits for room and adds p. It fails where nobody makes room: the tier is closed, or the disk does not take writes.
func (d *Disk) setMoving(p *pendingRecord) error {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	m := &d.moving
	err := d.cannotMove()
	for ; err == nil && m.bytes >= d.movingRoom(); err = d.cannotMove() {
		d.queueRoom.Wait()
	}
	if err != nil {
		return err
	}
	if d.nothingWaits() {
		d.queueSince = d.uptime()
	}
	m.list = append(m.list, p)
	if m.bytes += p.size; m.bytes >= d.movingRoom() {
		d.kick()
	}
	return nil
}

// forgetMoving lets go of what waits: it stays where it is. For who is about to try again from the beginning, for a record that is set moving
// twice would take its own second copy for one that was replaced.
func (d *Disk) forgetMoving() {
	d.queueMu.Lock()
	d.moving.list, d.moving.bytes = nil, 0
	d.queueMu.Unlock()
	d.queueRoom.Broadcast()
}

var errNoWrites = errors.New("the disk does not take writes")

// cannotMove says why no round is to be expected soon.
func (d *Disk) cannotMove() error {
	switch {
	case d.closed:
		return ErrClosed
	case d.retrying():
		return errNoWrites
	}
	return nil
}

// takeMoving is what waits. The caller holds queueMu and begins a round.
func (d *Disk) takeMoving() (recs []*pendingRecord, bytes int64) {
	m := &d.moving
	recs, bytes = m.list, m.bytes
	m.list, m.bytes = nil, 0
	m.begun++
	d.queueRoom.Broadcast()
	return recs, bytes
}

func (d *Disk) endRound(err error) {
	d.queueMu.Lock()
	d.moving.ended = d.moving.begun
	if err != nil {
		d.moving.failed = d.moving.begun
	}
	d.queueMu.Unlock()
	d.queueRoom.Broadcast()
}

// awaitMoved returns when all that was set moving is written, and all tombstones that were owed by then, or with the reason why not. What
// a round comes to owe itself is not waited for: a segment that goes in its turn needs none (see supersede.go).
func (d *Disk) awaitMoved() error {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	m := &d.moving
	ended, round := m.ended, m.begun // which may be at work on it
	if len(m.list)+len(d.tombs) > 0 {
		round++
		m.await = round
		d.kick()
	}
	for m.ended < round {
		if err := d.cannotMove(); err != nil {
			return err
		}
		d.queueRoom.Wait()
	}
	if m.failed > ended {
		return errNoWrites
	}
	return nil
}
