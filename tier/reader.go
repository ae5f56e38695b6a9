package tier

import "encoding/binary"

// reader takes values off the front of b. After the first that does not fit, bad is set and everything reads as zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || len(r.b) < n {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (r *reader) hash(h *Hash) { copy(h[:], r.take(len(h))) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// size reads a size of something that fits in a record.
func (r *reader) size() int {
	v := r.uvarint()
	if v > maxBlob+recordHeaderSize {
		r.bad = true
		return 0
	}
	return int(v)
}

// count reads a number of items of at least least bytes each: more than can follow is damage, seen before anything is allocated.
func (r *reader) count(least int) int {
	v := r.uvarint()
	if r.bad || v > uint64(len(r.b)/least) {
		r.bad = true
		return 0
	}
	return int(v)
}
