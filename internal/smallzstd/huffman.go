package smallzstd

import "encoding/binary"

const (
	maxCodeBits = 11
	// What follows the number of sequences and what precedes it is about as long; below it, Huffman codes cannot pay for their table.
	minLiterals = 32
	// From here on zstd wants four streams, which decoders read side by side.
	fourStreams = 1024
)

// huffman is the scratch memory for coding literals.
type huffman struct {
	count   [256]uint32
	used    [256]uint8 // the symbols that occur, in their order
	symbols [256]uint8 // the same, rarest first
	starts  [128]uint16
	weight  [512]uint32 // of the tree's nodes: first symbols', then inner ones'
	parent  [512]uint16 // of the tree's nodes
	depth   [512]uint8  // of the tree's nodes
	of      [maxCodeBits + 1]int
	bits    [256]uint8  // a code's length; 0: none
	code    [256]uint32 // value<<8 | length
	weights [256]uint8  // as described
	table   fseTable    // for describing them
}

// appendLiterals writes a literals section, coded if that makes it shorter.
func (h *huffman) appendLiterals(dst, lits []byte) []byte {
	if len(lits) < minLiterals {
		return appendRawLiterals(dst, lits)
	}
	n := h.sort(lits)
	last := int(h.used[max(n, 1)-1])
	if n < 2 {
		return appendRawLiterals(dst, lits) // the same byte again and again is a match to the matcher, so these are few
	}
	top := h.lengths(n)
	h.codes(n, top)
	head := 3
	if len(lits) >= fourStreams {
		head = 4
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0)[:start+head]
	dst, ok := h.appendTable(dst, n, top, last)
	if ok {
		dst, ok = h.appendStreams(dst, lits)
	}
	size := len(dst) - start - head
	if !ok || size >= len(lits) {
		return appendRawLiterals(dst[:start], lits)
	}
	if head == 3 { // one stream, ten bits for each size
		v := uint32(2) | uint32(len(lits))<<4 | uint32(size)<<14
		dst[start], dst[start+1], dst[start+2] = byte(v), byte(v>>8), byte(v>>16)
		return dst
	}
	// four streams, 14 bits for each size
	binary.LittleEndian.PutUint32(dst[start:], 2|2<<2|uint32(len(lits))<<4|uint32(size)<<18)
	return dst
}

func appendRawLiterals(dst, lits []byte) []byte {
	switch n := len(lits); {
	case n < 32:
		dst = append(dst, byte(n<<3))
	case n < 4096:
		dst = append(dst, byte(1<<2|n<<4), byte(n>>4))
	default:
		dst = append(dst, byte(3<<2|n<<4), byte(n>>4), byte(n>>12))
	}
	return append(dst, lits...)
}

// sort lists the symbols in use, rarest first, and returns how many there are.
func (h *huffman) sort(lits []byte) (n int) {
	h.count = [256]uint32{}
	for _, b := range lits {
		h.count[b]++
	}
	for s, c := range h.count {
		h.used[n&255] = uint8(s)
		n += int((c | -c) >> 31) // one more if c is not zero, without a branch that nobody can predict
	}
	// Most counts are small, so a place of its own for each of them sorts most. Larger ones share the last.
	const own = uint32(len(h.starts) - 1)
	h.starts = [own + 1]uint16{}
	for _, s := range h.used[:n] {
		h.starts[min(h.count[s], own)]++
	}
	sum := uint16(0)
	for c, k := range h.starts {
		h.starts[c] = sum
		sum += k
	}
	shared := int(h.starts[own])
	for _, s := range h.used[:n] {
		at := &h.starts[min(h.count[s], own)]
		h.symbols[*at&255] = s
		*at++
	}
	for i := shared + 1; i < n; i++ {
		for k := i; k > shared && h.count[h.symbols[k]] < h.count[h.symbols[k-1]]; k-- {
			h.symbols[k], h.symbols[k-1] = h.symbols[k-1], h.symbols[k]
		}
	}
	return n
}

// lengths sets each symbol's code length, and returns the greatest.
func (h *huffman) lengths(n int) (top int) {
	for i, s := range h.symbols[:n] {
		h.weight[i] = h.count[s]
	}
	for {
		root := h.tree(n)
		h.depth[root] = 0
		for i := root - 1; i >= 0; i-- {
			h.depth[i] = h.depth[h.parent[i]&511] + 1
		}
		if top = int(h.depth[0]); top <= maxCodeBits { // the rarest symbol lies deepest
			break
		}
		for i := range n { // flatter, in the same order
			h.weight[i] = (h.weight[i] + 1) / 2
		}
	}
	h.bits = [256]uint8{}
	h.of = [maxCodeBits + 1]int{}
	for i, s := range h.symbols[:n] {
		h.bits[s] = h.depth[i]
		h.of[h.depth[i]]++
	}
	return top
}

// tree joins the two lightest nodes until one is left, whose number it returns. Both the symbols and the inner nodes come in
// order of weight, so the lightest are at the front of one or the other.
func (h *huffman) tree(n int) (root int) {
	leaf, inner := 0, n
	for made := n; made < 2*n-1; made++ {
		var sum uint32
		for range 2 {
			k := leaf
			if leaf >= n || inner < made && h.weight[inner] < h.weight[leaf] {
				k = inner
				inner++
			} else {
				leaf++
			}
			sum += h.weight[k]
			h.parent[k] = uint16(made)
		}
		h.weight[made] = sum
	}
	return 2*n - 2
}

