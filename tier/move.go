package tier

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// moveBatch sets those live records of a batch moving that choose picks. moved counts them as they land: after a flush all have that
// will.
func (d *Disk) moveBatch(s *segment, ref batchRef, choose func(*indexEntry, loc) bool, judge Judge, moved *atomic.Int64) error {
	x, err := s.readIndex(ref)
	switch {
	case s.is(stateDead):
		return nil // unlinked meanwhile
	case errors.Is(err, ErrDamaged):
		d.damage(s, err)
		return nil
	case err != nil:
		return err
	}
	return d.moveListed(s, ref, x, choose, judge, moved)
}

// chosen is a record that may move.
type chosen struct {
	e  *indexEntry
	at loc
	b  []byte // the record, and what follows it
}

// moveListed is moveBatch for who has the batch's index. Judging means opening and decoding, so all processors do it.
func (d *Disk) moveListed(s *segment, ref batchRef, x *batchIndex, choose func(*indexEntry, loc) bool, judge Judge, moved *atomic.Int64) error {
	var list []chosen
	off := ref.off
	for i := range x.entries {
		e := &x.entries[i]
		if at := (loc{s.slot, uint32(off), shortSize(e.size)}); choose(e, at) {
			list = append(list, chosen{e: e, at: at})
		}
		off += int64(e.size)
	}
	if len(list) == 0 {
		return nil
	}
	room := getBuffer(int(ref.indexOff - ref.off))
	defer putBuffer(room)
	n, err := s.readAt(*room, ref.off)
	if s.is(stateDead) {
		return nil
	}
	if err != nil {
		return err // what is here is not known to be dead: the segment stays
	}
	data := (*room)[:n]
	for i := range list {
		list[i].b = data[min(int64(list[i].at.off)-int64(uint32(ref.off)), int64(n)):]
	}
	workers := max(1, min(runtime.GOMAXPROCS(0), len(list)/64))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for k := range workers {
		part := list[k*len(list)/workers : (k+1)*len(list)/workers]
		wg.Go(func() { errs[k] = d.moveChosen(s, part, judge, moved) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (d *Disk) moveChosen(s *segment, list []chosen, judge Judge, moved *atomic.Int64) error {
	now := d.o.Now()
	var most, mostRaw int
	for i := range list {
		most, mostRaw = max(most, list[i].e.size), max(mostRaw, list[i].e.raw)
	}
	packed, blob := getBuffer(most), getBuffer(mostRaw)
	defer putBuffer(packed)
	defer putBuffer(blob)
	for i := range list {
		c := &list[i]
		p, grave := d.judgeRecord(s, c, packed, blob, judge, now)
		if grave {
			d.owe(&shadowed{hash: c.e.hash, seq: c.e.seq + 1, expires: c.e.expires})
		}
		if p == nil {
			continue
		}
		p.moved = moved
		if err := d.setMoving(p); err != nil {
			return err
		}
	}
	return nil
}

// judgeRecord returns the record to move, if it is alive. grave: it is dead in a way that only this copy shows (purged or
// damaged, with nothing newer), so a tombstone has to keep older versions out once this copy is gone. packed and room are room to
// work in.
func (d *Disk) judgeRecord(s *segment, c *chosen, packed, room *[]byte, judge Judge, now int64) (p *pendingRecord, grave bool) {
	e := c.e
	cur, known := d.index.Lookup(&e.hash)
	if e.expires <= now {
		if known && cur == c.at && d.index.RemoveAt(&e.hash, c.at) {
			d.account(c.at, -1)
		}
		return nil, false
	}
	if !known || cur != c.at {
		// In a damaged segment, it may have been the damage that removed it from the index. What replaced it in the same segment moves to another,
		// which may not last as long as what this one keeps dead.
		return nil, !known || s.is(stateDamaged) || cur.seg == s.slot
	}
	head, err := parseRecordHeader(c.b)
	if err == nil && head.hash == e.hash {
		if *packed, err = openRecord((*packed)[:0], s.sealer, &head, c.b); err == nil {
			dict := s.dictionary.Load()
			if *room, err = decode(d.o.Codec, dict, (*room)[:0], *packed, head.codec, min(head.blobSize, d.o.MaxBlob)); err == nil {
				f := Found{Seq: head.seq, Stamp: head.stamp, Expires: head.expires, Plain: head.plain, at: c.at}
				var labels []uint64
				keep := true
				if judge != nil {
					labels, keep = judge(*room, f)
				}
				if keep {
					codec := head.codec
					if codec != codecDictionary {
						dict = nil
					} else if to := d.dictionaryFor(classOf(head.expires - now)); to != dict {
						*packed, codec, dict = d.encodeBlob((*packed)[:0], *room, head.plain, to)
					}
					at := c.at // c's neighbours need not stay with it
					return newPending(&pendingRecord{
						Record: Record{Hash: e.hash, Seq: head.seq, Stamp: head.stamp, Expires: head.expires, Plain: head.plain, Labels: labels},
						from:   &at, packed: slices.Clone(*packed), codec: codec, dict: dict, raw: head.blobSize,
					}), false
				}
			}
		}
	}
	if err != nil {
		d.damage(s, err)
	}
	s.leaveCopy(&e.hash) // until its segment goes, the index does not know it
	if d.index.RemoveAt(&e.hash, c.at) {
		d.account(c.at, -1)
	}
	return nil, true
}
