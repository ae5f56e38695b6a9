package tier

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
)

// Memory is a Tier in fastcache, which writes over what came to its rings longest ago, and tells nobody. So that what is asked for
// again outlasts what is asked for once, the rings are divided (S3-FIFO), and what is written to each of them is listed. A new entry
// goes to the entrance, a fifth of them; one that comes back not long after it fell out there goes to the main part. What was asked
// for is written anew to the main part when it is about to be written over: see memchance.go.
//
// fastcache drops values of 64 KiB and more, and its own SetBig stores chunks under a hash of the content that any value
// may share. So larger blobs are chunked here: each chunk under a number that never repeats in the process. A chunk of
// another value, or of an older version of the same, is therefore never taken for one of this.
type Memory struct {
	cache    *fastcache.Cache
	chunk    int
	rings    []memRing // used, from the first on
	ringSize uint64    // bytes
	entrance memPart
	main     memPart
	ghosts   *ghosts
	locks    [memLocks]memLock
}

// memPart is some of the rings.
type memPart struct {
	first, rings uint64
	written      atomic.Uint64 // bytes, ever
	chunks       atomic.Uint64 // handed out; they take the rings in turn, so that those of one blob fall out together
}

// memLock is held while the head of an entry is written or removed.
type memLock struct {
	sync.Mutex
	changes uint64 // Puts and Drops
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
	// ghostSize is how many bytes of memory there are for each ghost.
	ghostSize = 512
	// memLargest is the part of the rings that one blob may take at most: else it would push out all others.
	memLargest = 8
	memLocks   = 256
)

// An entry's value ends in a descriptor, so that what is before it can be handed out where it lies. It is the head of an entry with chunks.
//
//	blob, if it fits in one chunk | seq 8 | stamp 8 | expires 8 | first chunk 8 | number 8 | blob size 4 | flags 1
//
// number is that in the list of its ring.
const (
	memDescriptor = 45
	memNumberAt   = 13 // from the end
	memPlain      = 1
	memChunked    = 2
	// memOverhead is what an entry takes in its ring besides the blob, fastcache's 4 bytes included.
	memOverhead = memDescriptor + 16 + 4
)

// NewMemory takes that many bytes of memory, rounded down to blocks of all its rings, and at least MinMemory. It takes them as it fills,
// and gives them back when it is closed. Its lists and ghosts take an eighteenth more.
func NewMemory(bytes int64) *Memory {
	bytes = max(bytes, MinMemory)
	blocks := (bytes + MemoryStep - 1) / MemoryStep
	m := &Memory{cache: fastcache.New(int(blocks * MemoryStep)), chunk: memBlock/chunksInBlockSmall - 1 - chunkOverhead,
		ringSize: uint64(blocks * memBlock), ghosts: newGhosts(bytes / ghostSize)}
	if bytes >= smallCache {
		m.chunk = memBlock/chunksInBlock - 1 - chunkOverhead
	}
	m.rings = newMemRings(int(bytes/(blocks*memBlock)), m.ringSize)
	m.entrance.rings = uint64(len(m.rings)) / entranceShare
	m.main.first, m.main.rings = m.entrance.rings, uint64(len(m.rings))-m.entrance.rings
	return m
}

// ring is the one that h has in p.
func (p *memPart) ring(h *Hash) uint64 {
	return p.first + uint64(binary.LittleEndian.Uint32(h[12:]))*p.rings>>32
}

func (p *memPart) chunkRing(n uint64) uint64 { return p.first + n%p.rings }

// memEntry is what a descriptor says, and where it is.
type memEntry struct {
	Found
	ring, number uint64
	first        uint64 // chunk
	size         int
	chunked      bool
}

// Get implements Tier. A hit whose blob fits in one chunk allocates nothing if dst has room.
func (m *Memory) Get(dst []byte, h Hash) ([]byte, Found, error) {
	var e memEntry
	out, ok := m.get(dst, &h, &m.main, &e)
	if !ok {
		if out, ok = m.get(dst, &h, &m.entrance, &e); !ok {
			return dst, Found{}, ErrNotFound
		}
	}
	m.rings[e.ring].ask(e.number)
	return out, e.Found, nil
}

// get appends the blob of the entry that p has.
func (m *Memory) get(dst []byte, h *Hash, p *memPart, e *memEntry) ([]byte, bool) {
	out, ok := m.head(dst, h, p, e)
	if !ok || !e.chunked {
		return out, ok
	}
	out = slices.Grow(out, e.size)
	for n := e.first; len(out)-len(dst) < e.size; n++ {
		before := len(out)
		key := chunkKey(n, p.chunkRing(n))
		if out = m.cache.Get(out, key[:]); len(out) == before {
			return dst, false // a chunk has fallen out
		}
	}
	return out, len(out)-len(dst) == e.size
}

// head reads what lies in one piece, and appends what of the blob is there.
func (m *Memory) head(dst []byte, h *Hash, p *memPart, e *memEntry) ([]byte, bool) {
	ring := p.ring(h)
	key := aimedKey(h, ring)
	out := m.cache.Get(dst, key[:])
	n := len(out) - memDescriptor
	if n < len(dst) {
		return dst, false
	}
	d := out[n:]
	*e = memEntry{
		Found: Found{
			Seq:     binary.LittleEndian.Uint64(d),
			Stamp:   binary.LittleEndian.Uint64(d[8:]),
			Expires: int64(binary.LittleEndian.Uint64(d[16:])),
			Plain:   d[44]&memPlain != 0,
		},
		ring: ring, first: binary.LittleEndian.Uint64(d[24:]), number: binary.LittleEndian.Uint64(d[32:]),
		size: int(binary.LittleEndian.Uint32(d[40:])), chunked: d[44]&memChunked != 0,
	}
	return out[:n], true
}

