package tier

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
)

// Memory is a Tier in fastcache. Old entries fall out of its rings by themselves, oldest first; nothing tells.
//
// So that what is asked for again outlasts what is asked for once, the rings are divided (S3-FIFO, as far as rings allow). A
// new entry goes to the entrance, a fifth of them. Who is hit there after a quarter of its way out, and who comes back
// not long after having fallen out, goes to the main part. There a hit on an entry that has gone most of its way puts it back at the
// beginning. A hit says when it is time (Found.Old); Renew does it, under the key's lock, which readers do not hold.
//
// fastcache drops values of 64 KiB and more, and its own SetBig stores chunks under a hash of the content that any value
// may share. So larger blobs are chunked here: each chunk under a number that never repeats in the process. A chunk of
// another value, or of an older version of the same, is therefore never taken for one of this.
type Memory struct {
	cache    *fastcache.Cache
	chunk    int
	rings    uint64 // used, from the first on
	ringSize uint64 // bytes
	written  [memRings]atomic.Uint64
	entrance memPart
	main     memPart
	ghosts   *ghosts
}

// memPart is some of the rings.
type memPart struct {
	first, rings uint64
	renew        uint64        // bytes that must have come after an entry before a hit renews it
	chunks       atomic.Uint64 // handed out; they take the rings in turn, so that those of one blob fall out together
}

// Limits of fastcache, and the shares that did best on recorded requests (bench/peers ratio).
const (
	// MemoryStep is the granularity of fastcache: a block of 64 KiB for each ring. Memory uses as many rings as make up what it
	// is given, and a ring that is not used takes nothing.
	MemoryStep = memRings * memBlock
	// MinMemory is the least that can be had.
	MinMemory = MemoryStep / 4
	// smallCache is below what size of cache chunks are kept small: each of the rings is then a few blocks, and an entry does
	// not cross from one block to the next.
	smallCache = 256 << 20
	memBlock   = 64 << 10
	// A block holds so many chunks with their keys and fastcache's 4 bytes each, and nothing is left over.
	chunksInBlock      = 4
	chunksInBlockSmall = 16
	chunkOverhead      = 8 + 4

	// entranceShare is the part of the rings that is the entrance.
	entranceShare = 5
	// memSlot is how many bytes of memory there are for each ghost.
	memSlot = 512
	// memLargest is the part of the rings that one blob may take at most: else it would push out all others.
	memLargest = 8
)

// An entry's value ends in a descriptor, so that what is before it can be handed out where it lies:
//
//	blob, if it fits in one chunk | seq 8 | stamp 8 | expires 8 | first chunk 8 | written 8 | blob size 4 | flags 1
//
// written is how far the ring had turned: that of the entry, or of its first chunk.
const (
	memDescriptor = 45
	memPlain      = 1
	memChunked    = 2
	// memOverhead is what an entry takes in its ring besides the blob, fastcache's 4 bytes included.
	memOverhead = memDescriptor + 16 + 4
)

// NewMemory takes that many bytes of memory, rounded down to blocks of all its rings, and at least MinMemory. It takes them as it fills,
// and gives them back when it is closed.
func NewMemory(bytes int64) *Memory {
	bytes = max(bytes, MinMemory)
	blocks := (bytes + MemoryStep - 1) / MemoryStep
	m := &Memory{cache: fastcache.New(int(blocks * MemoryStep)), chunk: memBlock/chunksInBlockSmall - 1 - chunkOverhead,
		rings: uint64(bytes / (blocks * memBlock)), ringSize: uint64(blocks * memBlock), ghosts: newGhosts(bytes / memSlot)}
	if bytes >= smallCache {
		m.chunk = memBlock/chunksInBlock - 1 - chunkOverhead
	}
	m.entrance.rings, m.entrance.renew = m.rings/entranceShare, m.ringSize/4
	m.main.first, m.main.rings, m.main.renew = m.entrance.rings, m.rings-m.entrance.rings, m.ringSize*3/4
	return m
}

// ring is the one that h has in p.
func (p *memPart) ring(h *Hash) uint64 {
	return p.first + uint64(binary.LittleEndian.Uint32(h[12:]))*p.rings>>32
}

func (p *memPart) chunkRing(n uint64) uint64 { return p.first + n%p.rings }

// Get implements Tier. A hit whose blob fits in one chunk allocates nothing if dst has room.
func (m *Memory) Get(dst []byte, h Hash) ([]byte, Found, error) {
	if out, f, ok := m.get(dst, &h, &m.main); ok {
		return out, f, nil
	}
	if out, f, ok := m.get(dst, &h, &m.entrance); ok {
		return out, f, nil
	}
	return dst, Found{}, ErrNotFound
}

func (m *Memory) get(dst []byte, h *Hash, p *memPart) ([]byte, Found, bool) {
	start := len(dst)
	ring := p.ring(h)
	key := aimedKey(h, ring)
	out := m.cache.Get(dst, key[:])
	d := out[start:]
	if len(d) < memDescriptor {
		return dst, Found{}, false
	}
	blob := d[:len(d)-memDescriptor]
	d = d[len(blob):]
	f := Found{
		Seq:     binary.LittleEndian.Uint64(d),
		Stamp:   binary.LittleEndian.Uint64(d[8:]),
		Expires: int64(binary.LittleEndian.Uint64(d[16:])),
		Plain:   d[44]&memPlain != 0,
	}
	first, written := binary.LittleEndian.Uint64(d[24:]), binary.LittleEndian.Uint64(d[32:])
	if d[44]&memChunked == 0 {
		f.Old = m.written[ring].Load()-written > p.renew
		return out[:start+len(blob)], f, true
	}
	f.Old = m.written[p.chunkRing(first)].Load()-written > p.renew
	size := int(binary.LittleEndian.Uint32(d[40:]))
	out = out[:start]
	for n := first; len(out)-start < size; n++ {
		before := len(out)
		key := chunkKey(n, p.chunkRing(n))
		if out = m.cache.Get(out, key[:]); len(out) == before {
			return dst, Found{}, false // a chunk has fallen out
		}
	}
	return out, f, len(out)-start == size
}

