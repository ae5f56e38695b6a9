package tier

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"stagecache/crypto"
)

// pack seals the records of a batch on all processors, each where it belongs in the batch. The batch is lent from batchPool.
func (d *Disk) pack(s *segment, w work, number uint64, now int64) (*[]byte, *batchIndex, error) {
	d.encodeAll(w.recs)
	if err := d.fit(s, w.recs); err != nil {
		return nil, nil, err
	}
	x := &batchIndex{mark: now, entries: make([]indexEntry, len(w.recs)), tombs: w.tombs}
	total := 0
	for i, p := range w.recs {
		size := recordHeaderSize + len(p.packed) + crypto.Overhead
		x.entries[i] = indexEntry{hash: p.Hash, seq: p.Seq, stamp: p.Stamp, expires: p.Expires, size: size, raw: p.raw}
		for _, l := range p.Labels {
			x.labels.add(l, 1)
		}
		total += size
	}
	value := batchPool.Get().(*[]byte)
	*value = slices.Grow((*value)[:0], total+len(w.recs)*indexEntryRoom+minBatch)[:total]
	workers := max(1, min(runtime.GOMAXPROCS(0), len(w.recs)/16))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	off := 0
	for k := range workers {
		from, to := k*len(w.recs)/workers, (k+1)*len(w.recs)/workers
		start := off
		for i := from; i < to; i++ {
			off += x.entries[i].size
		}
		room := (*value)[start:start:off]
		wg.Go(func() { errs[k] = sealRecords(room, s, w.recs[from:to]) })
	}
	wg.Wait()
	err := errors.Join(errs...)
	if err == nil {
		*value, err = finishBatch(*value, s.sealer, number, x)
	}
	return value, x, err
}

// indexEntryRoom is about what an entry takes in a batch index.
const indexEntryRoom = 32

// batchPool lends room for a batch. It is of the process, so that many stores that write now and then share it, and the
// collector takes what is not used.
var batchPool = sync.Pool{New: func() any { return new([]byte) }}

// returnBatch gives a batch back that nobody refers to any more; an unusually large one is left to the collector.
func returnBatch(value *[]byte) {
	if cap(*value) <= largestBuffer {
		batchPool.Put(value)
	}
}

// sealRecords fills dst up to its capacity with recs.
func sealRecords(dst []byte, s *segment, recs []*pendingRecord) error {
	var err error
	for _, p := range recs {
		h := recordHeader{plain: p.Plain, codec: p.codec, blobSize: p.raw, hash: p.Hash, seq: p.Seq, stamp: p.Stamp, expires: p.Expires}
		if dst, err = sealRecord(dst, s.sealer, &h, p.packed); err != nil {
			return err
		}
	}
	if len(dst) != cap(dst) {
		return fmt.Errorf("records take %d bytes where %d were reckoned with", len(dst), cap(dst))
	}
	return nil
}
