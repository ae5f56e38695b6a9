package engine

// Absence is why there is no entry under a key.
type Absence uint8

const (
	// NotKept is an entry of which nothing is left: it was never put, or was evicted, flushed, or cleared away.
	NotKept Absence = iota
	// Expired is one whose time is over.
	Expired
	// Purged is one that was purged.
	Purged
)

// WhyMissing tells, for a human, why Get finds nothing under a key, as far as that still shows: what has expired or was
// purged lies there until its room is needed, or until a Get comes upon it on the disk. Ask before Get. It counts nothing and
// changes nothing.
func (s *Store) WhyMissing(key []byte) Absence {
	if len(key) == 0 || len(key) > MaxKey || s.closed.Load() {
		return NotKept
	}
	g, now := s.gen.Load(), s.time.now()
	if m := s.memory.Load(); m != nil {
		if b, f, err := m.Get(nil, g.memoryHash(key)); err == nil {
			if p, ok := parseBlob(b); ok && p.isFor(key) {
				return g.absence(p, f.Stamp, f.Expires, now)
			}
		}
	}
	if b, f, err := g.disk.Get(nil, g.hasher.Sum(key)); err == nil {
		if p, ok := parseBlob(b); ok && p.isFor(key) {
			return g.absence(p, f.Stamp, f.Expires, now)
		}
	}
	return NotKept
}

func (g *generation) absence(p blob, stamp uint64, expires, now int64) Absence {
	switch {
	case g.purges.judge(stamp, p.key, p.path, p.eachTag).hard:
		return Purged
	case now >= expires:
		return Expired
	}
	return NotKept
}
