package crypto

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
)

// SegmentHeaderSize is the exact size in bytes of a segment's header.
const SegmentHeaderSize = 8 + 2 + 2 + 4 + 16 + 8 + 32 + 32 + segmentChecksum

const (
	segmentMagic    = "STGCSEGM"
	segmentChecksum = 8
	segmentFile     = "segment header"
)

// SegmentHeader says which key a segment's records are sealed under. Nothing in it is secret, and all of it is bound:
// with any field changed the segment does not open.
type SegmentHeader struct {
	Version    uint16
	Generation Generation
	Epoch      uint32
	ID         uint64
	Salt       [32]byte // makes the segment's keys its own
	Commitment [32]byte // to those keys
}

// Append appends the header's SegmentHeaderSize bytes, big-endian: magic, version, two zero bytes, epoch, generation,
// id, salt, commitment, and the first 8 bytes of the SHA-256 of all that.
func (h SegmentHeader) Append(dst []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, SegmentHeaderSize)
	dst = append(dst, segmentMagic...)
	dst = binary.BigEndian.AppendUint16(dst, h.Version)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, h.Epoch)
	dst = append(dst, h.Generation[:]...)
	dst = binary.BigEndian.AppendUint64(dst, h.ID)
	dst = append(dst, h.Salt[:]...)
	dst = append(dst, h.Commitment[:]...)
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:segmentChecksum]...)
}

// ParseSegmentHeader reads what Append wrote: ErrDamaged or ErrFormatNewer if it cannot. It proves nothing about
// the key; OpenSegment does.
func ParseSegmentHeader(b []byte) (SegmentHeader, error) {
	var h SegmentHeader
	if len(b) != SegmentHeaderSize {
		return h, damagedf(segmentFile, "%d bytes instead of %d", len(b), SegmentHeaderSize)
	}
	content := b[:SegmentHeaderSize-segmentChecksum]
	sum := sha256.Sum256(content)
	if string(b[:len(segmentMagic)]) != segmentMagic || !bytes.Equal(sum[:segmentChecksum], b[len(content):]) {
		return h, damagedf(segmentFile, "its checksum does not match")
	}
	h.Version = binary.BigEndian.Uint16(b[8:])
	if err := checkSegmentVersion(h.Version); err != nil {
		return SegmentHeader{}, err
	}
	if b[10] != 0 || b[11] != 0 {
		return SegmentHeader{}, damagedf(segmentFile, "unknown flags")
	}
	h.Epoch = binary.BigEndian.Uint32(b[12:])
	rest := b[16:]
	rest = rest[copy(h.Generation[:], rest):]
	h.ID = binary.BigEndian.Uint64(rest)
	rest = rest[8:]
	rest = rest[copy(h.Salt[:], rest):]
	copy(h.Commitment[:], rest)
	return h, nil
}

func checkSegmentVersion(v uint16) error {
	switch {
	case v > formatVersion:
		return failf(ErrFormatNewer, "segment has format version %d, this release understands up to %d", v, formatVersion)
	case v < 1:
		return damagedf(segmentFile, "format version 0")
	}
	return nil
}

// NewSegment makes the keys of a new segment under the newest epoch. Write the header before the first record.
func (s *StageKey) NewSegment(id uint64) (SegmentHeader, *Sealer, error) {
	h := SegmentHeader{Version: formatVersion, Generation: s.generation, ID: id}
	random(h.Salt[:])
	s.mu.RLock()
	defer s.mu.RUnlock()
	newest := s.newest()
	if newest.key == nil {
		return SegmentHeader{}, nil, fmt.Errorf("new segment: %w", ErrNoKeyMaterial)
	}
	h.Epoch = newest.epoch
	sealer, commitment, err := s.segmentKeys(&h, newest.key)
	if err != nil {
		return SegmentHeader{}, nil, fmt.Errorf("new segment: %w", err)
	}
	h.Commitment = commitment
	return h, sealer, nil
}

// OpenSegment makes the keys of a segment again, to read it, and to finish one that a crash left open. The count of its
// seals begins at zero again; Resume sets it right where more than a few records are to follow. Its errors:
// *GenerationError, ErrEpoch, ErrFormatNewer, and ErrCommitment for a header that was not made with this stage key.
func (s *StageKey) OpenSegment(h SegmentHeader) (*Sealer, error) {
	if err := checkSegmentVersion(h.Version); err != nil {
		return nil, err
	}
	if h.Generation != s.generation {
		return nil, &GenerationError{Segment: h.Generation, Store: s.generation}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.IndexFunc(s.epochs, func(e epochKey) bool { return e.epoch == h.Epoch })
	if i < 0 {
		return nil, failf(ErrEpoch, "segment %d is sealed under key epoch %d, which this store does not hold", h.ID, h.Epoch)
	}
	sealer, commitment, err := s.segmentKeys(&h, s.epochs[i].key)
	if err != nil {
		return nil, fmt.Errorf("open segment %d: %w", h.ID, err)
	}
	if subtle.ConstantTimeCompare(commitment[:], h.Commitment[:]) != 1 {
		return nil, failf(ErrCommitment, "segment %d: %v", h.ID, ErrCommitment)
	}
	return sealer, nil
}

// segmentKeys derives all that belongs to one segment. Callers hold s.mu.
//
// Safe: the salt is random and new for each segment, and the info binds version, stage, generation, epoch and segment
// id, so no two segments share a key even if a salt came twice; three labels give three independent outputs. The
// commitment is one of them: another sealing key, or another header, does not give the same one.
func (s *StageKey) segmentKeys(h *SegmentHeader, sealing *[KeySize]byte) (*Sealer, [32]byte, error) {
	var commitment [32]byte
	bound := [][]byte{be16(h.Version), []byte(s.stage), h.Generation[:], be32(h.Epoch), be64(h.ID)}
	var out [3][]byte
	for i, label := range []string{labelSeal, labelProtect, labelSegCommit} {
		var err error
		if out[i], err = derive(sealing[:], h.Salt[:], string(frame(label, bound...)), 32); err != nil {
			return nil, commitment, err
		}
	}
	defer clear(out[0])
	defer clear(out[1])
	copy(commitment[:], out[2])
	context := sha256.Sum256(frame(labelContext, be16(h.Version), []byte(s.stage), h.Generation[:], be64(h.ID)))
	sealer, err := newSealer(out[0], out[1], [16]byte(context[:]))
	return sealer, commitment, err
}
