package smallzstd

import (
	"math/bits"
	"sync"
)

// sequence is some literals and a match after them.
type sequence struct {
	literals uint32
	match    uint32 // length
	offset   uint32 // as zstd codes it: 1 to 3 are the offsets before, else offset+3
}

// Code 25 of literal lengths and code 43 of match lengths are where codes become the position of the highest bit.
const (
	literalCodes = 64
	matchCodes   = 128
	minMatch     = 3
)

// tables are those that RFC 8878 gives for sequences (section 3.1.1.3.2.2), with the codes of small lengths.
type tables struct {
	literal, match, offset fseTable
	literalCode            [literalCodes]uint8
	matchCode              [matchCodes]uint8
	literalBits            [36]uint8
	matchBits              [53]uint8
}

var predefined = sync.OnceValue(func() *tables {
	t := new(tables)
	t.literal.build([]int8{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
		-1, -1, -1, -1}, 6)
	t.match.build([]int8{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1}, 6)
	t.offset.build([]int8{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1}, 5)
	copy(t.literalBits[16:], []uint8{1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	copy(t.matchBits[32:], []uint8{1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	number(t.literalCode[:], t.literalBits[:])
	number(t.matchCode[:], t.matchBits[:])
	return t
})

// number gives each length the code whose range it is in.
func number(codes, extra []uint8) {
	n := 0
	for code, b := range extra {
		for k := 0; k < 1<<b && n < len(codes); k++ {
			codes[n] = uint8(code)
			n++
		}
	}
}

func (t *tables) codesOf(q *sequence) (literal, match, offset uint8) {
	literal, match = uint8(bits.Len32(q.literals)+18), uint8(bits.Len32(q.match-minMatch)+35)
	if q.literals < literalCodes {
		literal = t.literalCode[q.literals]
	}
	if q.match-minMatch < matchCodes {
		match = t.matchCode[q.match-minMatch]
	}
	return literal, match, uint8(bits.Len32(q.offset) - 1)
}

// extra writes what the codes leave open. A code's base is a multiple of its range within each alphabet's upper part, but not
// in the lower, so the bits that are kept are those of the distance to the base; for all of zstd's codes these are the value's
// lowest bits.
func (t *tables) extra(w *bitWriter, q *sequence, literal, match, offset uint8) {
	n := t.literalBits[literal]
	w.add(uint64(q.literals&(1<<n-1)), uint(n))
	n = t.matchBits[match]
	w.add(uint64((q.match-minMatch)&(1<<n-1)), uint(n))
	w.add(uint64(q.offset&(1<<offset-1)), uint(offset))
}

// appendSequences writes a sequences section. It may need twelve bytes for each sequence.
func appendSequences(dst []byte, seqs []sequence) []byte {
	n := len(seqs)
	if n < 128 {
		dst = append(dst, byte(n))
	} else {
		dst = append(dst, byte(n>>8+128), byte(n))
	}
	if n == 0 {
		return dst
	}
	dst = append(dst, 0) // predefined tables for all three
	t := predefined()
	from := len(dst)
	dst = grow(dst, 12*n+24)
	w := bitWriter{out: dst[from:]}
	q := &seqs[n-1]
	l, m, o := t.codesOf(q)
	literal, match, offset := t.literal.start(l), t.match.start(m), t.offset.start(o)
	t.extra(&w, q, l, m, o)
	w.flush()
	for i := n - 2; i >= 0; i-- {
		q = &seqs[i]
		l, m, o = t.codesOf(q)
		offset = t.offset.encode(&w, offset, o)
		match = t.match.encode(&w, match, m)
		literal = t.literal.encode(&w, literal, l)
		w.flush() // 17 bits above, at most 48 below
		t.extra(&w, q, l, m, o)
		w.flush()
	}
	t.match.end(&w, match)
	t.offset.end(&w, offset)
	t.literal.end(&w, literal)
	return dst[:from+w.close()]
}