// codes gives each symbol its code: the longest first, those of a length in the symbols' order.
func (h *huffman) codes(n, top int) {
	var next [16]uint32
	v := uint32(0)
	for b := top; b > 0; b-- {
		next[b] = v
		v = (v + uint32(h.of[b])) >> 1
	}
	h.weights = [256]uint8{}
	for _, s := range h.used[:n] {
		b := h.bits[s]
		h.code[s] = next[b&15]<<8 | uint32(b)
		next[b&15]++
		h.weights[s] = uint8(top) + 1 - b
	}
}

// appendTable describes the codes: the weights of all symbols but the last, whose own follows from them. false: it cannot.
func (h *huffman) appendTable(dst []byte, n, top, last int) ([]byte, bool) {
	weights := h.weights[:last]
	start := len(dst)
	dst = append(dst, 0)
	if packed, ok := h.appendWeights(dst, weights, n, top); ok && (len(packed)-start-1 < len(weights)/2 || len(weights) > 128) {
		size := len(packed) - start - 1
		packed[start] = byte(size)
		return packed, size < 128
	}
	if len(weights) > 128 {
		return dst, false
	}
	dst[start] = byte(127 + len(weights))
	for i := 0; i < len(weights); i += 2 {
		b := weights[i] << 4
		if i+1 < len(weights) {
			b |= weights[i+1]
		}
		dst = append(dst, b)
	}
	return dst, true
}

// appendWeights writes weights by finite state entropy; false: they are too few, or all the same.
func (h *huffman) appendWeights(dst []byte, weights []uint8, n, top int) ([]byte, bool) {
	const log = 6
	var count [maxCodeBits + 1]int
	for b := 1; b <= top; b++ {
		count[top+1-b] = h.of[b]
	}
	count[h.weights[len(weights)]]-- // the last one is not described
	count[0] = len(weights) - (n - 1)
	norm, ok := normalize(&count, len(weights), 1<<log)
	if !ok {
		return dst, false
	}
	t := &h.table
	t.build(norm[:], log)
	used := len(norm)
	for norm[used-1] == 0 {
		used--
	}
	dst = appendCounts(dst, norm[:used], log)
	from := len(dst)
	dst = grow(dst, len(weights)+16) // at most 6 bits for each
	w := bitWriter{out: dst[from:]}
	// Two states take turns, so that a reader can follow both at a time. The first symbol belongs to the first.
	i := len(weights)
	var first, second uint32
	if i&1 != 0 {
		first, second = t.start(weights[i-1]), t.start(weights[i-2])
		first = t.encode(&w, first, weights[i-3])
		i -= 3
	} else {
		second, first = t.start(weights[i-1]), t.start(weights[i-2])
		i -= 2
	}
	for ; i >= 2; i -= 2 {
		second = t.encode(&w, second, weights[i-1])
		first = t.encode(&w, first, weights[i-2])
		if w.bits >= 40 {
			w.flush()
		}
	}
	w.flush()
	t.end(&w, second)
	t.end(&w, first)
	return dst[:from+w.close()], true
}

// normalize scales counts so that they add up to size, and none that occurs becomes nothing.
func normalize(count *[maxCodeBits + 1]int, total, size int) (norm [maxCodeBits + 1]int8, ok bool) {
	if total < 3 {
		return norm, false
	}
	left, most := size, 0
	for w, n := range count {
		if n == total {
			return norm, false
		}
		if n > 0 {
			v := max(1, (n*size+total/2)/total)
			norm[w] = int8(v)
			left -= v
		}
		if n > count[most] {
			most = w
		}
	}
	for ; left < 0; left++ { // what was rounded up is taken where it hurts least
		k := most
		for w, v := range norm {
			if v > norm[k] {
				k = w
			}
		}
		norm[k]--
	}
	norm[most] += int8(left)
	return norm, true
}

// appendStreams writes the literals' codes: one stream, or from 1,024 literals on four with a table of their sizes.
func (h *huffman) appendStreams(dst, lits []byte) ([]byte, bool) {
	if len(lits) < fourStreams {
		return h.appendStream(dst, lits), true
	}
	sizes := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0)
	part := (len(lits) + 3) / 4
	for k := range 4 {
		before := len(dst)
		dst = h.appendStream(dst, lits[k*part:min((k+1)*part, len(lits))])
		if n := len(dst) - before; k < 3 {
			binary.LittleEndian.PutUint16(dst[sizes+2*k:], uint16(n))
		}
	}
	return dst, true
}

// appendStream writes the codes of lits from the last to the first.
func (h *huffman) appendStream(dst, lits []byte) []byte {
	from := len(dst)
	dst = grow(dst, len(lits)*maxCodeBits/8+16)
	w := bitWriter{out: dst[from:]}
	for len(lits) >= 4 { // 44 bits at most
		k := len(lits) - 4
		c0, c1, c2, c3 := h.code[lits[k+3]], h.code[lits[k+2]], h.code[lits[k+1]], h.code[lits[k]]
		w.add(uint64(c0>>8), uint(c0&15))
		w.add(uint64(c1>>8), uint(c1&15))
		w.add(uint64(c2>>8), uint(c2&15))
		w.add(uint64(c3>>8), uint(c3&15))
		w.flush()
		lits = lits[:k]
	}
	for k := len(lits) - 1; k >= 0; k-- {
		c := h.code[lits[k]]
		w.add(uint64(c>>8), uint(c&15))
	}
	w.flush()
	return dst[:from+w.close()]
}
