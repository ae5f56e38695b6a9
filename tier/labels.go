package tier

import (
	"encoding/binary"
	"maps"
)

// maxLabels bounds what a segment remembers of the labels its records carry. Past it, further labels fall into other,
// which every question then counts: answers stay upper bounds.
const maxLabels = 4096

// labelCounts counts records per label. The zero value is empty.
type labelCounts struct {
	n     map[uint64]uint32
	other uint32
}

func (c *labelCounts) add(label uint64, n uint32) {
	if c.n == nil {
		c.n = make(map[uint64]uint32)
	}
	if _, ok := c.n[label]; !ok && len(c.n) >= maxLabels {
		c.other += n
		return
	}
	c.n[label] += n
}

func (c *labelCounts) clone() labelCounts { return labelCounts{maps.Clone(c.n), c.other} }

func (c *labelCounts) merge(o *labelCounts) {
	for l, n := range o.n {
		c.add(l, n)
	}
	c.other += o.other
}

// atMost is an upper bound of the records that carry label.
func (c *labelCounts) atMost(label uint64) int64 { return int64(c.n[label]) + int64(c.other) }

func (c *labelCounts) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.other))
	dst = binary.AppendUvarint(dst, uint64(len(c.n)))
	for l, n := range c.n {
		dst = binary.LittleEndian.AppendUint64(dst, l)
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func (c *labelCounts) parse(r *reader) {
	c.other = uint32(r.uvarint())
	n := r.count(9)
	if n > maxLabels {
		r.bad = true
		return
	}
	for range n {
		l := r.uint64()
		c.add(l, uint32(r.uvarint()))
	}
}