// head appends e's descriptor to dst, but for its number, which write knows.
func (e *memEntry) head(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, e.Seq)
	dst = binary.LittleEndian.AppendUint64(dst, e.Stamp)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Expires))
	dst = binary.LittleEndian.AppendUint64(dst, e.first)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(e.size))
	var flags byte
	if e.Plain {
		flags |= memPlain
	}
	if e.chunked {
		flags |= memChunked
	}
	return append(dst, flags)
}

// Put implements Tier. Its caller holds the key's lock, and its sequences grow: Memory does not compare them. A blob that
// is an eighth of the memory or more is not kept.
func (m *Memory) Put(r Record) error {
	if int64(len(r.Blob)) > m.Size()/memLargest {
		m.Drop(r.Hash, Found{})
		return nil
	}
	to, other := &m.main, &m.entrance
	main, asked := m.belongs(&r.Hash)
	if !main {
		to, other = other, to
	}
	value := getBuffer(0)
	defer putBuffer(value)
	left := max(chanceBytes, 2*len(r.Blob))
	*value = m.prepare((*value)[:0], &r, to, &left)
	l := m.lock(&r.Hash)
	defer l.Unlock()
	l.changes++
	m.write(&r.Hash, to, *value, asked)
	// Whatever the other part has is older, and would answer when this has fallen out.
	key := aimedKey(&r.Hash, other.ring(&r.Hash))
	m.cache.Del(key[:])
	return nil
}

// belongs tells whether a new entry goes to the main part: if an older version is there, so that this is not the first time that it is
// asked for, or was in the entrance not long ago; or if there is room that was never used. asked is how often the older version was
// asked for.
func (m *Memory) belongs(h *Hash) (main bool, asked uint32) {
	room := getBuffer(0)
	defer putBuffer(room)
	var e memEntry
	for _, p := range [...]*memPart{&m.main, &m.entrance} {
		out, ok := m.head((*room)[:0], h, p, &e)
		*room = out
		if ok {
			return true, m.rings[e.ring].asked(e.number)
		}
	}
	return m.rings[m.main.ring(h)].end.Load() < m.ringSize || m.ghosts.take(h, m.ghostTime()), 0
}

// ghostTime is the clock of ghosts: they live until the entrance has let as much pass as fits in memory.
func (m *Memory) ghostTime() uint64 {
	return m.entrance.written.Load() / (uint64(m.Size()) / ghostLife)
}

func (m *Memory) lock(h *Hash) *memLock {
	l := &m.locks[h[11]]
	l.Lock()
	return l
}

// prepare appends r's value to dst, writes its chunks to p if there are any, and makes room for the value there.
func (m *Memory) prepare(dst []byte, r *Record, p *memPart, left *int) []byte {
	var first uint64
	chunked := len(r.Blob)+memDescriptor > m.chunk
	if n := (len(r.Blob) + m.chunk - 1) / m.chunk; chunked {
		first = p.chunks.Add(uint64(n)) - uint64(n)
		size := (len(r.Blob) + n - 1) / n // of equal size, so that all rings turn at the same pace
		for i, rest := first, r.Blob; len(rest) > 0; i++ {
			part := rest[:min(len(rest), size)]
			m.makeRoom(p, p.chunkRing(i), len(part)+chunkOverhead, left)
			m.writeChunk(&r.Hash, p, i, part)
			rest = rest[len(part):]
		}
	} else {
		dst = append(dst, r.Blob...)
	}
	e := memEntry{Found: Found{Seq: r.Seq, Stamp: r.Stamp, Expires: r.Expires, Plain: r.Plain}, first: first, size: len(r.Blob), chunked: chunked}
	dst = e.head(dst)
	m.makeRoom(p, p.ring(&r.Hash), len(dst)+memOverhead-memDescriptor, left)
	return dst
}

// write writes what prepare made: from now on, p has the entry. The caller holds its lock.
func (m *Memory) write(h *Hash, p *memPart, value []byte, asked uint32) {
	ring := p.ring(h)
	key := aimedKey(h, ring)
	n := len(value) + memOverhead - memDescriptor
	p.written.Add(uint64(n))
	r := &m.rings[ring]
	r.mu.Lock()
	defer r.mu.Unlock()
	binary.LittleEndian.PutUint64(value[len(value)-memNumberAt:], r.list(h, n, slotWord(r.next)|asked))
	m.cache.Set(key[:], value)
}

func (m *Memory) writeChunk(h *Hash, p *memPart, number uint64, part []byte) {
	ring := p.chunkRing(number)
	key := chunkKey(number, ring)
	p.written.Add(uint64(len(part) + chunkOverhead))
	r := &m.rings[ring]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list(h, len(part)+chunkOverhead, slotWord(number)|slotChunk)
	m.cache.Set(key[:], part)
}

// Drop implements Tier.
func (m *Memory) Drop(h Hash, _ Found) {
	l := m.lock(&h)
	defer l.Unlock()
	l.changes++
	for _, p := range [...]*memPart{&m.main, &m.entrance} {
		key := aimedKey(&h, p.ring(&h))
		m.cache.Del(key[:])
	}
}

// Size is how many bytes of fastcache there are to fill.
func (m *Memory) Size() int64 { return int64(len(m.rings)) * int64(m.ringSize) }

// Bytes is what fastcache has taken from the system, and the lists.
func (m *Memory) Bytes() int64 {
	var s fastcache.Stats
	m.cache.UpdateStats(&s)
	return int64(s.BytesSize) + m.ghosts.bytes() + memRingBytes*int64(len(m.rings))*int64(len(m.rings[0].slots))
}

// Close gives the memory back to fastcache's pool, from which the process's next caches take theirs.
func (m *Memory) Close() error {
	m.cache.Reset()
	return nil
}
