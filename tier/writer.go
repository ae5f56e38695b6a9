package tier

import (
	"errors"
	"slices"
	"time"
)

// retryAfter is how long the disk is left alone after a failed commit. Meanwhile records are dropped, tombstones kept.
const retryAfter = time.Second

// write is the writer: the only one that appends to segments, seals and evicts them.
func (d *Disk) write() {
	defer close(d.done)
	housekeeping := time.NewTicker(time.Second)
	defer housekeeping.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := d.due()
		if wait == 0 && d.retrying() {
			wait = retryAfter / 4
		}
		if wait == 0 {
			_ = d.round(false) // reported where it happened; what is owed stays owed
		}
		if wait < 0 {
			wait = time.Hour
		}
		// Also when another round is due at once: however much is put, syncs and housekeeping get their turn.
		timer.Reset(wait)
		select {
		case <-d.wake:
		case <-timer.C:
		case <-housekeeping.C:
			d.writerMu.Lock()
			d.keepHouse()
			d.writerMu.Unlock()
			d.checkRoom()
		case answer := <-d.sync:
			answer <- d.drain(false)
		case <-d.stop:
			d.closeErr = d.drain(true)
			d.writerMu.Lock()
			d.sealAll()
			d.writerMu.Unlock()
			return
		}
	}
}

func (d *Disk) isClosed() bool {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	return d.closed
}

// retrying is true for a while after a failed commit. Then the next records are taken, and show whether the disk works again.
func (d *Disk) retrying() bool {
	return d.broken.Load() && d.uptime() < time.Duration(d.brokenAt.Load())+retryAfter
}

// drain writes what waits by now, or, at the end, all there is. It gives up at the first failure.
func (d *Disk) drain(all bool) error {
	if d.isDiscarded() {
		return nil
	}
	d.queueMu.Lock()
	until, moving := d.enqueued, len(d.moving.list) > 0
	d.queueMu.Unlock()
	for d.taken < until || moving || all && d.due() >= 0 {
		if err := d.round(true); err != nil {
			return err
		}
		moving = false // a round takes all of it
	}
	d.queueMu.Lock()
	owed := len(d.tombs) > 0
	d.queueMu.Unlock()
	if owed {
		return d.round(true)
	}
	return nil
}

// Sync returns when everything that was put before is on the disk, or with the error that kept it from getting there.
func (d *Disk) Sync() error {
	err := d.flush()
	if lost := d.lost.Swap(nil); err == nil && lost != nil {
		return *lost
	}
	return err
}

// flush is Sync without telling of records that were lost to a failure before.
func (d *Disk) flush() error {
	answer := make(chan error, 1)
	select {
	case d.sync <- answer:
		return <-answer
	case <-d.done:
		return ErrClosed
	}
}

// Close writes what waits, seals the active segments and closes all files.
func (d *Disk) Close() error { return d.close(false) }

// Discard closes the tier without writing anything more: its directory is about to be removed.
func (d *Disk) Discard() { _ = d.close(true) } // nobody needs these files any more

func (d *Disk) close(discard bool) error {
	d.queueMu.Lock()
	if d.closed {
		d.queueMu.Unlock()
		<-d.done
		return nil
	}
	d.closed, d.discarded = true, discard
	d.queueMu.Unlock()
	d.queueRoom.Broadcast()
	close(d.closing)
	d.helpers.Wait()
	<-d.loaded // the loader stops early once closed is set
	close(d.stop)
	<-d.done
	err := d.closeErr
	for _, s := range d.segments() {
		err = errors.Join(err, s.closeFile(true))
	}
	d.files.reader.Close() // closing the files has waited for whoever was reading
	return err
}

func (d *Disk) isDiscarded() bool {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	return d.discarded
}

// work is one stream's share of a round.
type work struct {
	recs  []*pendingRecord
	tombs []tombstone
}

func (w *work) empty() bool { return len(w.recs)+len(w.tombs) == 0 }

// round writes a batch per stream that has something, and one more where tombstones must be there before. What was put is not held back if
// all is set.
func (d *Disk) round(all bool) (err error) {
	defer d.checkRoom()
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	recs, owed := d.take(all)
	defer func() {
		if err != nil && noSpace(err) {
			// Somebody else has filled the disk. What is worth least gives way, a segment per try, and not before all that is owed is known.
			d.evictOne()
		}
		d.endRound(err)
	}()
	now := d.o.Now()
	d.rotate()
	var todo [streams]work
	for _, p := range recs {
		if d.skip(p) {
			continue
		}
		c := p.stream(now)
		if len(p.claimed) > 0 || owed[p.Hash] != nil {
			c %= classes // what supersedes another stays as long as that
		}
		todo[c].recs = append(todo[c].recs, p)
	}
	if err = d.prepareSegments(&todo); err != nil {
		d.failed(recs, owed, nil, err)
		return err
	}
	batches := d.bury(&todo, owed, now)
	for i := range batches {
		b := &batches[i]
		s, berr := d.commit(b.stream, b.work, now)
		if berr == nil {
			continue
		}
		err = berr
		d.failed(b.recs, nil, s, err)
		if b.buries {
			// What it stands for may not be written either.
			for _, left := range batches[i+1:] {
				d.failed(left.recs, nil, nil, err)
			}
			d.failed(nil, owed, nil, err)
			break
		}
	}
	if err == nil {
		d.broken.Store(false)
	}
	d.finish(recs)
	return err
}

