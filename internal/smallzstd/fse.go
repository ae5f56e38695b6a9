package smallzstd

import "math/bits"

// fseTable encodes symbols of an alphabet of at most 64 by finite state entropy (RFC 8878, section 4.1).
type fseTable struct {
	log   uint
	next  [64]uint16 // states, those of a symbol together
	trans [64]fseSymbol
}

type fseSymbol struct {
	deltaBits uint32 // with a state added, the upper half is how many bits to write
	deltaFind int32
}

// build makes the table for a distribution: counts of symbols that add up to 1<<log, where -1 stands for a count of one at the
// table's end.
func (t *fseTable) build(norm []int8, log uint) {
	t.log = log
	size := uint32(1) << log
	var symbols [64]uint8
	var from [64]uint16 // where a symbol's states begin in next
	high, sum := size-1, uint16(0)
	for s, n := range norm {
		from[s] = sum
		if n == -1 {
			symbols[high] = uint8(s)
			high--
			n = 1
		}
		sum += uint16(n)
	}
	at, step := uint32(0), size>>1+size>>3+3
	for s, n := range norm {
		for range max(n, 0) {
			symbols[at] = uint8(s)
			for at = (at + step) & (size - 1); at > high; {
				at = (at + step) & (size - 1)
			}
		}
	}
	fill := from
	for state, s := range symbols[:size] {
		t.next[fill[s]] = uint16(size) + uint16(state)
		fill[s]++
	}
	for s, n := range norm {
		switch n {
		case 0:
		case 1, -1:
			t.trans[s] = fseSymbol{uint32(log)<<16 - size, int32(from[s]) - 1}
		default:
			most := uint32(log) - uint32(bits.Len8(uint8(n-1))-1)
			t.trans[s] = fseSymbol{most<<16 - uint32(n)<<most, int32(from[s]) - int32(n)}
		}
	}
}

// start is the state of an encoder after its first symbol, which is the last of the data.
func (t *fseTable) start(s uint8) uint32 {
	tr := &t.trans[s&63]
	n := (tr.deltaBits + 1<<15) >> 16
	return uint32(t.next[(int32((n<<16-tr.deltaBits)>>n)+tr.deltaFind)&63])
}

// encode writes what leads from the state of s back to the given one, and returns the state of s.
func (t *fseTable) encode(w *bitWriter, state uint32, s uint8) uint32 {
	tr := &t.trans[s&63]
	n := (state + tr.deltaBits) >> 16
	w.add(uint64(state&(1<<n-1)), uint(n))
	return uint32(t.next[(int32(state>>n)+tr.deltaFind)&63])
}

// end writes the last state, which is where a reader begins.
func (t *fseTable) end(w *bitWriter, state uint32) {
	w.add(uint64(state&(1<<t.log-1)), t.log)
}

// appendCounts describes a distribution without -1 (RFC 8878, section 4.1.1).
func appendCounts(dst []byte, norm []int8, log uint) []byte {
	acc, have := uint64(log-5), uint(4)
	remaining, threshold, width := 1<<log+1, 1<<log, log+1
	zero := false
	for s := 0; s < len(norm) && remaining > 1; {
		if zero {
			run := 0
			for norm[s] == 0 {
				run, s = run+1, s+1
			}
			for ; run >= 3; run -= 3 {
				acc |= 3 << have
				have += 2
			}
			acc |= uint64(run) << have
			have += 2
		}
		n := int(norm[s])
		s++
		most := 2*threshold - 1 - remaining // values below it take a bit less
		remaining -= n
		n++
		zero = n == 1
		v := n
		if v >= threshold {
			v += most
		}
		acc |= uint64(v) << have
		have += width
		if n < most {
			have--
		}
		for remaining < threshold {
			width--
			threshold >>= 1
		}
		for ; have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	if have > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}
