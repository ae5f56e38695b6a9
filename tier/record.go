package tier

import (
	"encoding/binary"
	"fmt"

	"stagecache/crypto"
)

// A record on disk is a header in the clear and the sealed payload behind it. The header is authenticated with the payload
// (it is the associated data, together with the segment's context), so none of its fields can be changed.
//
//	 0  1  format version
//	 1  1  flags (bit 0: plain, integrity only)
//	 2  1  codec
//	 3  1  zero
//	 4  4  payload size, sealed
//	 8  4  blob size, decoded
//	12 16  hash
//	28  8  sequence
//	36  8  stamp
//	44  8  expires, ms
const (
	recordVersion    = 1
	recordHeaderSize = 52
	flagPlain        = 1
	// maxBlob bounds what a header may claim, before anything is allocated for it.
	maxBlob = 1 << 28
)

type recordHeader struct {
	plain       bool
	codec       uint8
	payloadSize int
	blobSize    int
	hash        Hash
	seq         uint64
	stamp       uint64
	expires     int64
}

func (h *recordHeader) append(dst []byte) []byte {
	var flags byte
	if h.plain {
		flags |= flagPlain
	}
	dst = append(dst, recordVersion, flags, h.codec, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.payloadSize))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.blobSize))
	dst = append(dst, h.hash[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, h.seq)
	dst = binary.LittleEndian.AppendUint64(dst, h.stamp)
	return binary.LittleEndian.AppendUint64(dst, uint64(h.expires))
}

func parseRecordHeader(b []byte) (h recordHeader, err error) {
	if len(b) < recordHeaderSize {
		return h, fmt.Errorf("record header cut short: %w", ErrDamaged)
	}
	if b[0] != recordVersion || b[1]&^flagPlain != 0 || b[3] != 0 {
		return h, fmt.Errorf("no record header: %w", ErrDamaged)
	}
	h.plain = b[1]&flagPlain != 0
	h.codec = b[2]
	h.payloadSize = int(binary.LittleEndian.Uint32(b[4:]))
	h.blobSize = int(binary.LittleEndian.Uint32(b[8:]))
	if h.payloadSize < crypto.Overhead || h.payloadSize > maxBlob || h.blobSize > maxBlob {
		return h, fmt.Errorf("record sizes out of range: %w", ErrDamaged)
	}
	copy(h.hash[:], b[12:28])
	h.seq = binary.LittleEndian.Uint64(b[28:])
	h.stamp = binary.LittleEndian.Uint64(b[36:])
	h.expires = int64(binary.LittleEndian.Uint64(b[44:]))
	return h, nil
}

func (h *recordHeader) size() int { return recordHeaderSize + h.payloadSize }

// Contexts keep a record, a batch index, a footer and a dictionary from being taken for one another.
const (
	kindRecord = iota + 1
	kindBatchIndex
	kindFooter
	kindDictionary
)

// appendAAD is the associated data of whatever is sealed in a segment: its kind, its header, and the segment's context,
// which stands for format version, stage, generation and segment.
func appendAAD(dst []byte, kind byte, header []byte, ctx [16]byte) []byte {
	dst = append(dst, kind)
	dst = append(dst, header...)
	return append(dst, ctx[:]...)
}

// sealRecord appends header and sealed payload to dst.
func sealRecord(dst []byte, s *crypto.Sealer, h *recordHeader, payload []byte) ([]byte, error) {
	h.payloadSize = len(payload) + crypto.Overhead
	start := len(dst)
	dst = h.append(dst)
	var room [1 + recordHeaderSize + 16]byte
	aad := appendAAD(room[:0], kindRecord, dst[start:], s.Context())
	if h.plain {
		return s.Protect(dst, payload, aad)
	}
	return s.Seal(dst, payload, aad)
}

// openRecord authenticates the record at the beginning of b and appends its payload to dst.
func openRecord(dst []byte, s *crypto.Sealer, h *recordHeader, b []byte) ([]byte, error) {
	if len(b) < h.size() {
		return dst, fmt.Errorf("record cut short: %w", ErrDamaged)
	}
	room := getBuffer(0)
	defer putBuffer(room)
	*room = appendAAD(*room, kindRecord, b[:recordHeaderSize], s.Context())
	aad := *room
	payload := b[recordHeaderSize:h.size()]
	if h.plain {
		return s.Verify(dst, payload, aad)
	}
	return s.Open(dst, payload, aad)
}
