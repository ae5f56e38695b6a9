package smallzstd

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// shortMatch is up to which length a match at a new offset takes more room than the literals it stands for.
const shortMatch = 4

// matcher finds what repeats.
type matcher struct {
	snappy []byte
	seqs   []sequence
	lits   []byte
}

// split divides src into sequences and the literals of all of them, those after the last match included. The search itself is
// left to s2, which does it in assembly: what it writes, Snappy's block format, is nothing but literals and copies.
func (m *matcher) split(src []byte) {
	if m.snappy == nil {
		m.snappy = make([]byte, s2.MaxEncodedLen(MaxSize))
	}
	in := s2.EncodeSnappy(m.snappy, src)
	_, n := binary.Uvarint(in) // the size of src
	in = in[n:]
	seqs, lits := m.seqs[:0], m.lits[:0]
	recent := [3]uint32{1, 4, 8}
	from, at := uint32(0), uint32(0) // in src: of the literals that are waiting, and how far in has come
	for len(in) > 0 {
		var length, offset uint32
		switch tag := in[0]; tag & 3 {
		case 0: // literals
			n, head := uint32(tag>>2), 1
			switch n {
			case 60:
				n, head = uint32(in[1]), 2
			case 61:
				n, head = uint32(in[1])|uint32(in[2])<<8, 3
			}
			n++
			at += n
			in = in[uint32(head)+n:]
			continue
		case 1: // a near copy
			length, offset = 4+uint32(tag>>2)&7, uint32(tag>>5)<<8|uint32(in[1])
			in = in[2:]
		case 2:
			length, offset = 1+uint32(tag>>2), uint32(in[1])|uint32(in[2])<<8
			in = in[3:]
		}
		for len(in) > 2 && in[0]&3 == 2 && uint32(in[1])|uint32(in[2])<<8 == offset { // long copies come in pieces
			length += 1 + uint32(in[0]>>2)
			in = in[3:]
		}
		for len(in) > 1 && in[0]&3 == 1 && uint32(in[0]>>5)<<8|uint32(in[1]) == offset {
			length += 4 + uint32(in[0]>>2)&7
			in = in[2:]
		}
		if length <= shortMatch && offset != recent[0] {
			at += length
			continue
		}
		lits = append(lits, src[from:at]...)
		seqs = append(seqs, sequence{at - from, length, offsetCode(&recent, offset, from == at)})
		at += length
		from = at
	}
	m.lits = append(lits, src[from:]...)
	m.seqs = seqs
}

// offsetCode is how zstd codes an offset; the three last ones have numbers of their own, which mean something else where
// no literals come before the match (RFC 8878, section 3.1.1.5).
func offsetCode(recent *[3]uint32, offset uint32, direct bool) uint32 {
	code := offset + 3
	switch {
	case !direct && offset == recent[0]:
		return 1
	case offset == recent[1]:
		code = 2
	case offset == recent[2]:
		code = 3
	case direct && offset == recent[0]-1:
		code = 4
	}
	if offset == recent[1] {
		recent[0], recent[1] = offset, recent[0]
	} else {
		recent[0], recent[1], recent[2] = offset, recent[0], recent[1]
	}
	if direct && code <= 4 && code != offset+3 {
		code--
	}
	return code
}
