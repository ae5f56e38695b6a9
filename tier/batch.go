package tier

import (
	"encoding/binary"
	"fmt"
	"slices"

	"stagecache/crypto"
)

// A batch is the value of one commit:
//
//	records, back to back | padding | sealed batch index | index size (4 bytes) | magic (4 bytes)
//
// The index says what the batch holds, so that a start reads indexes and never the data. Offsets are not stored: records
// follow one another, so sizes are enough.
const (
	batchMagic   = 0x31424353 // "SCB1"
	batchTrailer = 8
	// minBatch keeps a batch above bbolt's inline limit (a quarter of a page): an inlined bucket lives in its parent's
	// page and moves with it.
	minBatch     = segmentPageSize/4 + 512
	batchVersion = 1
)

// indexEntry is one record as the batch index knows it.
type indexEntry struct {
	hash    Hash
	seq     uint64
	stamp   uint64
	expires int64
	size    int // header and sealed payload
	raw     int // blob before packing
}

// tombstone says: no version of hash below seq is valid any more. It is needed until expires.
type tombstone struct {
	hash    Hash
	seq     uint64
	expires int64
}

type batchIndex struct {
	mark    int64 // engine time when it was committed, ms
	entries []indexEntry
	tombs   []tombstone
	labels  labelCounts
}

func (x *batchIndex) append(dst []byte) []byte {
	dst = append(dst, batchVersion)
	dst = binary.AppendVarint(dst, x.mark)
	dst = binary.AppendUvarint(dst, uint64(len(x.entries)))
	var seq, stamp uint64
	expires := x.mark
	for i := range x.entries {
		e := &x.entries[i]
		dst = append(dst, e.hash[:]...)
		// Differences to the entry before are small: two or three bytes instead of eight.
		dst = binary.AppendVarint(dst, int64(e.seq-seq))
		dst = binary.AppendVarint(dst, int64(e.stamp-stamp))
		dst = binary.AppendVarint(dst, e.expires-expires)
		dst = binary.AppendUvarint(dst, uint64(e.size))
		dst = binary.AppendUvarint(dst, uint64(e.raw))
		seq, stamp, expires = e.seq, e.stamp, e.expires
	}
	dst = binary.AppendUvarint(dst, uint64(len(x.tombs)))
	for _, t := range x.tombs {
		dst = append(dst, t.hash[:]...)
		dst = binary.AppendUvarint(dst, t.seq)
		dst = binary.AppendVarint(dst, t.expires)
	}
	return x.labels.append(dst)
}

// parse reads into x, whose slices are used again.
func (x *batchIndex) parse(b []byte) error {
	r := reader{b: b}
	if r.byte() != batchVersion {
		return fmt.Errorf("batch index: unknown version: %w", ErrDamaged)
	}
	x.mark, x.labels = r.varint(), labelCounts{}
	n := r.count(len(Hash{}) + 5)
	x.entries = slices.Grow(x.entries[:0], n)[:n]
	var seq, stamp uint64
	expires := x.mark
	for i := range x.entries {
		e := &x.entries[i]
		r.hash(&e.hash)
		seq += uint64(r.varint())
		stamp += uint64(r.varint())
		expires += r.varint()
		e.seq, e.stamp, e.expires = seq, stamp, expires
		e.size = r.size()
		e.raw = r.size()
	}
	n = r.count(len(Hash{}) + 2)
	x.tombs = slices.Grow(x.tombs[:0], n)[:n]
	for i := range x.tombs {
		t := &x.tombs[i]
		r.hash(&t.hash)
		t.seq = r.uvarint()
		t.expires = r.varint()
	}
	x.labels.parse(&r)
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("batch index: %w", ErrDamaged)
	}
	return nil
}

// finishBatch appends padding, the sealed index and the trailer to the records in dst.
func finishBatch(dst []byte, s *crypto.Sealer, number uint64, x *batchIndex) ([]byte, error) {
	if short := minBatch - len(dst); short > 0 {
		dst = append(dst, make([]byte, short)...)
	}
	start := len(dst)
	// Sealed under the segment's key like a record, with a random nonce of the same space and a kind of its own in the
	// associated data, which also binds the batch's number: an index cannot stand in for another batch's.
	dst, err := s.Seal(dst, x.append(nil), batchIndexAAD(number, s.Context()))
	if err != nil {
		return dst, err
	}
	size := len(dst) - start
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	return binary.LittleEndian.AppendUint32(dst, batchMagic), nil
}

func batchIndexAAD(number uint64, ctx [16]byte) []byte {
	return appendAAD(nil, kindBatchIndex, binary.LittleEndian.AppendUint64(nil, number), ctx)
}

// batchIndexRange finds the sealed index within a batch of total bytes, given its last batchTrailer bytes.
func batchIndexRange(trailer []byte, total int64) (off, size int64, err error) {
	if len(trailer) != batchTrailer || binary.LittleEndian.Uint32(trailer[4:]) != batchMagic {
		return 0, 0, fmt.Errorf("batch trailer: %w", ErrDamaged)
	}
	size = int64(binary.LittleEndian.Uint32(trailer))
	off = total - batchTrailer - size
	if size < crypto.Overhead || off < 0 {
		return 0, 0, fmt.Errorf("batch trailer: %w", ErrDamaged)
	}
	return off, size, nil
}

// open authenticates a sealed index and reads it into x.
func (x *batchIndex) open(s *crypto.Sealer, number uint64, sealed []byte) error {
	room := getBuffer(len(sealed))
	defer putBuffer(room)
	b, err := s.Open((*room)[:0], sealed, batchIndexAAD(number, s.Context()))
	*room = b
	if err != nil {
		return fmt.Errorf("batch index: %w: %w", ErrDamaged, err)
	}
	return x.parse(b)
}