// skip tells whether p need not be written: replaced or dropped while it waited, or moved from where it no longer is.
func (d *Disk) skip(p *pendingRecord) bool {
	sh := d.shardOf(&p.Hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if p.from != nil {
		l, ok := d.index.Lookup(&p.Hash)
		if !ok {
			// What replaced it waits, and may not be on the disk before the copy that stays behind goes with its segment.
			d.owe(&shadowed{hash: p.Hash, seq: p.Seq + 1, expires: p.Expires})
		}
		return !ok || l != *p.from
	}
	if !p.gone {
		p.claimed = p.shadows
		return false
	}
	newest := sh.m[p.Hash]
	if newest == p {
		delete(sh.m, p.Hash)
		if len(p.shadows) > 0 {
			d.owe(&shadowed{hash: p.Hash, seq: p.Seq, shadows: p.shadows})
		}
		return true
	}
	if newest == nil || p.next == nil || p.next.taken || len(newest.shadows) == 0 {
		return true
	}
	// An older one is on the disk, and the next is not about to be. A crash now would bring back the older one; and if every
	// version is replaced before its turn, one from long ago. So this one is written, with the newest's knowledge of what is older.
	p.claimed = slices.Clone(newest.shadows)
	return false
}

// prepareSegments makes room for the round, then sees to an active segment for every stream with records. Nothing is evicted
// from then on until the round is over: an eviction may take an active segment, and the round is about to write to them.
func (d *Disk) prepareSegments(todo *[streams]work) error {
	var n int64
	fresh := false
	for c := range todo {
		for _, p := range todo[c].recs {
			n += p.size
			fresh = fresh || p.from == nil
		}
	}
	room := n
	if fresh {
		room = max(n, d.fullRound())
	}
	d.makeRoom(room + d.segmentSize/16)
	if d.usage()+n > d.o.Capacity+d.segmentSize {
		return errFull // what is being removed is not gone yet, or a record is larger than the whole tier
	}
	for c := range todo {
		if len(todo[c].recs) == 0 {
			continue
		}
		if err := d.ensureActive(c); err != nil {
			return err
		}
	}
	return nil
}

var errFull = errors.New("no room within the capacity")

func (d *Disk) ensureActive(c int) error {
	if d.active[c] != nil {
		return nil
	}
	s, err := d.createSegment(c)
	if err == nil {
		d.active[c] = s
	}
	return err
}

// roundBatch is what is committed at a time.
type roundBatch struct {
	stream int
	work
	buries bool // there are tombstones in it without which what comes after may not be written
}

// bury turns what the round's records supersede, and what is owed, into tombstones, and says in which order to commit: those that stand for
// records of another stream, or for none, before any record that supersedes something.
func (d *Disk) bury(todo *[streams]work, owed map[Hash]*shadowed, now int64) (batches []roundBatch) {
	var first [streams][]tombstone
	for c := range todo {
		for _, p := range todo[c].recs {
			if len(p.claimed) == 0 {
				continue
			}
			var g [streams][]tombstone
			d.graves(&g, p.Hash, p.Seq, p.claimed, d.active[c], p.Expires, now)
			for k := range g {
				if k == c {
					todo[c].tombs = append(todo[c].tombs, g[k]...)
				} else {
					first[k] = append(first[k], g[k]...)
				}
			}
		}
	}
	for _, t := range owed {
		// It outlives also what the index does not know.
		d.graves(&first, t.hash, t.seq, d.addStrays(t.shadows, &t.hash), nil, 0, now)
		if t.expires > now {
			c := classOf(t.expires - now)
			first[c] = append(first[c], tombstone{t.hash, t.seq, t.expires})
		}
	}
	// The entrance begins, for its records supersede nothing. The last of the others to bury for other streams takes its own records with it.
	last := -1
	for c := range classes {
		if len(first[c]) > 0 {
			last = c
		}
	}
	add := func(c int, w work, buries bool) {
		if !w.empty() {
			batches = append(batches, roundBatch{c, w, buries})
		}
	}
	for c := classes; c < streams; c++ {
		add(c, work{todo[c].recs, first[c]}, len(first[c]) > 0)
	}
	for c := range max(last, 0) {
		add(c, work{tombs: first[c]}, true)
	}
	if last >= 0 {
		add(last, work{todo[last].recs, append(first[last], todo[last].tombs...)}, true)
	}
	for c := range classes {
		if c != last {
			add(c, todo[c], false)
		}
	}
	return batches
}

// commit writes one batch to the active segment of stream c, which it returns, and lets the index know.
func (d *Disk) commit(c int, w work, now int64) (*segment, error) {
	if err := d.ensureActive(c); err != nil {
		return nil, err
	}
	s := d.active[c]
	number := d.nextBatch.Add(1)
	value, x, err := d.pack(s, w, number, now)
	if err == nil {
		// Raised before the commit, so that nobody takes the segment for one that goes sooner.
		for _, e := range x.entries {
			s.raiseExpiry(e.expires)
		}
		for _, t := range x.tombs {
			s.raiseExpiry(t.expires)
		}
		var ref batchRef
		if ref, err = d.append(s, number, *value); err == nil {
			returnBatch(value) // bbolt has let go of it: it keeps a value no longer than its transaction
			s.metaMu.Lock()
			s.batches = append(s.batches, ref)
			s.totals.add(x)
			s.metaMu.Unlock()
			d.land(s, ref, w.recs, x)
			return s, nil
		}
	}
	// What a failed write or fsync left behind is unknown, and asking again proves nothing: this file is not written any more.
	d.leaveCopies(s)
	for _, p := range w.recs {
		s.leaveCopy(&p.Hash)
	}
	d.retire(c)
	d.o.Report("commit failed", s.path, err)
	return s, err
}

func (s *segment) raiseExpiry(to int64) {
	if to > s.maxExpiry.Load() {
		s.maxExpiry.Store(to) // the writer alone stores
	}
}

// land makes the index point at the records of a committed batch, and stops answering from the queue.
func (d *Disk) land(s *segment, ref batchRef, recs []*pendingRecord, x *batchIndex) {
	off := ref.off
	for i, p := range recs {
		e := &x.entries[i]
		to := loc{s.slot, uint32(off), shortSize(e.size)}
		off += int64(e.size)
		d.dataWritten.Add(int64(e.size))
		if inEntrance(s.stream) {
			d.entranceWritten.Add(int64(e.size))
		}
		sh := d.shardOf(&p.Hash)
		sh.mu.Lock()
		newest := sh.m[p.Hash]
		switch {
		case p.from != nil && d.moveTo(p, to):
			d.account(to, +1)
			d.account(*p.from, -1)
			p.moved.Add(1)
		case p.from == nil && newest == p && !p.gone:
			old, replaced, inserted := d.index.Insert(&p.Hash, to, p.Seq)
			if replaced {
				d.account(old, -1)
			}
			if inserted {
				d.account(to, +1)
			}
			delete(sh.m, p.Hash)
		case newest == p: // dropped by its owner while it was being written: purged or expired, and so dead by itself
			delete(sh.m, p.Hash)
			d.disown(p.Hash, p.Seq, p.Expires, s)
		case newest != nil: // replaced meanwhile: its successor has one more older version on disk to supersede
			newest.shadows = addShadow(newest.shadows, s)
		default:
			d.owe(&shadowed{hash: p.Hash, seq: p.Seq + 1, shadows: []shadow{{s}}})
		}
		sh.mu.Unlock()
	}
}

// moveTo makes the index point to the copy of p. Until its segment is gone, the other copy is one that the index does not know. The caller holds
// p's shard.
func (d *Disk) moveTo(p *pendingRecord, to loc) bool {
	if s := d.segs[p.from.seg].Load(); s != nil {
		s.leaveCopy(&p.Hash) // before anybody can find that it is not known there any more
	}
	return d.index.Move(&p.Hash, *p.from, to)
}

// failed keeps the promises that a failed commit leaves open: what was not written is not answered any more, and the older
// versions it replaced stay dead. s is the retired segment, nil if none was written to: the records may be in it all the
// same. Who replaces them later is told by unindex; who has replaced them already is told here.
func (d *Disk) failed(recs []*pendingRecord, owed map[Hash]*shadowed, s *segment, err error) {
	d.brokenAt.Store(int64(d.uptime()))
	d.broken.Store(true)
	for _, p := range recs {
		sh := d.shardOf(&p.Hash)
		sh.mu.Lock()
		newest := sh.m[p.Hash]
		switch {
		case newest == p:
			delete(sh.m, p.Hash)
			if len(p.shadows) > 0 {
				d.owe(&shadowed{hash: p.Hash, seq: p.Seq, shadows: p.shadows})
			}
			if p.gone && s != nil { // its owner has dropped it, and it may be there all the same
				d.owe(&shadowed{hash: p.Hash, seq: p.Seq + 1, shadows: []shadow{{s}}})
			}
			d.dropped.Add(1)
			d.lost.Store(&err)
		case s == nil:
		case newest != nil:
			newest.shadows = addShadow(newest.shadows, s)
		case p.from == nil || !d.index.At(&p.Hash, *p.from):
			d.owe(&shadowed{hash: p.Hash, seq: p.Seq + 1, shadows: []shadow{{s}}})
		}
		sh.mu.Unlock()
	}
	for _, t := range owed {
		d.owe(t)
	}
	d.finish(recs)
}

// finish gives back the queue's room once for every record, however it ended.
func (d *Disk) finish(recs []*pendingRecord) {
	var n int64
	for _, p := range recs {
		if p.finished {
			continue
		}
		p.finished = true
		n += p.room()
	}
	if n > 0 {
		d.release(n)
	}
}