// Put implements Tier. Its caller holds the key's lock, and its sequences grow: Memory does not compare them. A blob that
// is an eighth of the memory or more is not kept.
func (m *Memory) Put(r Record) error {
	if uint64(len(r.Blob)) > m.rings*m.ringSize/memLargest {
		m.Drop(r.Hash, Found{})
		return nil
	}
	to, other := &m.main, &m.entrance
	if !m.belongs(&r.Hash) {
		to, other = other, to
	}
	m.set(&r, to)
	// Whatever the other part has is older, and would answer when this has fallen out.
	key := aimedKey(&r.Hash, other.ring(&r.Hash))
	m.cache.Del(key[:])
	return nil
}

// belongs tells whether a new entry goes to the main part: if an older version is there already, or was in the entrance not long ago,
// or there is room that was never used.
func (m *Memory) belongs(h *Hash) bool {
	ring := m.main.ring(h)
	if m.written[ring].Load() < m.ringSize {
		return true
	}
	// The clock of ghosts: they live until the entrance has let as much pass as fits in memory.
	now := m.written[m.entrance.ring(h)].Load() / (m.ringSize * m.rings / m.entrance.rings / ghostLife)
	if m.ghosts.has(h, now) {
		return true
	}
	if key := aimedKey(h, ring); m.cache.Has(key[:]) {
		return true
	}
	m.ghosts.add(h, now)
	return false
}

// set writes an entry to a part.
func (m *Memory) set(r *Record, p *memPart) {
	room := getBuffer(0)
	defer putBuffer(room)
	var flags byte
	if r.Plain {
		flags = memPlain
	}
	ring := p.ring(&r.Hash)
	var first, written uint64
	if n := (len(r.Blob) + m.chunk - 1) / m.chunk; len(r.Blob)+memDescriptor > m.chunk {
		flags |= memChunked
		first = p.chunks.Add(uint64(n)) - uint64(n)
		size := (len(r.Blob) + n - 1) / n // of equal size, so that all rings turn at the same pace
		for i, rest := first, r.Blob; len(rest) > 0; i++ {
			part := rest[:min(len(rest), size)]
			ring := p.chunkRing(i)
			key := chunkKey(i, ring)
			m.cache.Set(key[:], part)
			at := m.turn(ring, len(part)+chunkOverhead)
			if i == first {
				written = at
			}
			rest = rest[len(part):]
		}
		m.turn(ring, memOverhead)
	} else {
		*room = append(*room, r.Blob...)
		written = m.turn(ring, len(r.Blob)+memOverhead)
	}
	d := binary.LittleEndian.AppendUint64(*room, r.Seq)
	d = binary.LittleEndian.AppendUint64(d, r.Stamp)
	d = binary.LittleEndian.AppendUint64(d, uint64(r.Expires))
	d = binary.LittleEndian.AppendUint64(d, first)
	d = binary.LittleEndian.AppendUint64(d, written)
	d = binary.LittleEndian.AppendUint32(d, uint32(len(r.Blob)))
	*room = append(d, flags)
	key := aimedKey(&r.Hash, ring)
	m.cache.Set(key[:], *room)
}

// turn counts n bytes that are about to be written to a ring, and what fastcache leaves unused because nothing crosses from
// one block to the next.
func (m *Memory) turn(ring uint64, n int) uint64 {
	for {
		was := m.written[ring].Load()
		is := was + uint64(n)
		if is/memBlock > was/memBlock {
			is = is/memBlock*memBlock + uint64(n)
		}
		if m.written[ring].CompareAndSwap(was, is) {
			return is
		}
	}
}

// Renew puts an entry that Get found Old at the beginning of the main part, if it is still the version that f speaks of. The caller
// holds the key's lock, so that no newer version comes in between. A copy in the entrance stays until it falls out: it is the
// same version, and a Put removes it.
func (m *Memory) Renew(h Hash, f Found) {
	room := getBuffer(0)
	defer putBuffer(room)
	blob, now, err := m.Get((*room)[:0], h)
	if *room = blob; err != nil || now.Seq != f.Seq || !now.Old {
		return
	}
	m.set(&Record{Hash: h, Seq: now.Seq, Stamp: now.Stamp, Expires: now.Expires, Plain: now.Plain, Blob: blob}, &m.main)
}

// Drop implements Tier.
func (m *Memory) Drop(h Hash, _ Found) {
	for _, p := range []*memPart{&m.main, &m.entrance} {
		key := aimedKey(&h, p.ring(&h))
		m.cache.Del(key[:])
	}
}

// Size is how many bytes of fastcache there are to fill.
func (m *Memory) Size() int64 { return int64(m.rings * m.ringSize) }

// Bytes is what fastcache has taken from the system.
func (m *Memory) Bytes() int64 {
	var s fastcache.Stats
	m.cache.UpdateStats(&s)
	return int64(s.BytesSize) + m.ghosts.bytes()
}

// Close gives the memory back to fastcache's pool, from which the process's next caches take theirs.
func (m *Memory) Close() error {
	m.cache.Reset()
	return nil
}
