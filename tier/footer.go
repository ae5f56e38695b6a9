package tier

import (
	"encoding/binary"
	"fmt"

	"stagecache/crypto"
)

// A footer is written when a segment is sealed: where its batches and their indexes lie, and what is true of the segment
// as a whole. The batch indexes are not written a second time; a start reads them where they are.
const footerVersion = 1

// batchRef is where a batch lies in the file.
type batchRef struct {
	number    uint64
	off, size int64 // the whole value
	indexOff  int64
	indexSize int64
}

// totals are a segment's figures; while it is active the writer owns them.
type totals struct {
	records   int64
	dataBytes int64 // headers and sealed payloads
	rawBytes  int64 // blobs before packing
	maxExpiry int64 // of records and tombstones, ms
	minStamp  uint64
	maxStamp  uint64
	maxSeq    uint64
	mark      int64 // newest engine time of a commit
	labels    labelCounts
}

func (t *totals) add(x *batchIndex) {
	for i := range x.entries {
		e := &x.entries[i]
		if t.records == 0 || e.stamp < t.minStamp {
			t.minStamp = e.stamp
		}
		t.maxStamp = max(t.maxStamp, e.stamp)
		t.records++
		t.dataBytes += int64(e.size)
		t.rawBytes += int64(e.raw)
		t.maxExpiry = max(t.maxExpiry, e.expires)
		t.maxSeq = max(t.maxSeq, e.seq)
	}
	for _, b := range x.tombs {
		t.maxExpiry = max(t.maxExpiry, b.expires)
		t.maxSeq = max(t.maxSeq, b.seq)
	}
	t.mark = max(t.mark, x.mark)
	t.labels.merge(&x.labels)
}

func appendFooter(dst []byte, batches []batchRef, t *totals) []byte {
	dst = append(dst, footerVersion)
	dst = binary.AppendUvarint(dst, uint64(len(batches)))
	for _, b := range batches {
		for _, v := range []uint64{b.number, uint64(b.off), uint64(b.size), uint64(b.indexOff), uint64(b.indexSize)} {
			dst = binary.AppendUvarint(dst, v)
		}
	}
	for _, v := range []int64{t.records, t.dataBytes, t.rawBytes, t.maxExpiry, int64(t.minStamp), int64(t.maxStamp), int64(t.maxSeq), t.mark} {
		dst = binary.AppendVarint(dst, v)
	}
	return t.labels.append(dst)
}

func parseFooter(b []byte) ([]batchRef, totals, error) {
	r := reader{b: b}
	var t totals
	if r.byte() != footerVersion {
		return nil, t, fmt.Errorf("footer: unknown version: %w", ErrDamaged)
	}
	batches := make([]batchRef, r.count(5))
	for i := range batches {
		batches[i] = batchRef{number: r.uvarint(), off: int64(r.uvarint()), size: int64(r.uvarint()),
			indexOff: int64(r.uvarint()), indexSize: int64(r.uvarint())}
		if err := batches[i].check(); err != nil {
			return nil, t, err
		}
	}
	t.records, t.dataBytes, t.rawBytes, t.maxExpiry = r.varint(), r.varint(), r.varint(), r.varint()
	t.minStamp, t.maxStamp, t.maxSeq, t.mark = uint64(r.varint()), uint64(r.varint()), uint64(r.varint()), r.varint()
	t.labels.parse(&r)
	if r.bad || len(r.b) != 0 {
		return nil, t, fmt.Errorf("footer: %w", ErrDamaged)
	}
	return batches, t, nil
}

func (b *batchRef) check() error {
	if b.off < 0 || b.size < 0 || b.indexOff < b.off || b.indexSize < 0 || b.indexSize > maxBlob*4 ||
		b.indexOff+b.indexSize > b.off+b.size || b.off+b.size < b.off {
		return fmt.Errorf("footer: batch out of range: %w", ErrDamaged)
	}
	return nil
}

func sealFooter(s *crypto.Sealer, batches []batchRef, t *totals) ([]byte, error) {
	// Same key and nonce space as the segment's records; the kind keeps it apart.
	return s.Seal(nil, appendFooter(nil, batches, t), appendAAD(nil, kindFooter, nil, s.Context()))
}

func openFooter(s *crypto.Sealer, sealed []byte) ([]batchRef, totals, error) {
	b, err := s.Open(nil, sealed, appendAAD(nil, kindFooter, nil, s.Context()))
	if err != nil {
		return nil, totals{}, fmt.Errorf("footer: %w: %w", ErrDamaged, err)
	}
	return parseFooter(b)
}
