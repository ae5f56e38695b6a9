package tier

// Second chance in memory: before an entry is written over, it is judged. If somebody asked for it since it was written, it is written
// to the main part; if it comes from there, with one chance less. If nobody did, it falls out, and leaves a ghost if it was in the entrance. An
// entry of several pieces is judged with the first of them that comes up.
//
// Who does this is about to write something else, and holds no lock. So another writer may be faster and write over what is being judged:
// then it has fallen out. Nor does what is written anew ever replace something newer: memLock.changes tells.

// One Put writes chanceBytes besides its own at most, or twice its own, for all of it is in memory at once and the Put's key is locked. However
// small an entry is, it counts as chanceEntry.
const (
	chanceBytes = 1 << 20
	chanceEntry = chanceBytes / 32
)

// makeRoom judges what n bytes would be written over.
func (m *Memory) makeRoom(p *memPart, ring uint64, n int, left *int) {
	for {
		h, word, ok := m.rings[ring].take(n, m.ringSize)
		if !ok {
			return
		}
		if word&slotAsked > 0 || word&slotChunk > 0 {
			m.judge(&h, p, word, left)
		} else {
			m.fallen(&h, p)
		}
	}
}

// fallen remembers that an entry was there.
func (m *Memory) fallen(h *Hash, p *memPart) {
	if p == &m.entrance {
		m.ghosts.add(h, m.ghostTime())
	}
}

// judge sees to an entry of which the piece with this word is about to be written over.
func (m *Memory) judge(h *Hash, p *memPart, word uint32, left *int) {
	blob := getBuffer(0)
	defer putBuffer(blob)
	var e memEntry
	l := m.lock(h)
	changes := l.changes
	out, ok := m.head((*blob)[:0], h, p, &e)
	*blob = out
	if !ok || !e.has(word, m.chunk) {
		l.Unlock() // there is a newer version, or it has fallen out already
		return
	}
	r := &m.rings[e.ring]
	asked := word & slotAsked
	if word&slotChunk > 0 {
		asked = r.asked(e.number)
	}
	cost := max(e.size, chanceEntry)
	if asked == 0 || *left < cost {
		if e.chunked { // what is left of it is no use
			key := aimedKey(h, e.ring)
			m.cache.Del(key[:])
		}
		l.Unlock()
		m.fallen(h, p)
		return
	}
	r.excuse(e.number) // its other pieces will come up as well
	if e.chunked {
		blob = getBuffer(e.size)
		defer putBuffer(blob)
		*blob, ok = m.get((*blob)[:0], h, p, &e)
	}
	l.Unlock()
	if !ok {
		return
	}

	*left -= cost
	asked--
	if p == &m.entrance {
		asked = 0
	}
	value := getBuffer(0)
	defer putBuffer(value)
	*value = m.prepare((*value)[:0], &Record{Hash: *h, Seq: e.Seq, Stamp: e.Stamp, Expires: e.Expires, Plain: e.Plain, Blob: *blob}, &m.main, left)
	l = m.lock(h)
	defer l.Unlock()
	if l.changes == changes {
		m.write(h, &m.main, *value, asked)
	}
}

// has tells whether the piece with this word is one of e's.
func (e *memEntry) has(word uint32, chunk int) bool {
	if word&slotChunk == 0 {
		return word&^slotAsked == slotWord(e.number)
	}
	n := uint32((e.size + chunk - 1) / chunk)
	return e.chunked && (word-slotWord(e.first))>>slotDigits < n
}
