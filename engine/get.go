package engine

import (
	"errors"

	"stagecache/tier"
)

// Get looks in memory, then on disk, and appends the value to dst. ErrMiss if there is none. A stale entry is returned with
// Stale set. Entry.Value is the tail of the (possibly grown) dst; on an error dst is unchanged. A memory hit whose value
// fits in dst allocates nothing.
func (s *Store) Get(dst, key []byte) (Entry, error) {
	e, g, err := s.get(dst, key)
	switch {
	case err != nil:
		s.misses.Add(1)
	case e.Tier == Memory:
		s.touch(g, key)
	default:
		s.diskHits.Add(1)
	}
	return e, err
}

const touchEvery = 16

// Peek is Get for a caller that can do without an entry, or asks again with Get: it looks in memory only, and counts only a hit.
func (s *Store) Peek(dst, key []byte) (Entry, error) {
	if len(key) == 0 || len(key) > MaxKey {
		return Entry{}, ErrBadKey
	}
	if s.closed.Load() {
		return Entry{}, ErrClosed
	}
	g := s.gen.Load()
	e, ok := s.inMemory(g, dst, key, s.time.now())
	if !ok {
		return Entry{}, ErrMiss
	}
	s.touch(g, key)
	return e, nil
}

// touch counts a hit in memory. The disk does not see those, but should know what is asked for when it evicts. Telling it costs
// a keyed hash, so one in touchEvery does: what is hot is told often enough.
func (s *Store) touch(g *generation, key []byte) {
	if s.memoryHits.Add(1)%touchEvery == 0 {
		g.disk.Touch(g.hasher.Sum(key))
	}
}

func (s *Store) inMemory(g *generation, dst, key []byte, now int64) (Entry, bool) {
	m := s.memory.Load()
	if m == nil {
		return Entry{}, false
	}
	h := g.memoryHash(key)
	out, f, err := m.Get(dst, h)
	if err != nil {
		return Entry{}, false
	}
	e, ok := s.admit(g, key, out[len(dst):], f, now)
	if !ok {
		// What is not good in memory is not good on disk either (it is the same version), except where a neighbour's hash met
		// this one; the disk will tell.
		return Entry{}, false
	}
	e.Tier = Memory
	return e, true
}

// get is Get without counting, and with the generation that it looked in.
func (s *Store) get(dst, key []byte) (Entry, *generation, error) {
	if len(key) == 0 || len(key) > MaxKey {
		return Entry{}, nil, ErrBadKey
	}
	if s.closed.Load() {
		return Entry{}, nil, ErrClosed
	}
	g := s.gen.Load()
	now := s.time.now()
	if e, ok := s.inMemory(g, dst, key, now); ok {
		return e, g, nil
	}
	h := g.hasher.Sum(key)
	out, f, err := g.disk.Get(dst, h)
	if err != nil {
		return Entry{}, g, ErrMiss // ErrNotFound, whatever the reason: damage was counted where it was seen
	}
	blob := out[len(dst):]
	e, ok := s.admit(g, key, blob, f, now)
	if !ok {
		g.disk.Drop(h, f)
		return Entry{}, g, ErrMiss
	}
	e.Tier = Disk
	if s.memory.Load() != nil {
		s.promote(g, key, h, f, blob)
	}
	return e, g, nil
}

// admit turns a tier's blob into an entry, if it is this key's, not expired and not purged.
func (s *Store) admit(g *generation, key, b []byte, f tier.Found, now int64) (Entry, bool) {
	p, ok := parseBlob(b)
	if !ok || now >= f.Expires || !p.isFor(key) {
		return Entry{}, false
	}
	var v verdict
	if f.Stamp < g.purges.newest.Load() { // one atomic load on the usual hit
		v = g.purges.judge(f.Stamp, key, p.path, p.eachTag)
		if v.hard {
			return Entry{}, false
		}
	}
	return Entry{
		// With the room behind it, which is the caller's: a buffer that is used again need not grow again.
		Value: b[:len(p.value)], Stored: msTime(p.stored), Expires: msTime(p.fresh), Retain: msTime(f.Expires),
		Stale: v.soft || now >= p.fresh, Plain: f.Plain,
	}, true
}

// promote copies what was read from disk to memory, with its stamp, unless the index has moved on since: then a newer
// version is there or on its way, and this one must not come after it.
func (s *Store) promote(g *generation, key []byte, h tier.Hash, f tier.Found, blob []byte) {
	st := s.stripe(key)
	st.mu.Lock()
	defer st.mu.Unlock()
	if s.gen.Load() != g || !g.disk.Current(h, f) {
		return
	}
	// Memory copies the blob.
	_ = s.memory.Load().Put(tier.Record{Hash: g.memoryHash(key), Seq: f.Seq, Stamp: f.Stamp, Expires: f.Expires, Plain: f.Plain, Blob: blob})
}

// store writes a new version to both tiers. The caller holds the key's stripe.
func (s *Store) store(g *generation, key, value []byte, m *Meta, stamp uint64) (Entry, error) {
	now := s.time.now()
	fresh := now + m.TTL.Milliseconds()
	retain := fresh + m.Retain.Milliseconds()
	r := tier.Record{Seq: s.seq.Add(1), Stamp: stamp, Expires: retain, Plain: m.Plain}
	r.Blob = finishBlob(m.base(value, len(key)), key, m, now, fresh)
	h := g.hasher.Sum(key)
	onDisk := true
	hot := s.memory.Load()
	if hot != nil {
		r.Hash = g.memoryHash(key)
		if err := hot.Put(r); err != nil {
			return Entry{}, err
		}
		onDisk = retain-now >= shortLived.Milliseconds()
	}
	if r.Hash = h; onDisk {
		r.Labels = labelsOf(m.Path, m.Tags)
		// A full queue drops the disk copy; the old version is gone from there all the same. The tier counts it.
		if err := g.disk.Put(r); err != nil && (hot == nil || !errors.Is(err, tier.ErrDropped)) {
			return Entry{}, err
		}
	} else {
		g.disk.Supersede(h, r.Seq)
		s.short.add()
	}
	s.noteStore()
	return Entry{Value: r.Blob[:len(value):len(value)], Stored: msTime(now), Expires: msTime(fresh), Retain: msTime(retain), Plain: m.Plain}, nil
}
