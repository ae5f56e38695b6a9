package smallzstd

import "encoding/binary"

// bitWriter writes a bit stream that is read from its end: the first bits are the lowest of the first byte. The room it writes
// to must be large enough, with eight bytes to spare: flush writes whole words.
type bitWriter struct {
	out  []byte
	at   int
	acc  uint64
	bits uint // in acc, below 8 after a flush
}

// add takes the lowest n bits of v, which has no others. At most 56 fit between two flushes.
func (w *bitWriter) add(v uint64, n uint) {
	w.acc |= v << (w.bits & 63)
	w.bits += n
}

func (w *bitWriter) flush() {
	binary.LittleEndian.PutUint64(w.out[w.at:], w.acc)
	n := w.bits >> 3
	w.at += int(n)
	w.acc >>= (n * 8) & 63
	w.bits &= 7
}

// close marks the end, which is where a reader begins, and returns how many bytes were written.
func (w *bitWriter) close() int {
	w.add(1, 1)
	w.flush()
	if w.bits > 0 {
		w.at++
	}
	return w.at
}
