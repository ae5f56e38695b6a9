package gateway

import (
	"hash/maphash"
	"sync"
	"time"
)

// markTime is how long nobody waits for another's answer on a key whose last answer could not be shared.
const markTime = 120 * time.Second

// maxMarks bounds the marks of a stage. Losing one costs somebody a wait, nothing else.
const maxMarks = 16384

// marks remembers the keys on which waiting is pointless. A mark only turns off waiting: the key may still be filled, and
// an answer that can be stored removes its mark.
type marks struct {
	seed maphash.Seed
	now  func() time.Time
	mu   sync.Mutex
	// until is guarded by mu. Keys are hashed: two keys with one hash share a mark, which is harmless.
	until map[uint64]time.Time
}

func newMarks(now func() time.Time) *marks {
	return &marks{seed: maphash.MakeSeed(), now: now, until: make(map[uint64]time.Time)}
}

func (m *marks) has(key []byte) bool {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[h]
	if !ok {
		return false
	}
	if m.now().After(until) {
		delete(m.until, h)
		return false
	}
	return true
}

func (m *marks) add(key []byte) {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, have := m.until[h]; !have && len(m.until) >= maxMarks {
		m.makeRoom()
	}
	m.until[h] = m.now().Add(markTime)
}

func (m *marks) remove(key []byte) {
	h := maphash.Bytes(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, h)
}

// makeRoom drops an eighth of the marks, whichever the map gives first. Doing more than one at a time keeps the cost of a
// flood of keys low; mu is held.
func (m *marks) makeRoom() {
	drop := maxMarks / 8
	for h := range m.until {
		delete(m.until, h)
		if drop--; drop == 0 {
			return
		}
	}
}
