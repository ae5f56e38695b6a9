package tier

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
)

// Memory is a Tier in fastcache. Old entries fall out by themselves, oldest first; nothing tells. So that what is asked for
// stays, a hit says when its entry has gone half its way out (Found.Old), and Renew puts it back at the beginning.
//
// fastcache drops values of 64 KiB and more, and its own SetBig stores chunks under a hash of the content that any value
// may share. So larger blobs are chunked here: each under the version of its Put, a number that never repeats in the
// process. A chunk of another value, or of an older version of the same, is therefore never taken for one of this.
type Memory struct {
	cache   *fastcache.Cache
	chunk   int
	half    uint64 // bytes
	version atomic.Uint64
	written atomic.Uint64 // bytes put: how far the rings have turned
}

// Limits of fastcache.
const (
	// MemoryStep is the granularity of fastcache: less than one step cannot be had.
	MemoryStep = 32 << 20
	// smallCache is below what size of cache chunks are kept small: each of fastcache's 512 rings is then a few 64 KiB
	// blocks, and an entry does not cross from one block to the next.
	smallCache = 256 << 20
)

// An entry's value ends in a descriptor, so that what is before it can be handed out where it lies:
//
//	blob, if it fits in one chunk | seq 8 | stamp 8 | expires 8 | version 8 | written 8 | blob size 4 | flags 1
const (
	memDescriptor = 45
	memPlain      = 1
	memChunked    = 2
)

// NewMemory takes bytes of memory, rounded down to steps of 32 MiB, and never gives them back.
func NewMemory(bytes int64) *Memory {
	bytes = max(bytes/MemoryStep*MemoryStep, MemoryStep)
	m := &Memory{cache: fastcache.New(int(bytes)), chunk: 4 << 10, half: uint64(bytes / 2)}
	if bytes >= smallCache {
		m.chunk = 16 << 10
	}
	return m
}

// Get implements Tier. A hit whose blob fits in one chunk allocates nothing if dst has room.
func (m *Memory) Get(dst []byte, h Hash) ([]byte, Found, error) {
	start := len(dst)
	out := m.cache.Get(dst, h[:])
	d := out[start:]
	if len(d) < memDescriptor {
		return dst, Found{}, ErrNotFound
	}
	blob := d[:len(d)-memDescriptor]
	d = d[len(blob):]
	f := Found{
		Seq:     binary.LittleEndian.Uint64(d),
		Stamp:   binary.LittleEndian.Uint64(d[8:]),
		Expires: int64(binary.LittleEndian.Uint64(d[16:])),
		Plain:   d[44]&memPlain != 0,
		Old:     m.written.Load()-binary.LittleEndian.Uint64(d[32:]) > m.half,
	}
	if d[44]&memChunked == 0 {
		return out[:start+len(blob)], f, nil
	}
	version, size := binary.LittleEndian.Uint64(d[24:]), int(binary.LittleEndian.Uint32(d[40:]))
	out = out[:start]
	for i := 0; len(out)-start < size; i++ {
		before := len(out)
		key := chunkKey(version, i)
		if out = m.cache.Get(out, key[:]); len(out) == before {
			return dst, Found{}, ErrNotFound // a chunk has fallen out
		}
	}
	if len(out)-start != size {
		return dst, Found{}, ErrNotFound
	}
	return out, f, nil
}

// chunkKey is shorter than a Hash, so that the two never meet.
func chunkKey(version uint64, i int) (k [12]byte) {
	binary.LittleEndian.PutUint64(k[:], version)
	binary.LittleEndian.PutUint32(k[8:], uint32(i))
	return k
}

// Put implements Tier. Its caller holds the key's lock, and its sequences grow: Memory does not compare them.
func (m *Memory) Put(r Record) error {
	room := getBuffer(0)
	defer putBuffer(room)
	var flags byte
	if r.Plain {
		flags = memPlain
	}
	var version uint64
	if len(r.Blob)+memDescriptor > m.chunk {
		flags |= memChunked
		version = m.version.Add(1)
		for i, rest := 0, r.Blob; len(rest) > 0; i++ {
			n := min(len(rest), m.chunk)
			key := chunkKey(version, i)
			m.cache.Set(key[:], rest[:n])
			rest = rest[n:]
		}
	} else {
		*room = append(*room, r.Blob...)
	}
	d := binary.LittleEndian.AppendUint64(*room, r.Seq)
	d = binary.LittleEndian.AppendUint64(d, r.Stamp)
	d = binary.LittleEndian.AppendUint64(d, uint64(r.Expires))
	d = binary.LittleEndian.AppendUint64(d, version)
	// What a ring holds besides: fastcache's own 4 bytes per entry, and the key.
	d = binary.LittleEndian.AppendUint64(d, m.written.Add(uint64(len(r.Blob)+memDescriptor+len(r.Hash)+4)))
	d = binary.LittleEndian.AppendUint32(d, uint32(len(r.Blob)))
	d = append(d, flags)
	*room = d
	m.cache.Set(r.Hash[:], d)
	return nil
}

// Renew puts an entry that Get found Old back at the beginning, if it is still the version that f speaks of. The caller holds
// the key's lock, so that no newer version comes in between.
func (m *Memory) Renew(h Hash, f Found) {
	room := getBuffer(0)
	defer putBuffer(room)
	blob, now, err := m.Get((*room)[:0], h)
	if *room = blob; err != nil || now.Seq != f.Seq || !now.Old {
		return
	}
	_ = m.Put(Record{Hash: h, Seq: now.Seq, Stamp: now.Stamp, Expires: now.Expires, Plain: now.Plain, Blob: blob}) // it never fails
}

// Drop implements Tier.
func (m *Memory) Drop(h Hash, _ Found) { m.cache.Del(h[:]) }

// Bytes is what fastcache has taken from the system.
func (m *Memory) Bytes() int64 {
	var s fastcache.Stats
	m.cache.UpdateStats(&s)
	return int64(s.BytesSize)
}

// Close gives the memory back to fastcache's pool, from which the process's next caches take theirs.
func (m *Memory) Close() error {
	m.cache.Reset()
	return nil
}
