package engine

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Entry is what a Get found.
type Entry struct {
	Value   []byte    // as it was put; Get appends it to dst
	Stored  time.Time // engine time of the Put
	Expires time.Time // fresh until
	Retain  time.Time // kept until
	Stale   bool      // past Expires, or softly purged: whether it may be used is the caller's decision
	Plain   bool      // stored without encryption (integrity only)
	Tier    Tier
}

// Tier says where an entry was found.
type Tier uint8

const (
	Memory Tier = iota + 1
	Disk
)

func (t Tier) String() string {
	switch t {
	case Memory:
		return "memory"
	case Disk:
		return "disk"
	}
	return "none"
}

// Meta says how a value is to be kept.
type Meta struct {
	TTL    time.Duration // freshness lifetime from now
	Retain time.Duration // how long past TTL the entry is kept, stale
	Path   string        // percent-decoded, begins with "/": what path, prefix and pattern purges match; "": none does
	Tags   []string      // at most MaxTags, MaxTagBytes in all
	Plain  bool          // integrity only, no encryption
	// Given says that the value is the store's from now on: whoever has it may read it, and nobody writes to it, nor to what lies between its
	// length and its capacity. With Room there, and not much more, it is stored without being copied. Give a value once: the store writes to its room.
	Given bool
}

// Room is what an entry under a key of so many bytes takes besides its value.
func (m *Meta) Room(key int) int {
	n := key + len(m.Path) + fixedSize
	for _, t := range m.Tags {
		n += 2 + len(t)
	}
	return n
}

// base is what the blob of value is appended to: value itself if it is given and has the room.
func (m *Meta) base(value []byte, key int) []byte {
	room, spare := m.Room(key), cap(value)-len(value)
	if m.Given && spare >= room && spare <= room+len(value)/8 {
		return value
	}
	return append(make([]byte, 0, len(value)+room), value...)
}

// A blob is what a tier keeps: the value first, so that it can be handed out where it lies, then what the engine needs.
//
//	value | key | path | tags, each after its length in two bytes | fixed
//	fixed: stored 8 | fresh until 8 | value size 4 | key size 4 | path size 4 | tags size 4
const fixedSize = 32

// finishBlob appends to the value what comes after it.
func finishBlob(value, key []byte, m *Meta, stored, fresh int64) []byte {
	dst := append(value, key...)
	dst = append(dst, m.Path...)
	before := len(dst)
	for _, t := range m.Tags {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(t)))
		dst = append(dst, t...)
	}
	tags := len(dst) - before
	dst = binary.LittleEndian.AppendUint64(dst, uint64(stored))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(fresh))
	for _, n := range [...]int{len(value), len(key), len(m.Path), tags} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return dst
}

// blob is a parsed one; its slices point into it.
type blob struct {
	value, key, path, tags []byte
	stored, fresh          int64
}

func parseBlob(b []byte) (p blob, ok bool) {
	if len(b) < fixedSize {
		return p, false
	}
	f := b[len(b)-fixedSize:]
	p.stored = int64(binary.LittleEndian.Uint64(f))
	p.fresh = int64(binary.LittleEndian.Uint64(f[8:]))
	rest := b[:len(b)-fixedSize]
	for i, part := range [4]*[]byte{&p.value, &p.key, &p.path, &p.tags} {
		n := uint64(binary.LittleEndian.Uint32(f[16+4*i:]))
		if n > uint64(len(rest)) {
			return blob{}, false
		}
		*part, rest = rest[:n:n], rest[n:]
	}
	return p, len(rest) == 0
}

// eachTag calls fn until it returns false.
func (p *blob) eachTag(fn func(tag []byte) bool) {
	for t := p.tags; len(t) >= 2; {
		n := int(binary.LittleEndian.Uint16(t))
		if t = t[2:]; n > len(t) || !fn(t[:n]) {
			return
		}
		t = t[n:]
	}
}

func (m *Meta) check() error {
	if len(m.Tags) > MaxTags {
		return ErrTooManyTags
	}
	n := 0
	for _, t := range m.Tags {
		if n += len(t); n > MaxTagBytes {
			return ErrTooManyTags
		}
	}
	if len(m.Path) > MaxKey {
		return ErrBadKey
	}
	return nil
}

func (p *blob) isFor(key []byte) bool { return bytes.Equal(p.key, key) }
