package tier

import "errors"

// What moves from one segment to another waits apart from what is put, and a round takes of both. So neither holds up the other: however
// much is put, room is made as fast as it is used, for of a segment that is given up no more than half is written again.
//
// All of it is guarded by queueMu.
type moving struct {
	list  []*pendingRecord
	bytes int64  // of list
	begun uint64 // rounds of the writer
	ended uint64
	await uint64 // the round that somebody waits for
}

// movingRoom is how many bytes may wait.
func (d *Disk) movingRoom() int64 { return min(d.fullRound(), maxRound/2) }

// setMoving waits for room and adds p. It fails where nobody makes room: the tier is closed, or the disk does not take writes.
func (d *Disk) setMoving(p *pendingRecord) error {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	m := &d.moving
	for m.bytes >= d.movingRoom() {
		if err := d.cannotMove(); err != nil {
			return err
		}
		d.queueRoom.Wait()
	}
	if d.closed {
		return ErrClosed
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

func (d *Disk) endRound() {
	d.queueMu.Lock()
	d.moving.ended = d.moving.begun
	d.queueMu.Unlock()
	d.queueRoom.Broadcast()
}

// awaitMoved returns when all that was set moving is written, and all tombstones owed as well, or with the reason why not.
func (d *Disk) awaitMoved() error {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	m := &d.moving
	round := m.begun // that may be at work on it
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
	if d.broken.Load() {
		return errNoWrites
	}
	return nil
}
