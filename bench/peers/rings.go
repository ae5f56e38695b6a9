package main

// twoRings is S3-FIFO as two rings can do it that tell nobody what falls out of them, as fastcache's do. What is hit in the
// small ring, a quarter, once half of it has passed over the entry, is copied to the main one, and its old copy goes on taking
// room; what is hit in the main ring beyond three quarters is written to it again. A miss goes to the small ring, or to the
// main one if the key was written to the small one not long ago, which a list of the last keys remembers, or if the main one
// has never been full. (Of 70 such settings this one came nearest to the best policies on the two traces that were at hand.)
type twoRings struct {
	small, main, ghosts ring
}

// ring is one of keys: it knows at which turn each was written last.
type ring struct {
	size, turn int
	at         map[uint32]int
	keys       []uint32 // the last size keys, by turn
}

func newRing(size int) ring {
	return ring{size: size, at: make(map[uint32]int, size), keys: make([]uint32, size)}
}

// age is how many keys were written since; ok is false if it has fallen out.
func (r *ring) age(key uint32) (age int, ok bool) {
	at, ok := r.at[key]
	return r.turn - at, ok
}

func (r *ring) write(key uint32) {
	slot := r.turn % r.size
	if old := r.keys[slot]; r.turn >= r.size && r.at[old] == r.turn-r.size {
		delete(r.at, old)
	}
	r.keys[slot], r.at[key] = key, r.turn
	r.turn++
}

func newTwoRings(size int) *twoRings {
	small := max(1, size/4)
	return &twoRings{small: newRing(small), main: newRing(max(1, size-small)), ghosts: newRing(size)}
}

func (t *twoRings) access(key uint32) (bool, error) {
	if age, ok := t.main.age(key); ok {
		if age > t.main.size*3/4 {
			t.main.write(key)
		}
		return true, nil
	}
	if age, ok := t.small.age(key); ok {
		if age > t.small.size/2 {
			t.main.write(key)
		}
		return true, nil
	}
	if _, ok := t.ghosts.age(key); ok || t.main.turn < t.main.size {
		t.main.write(key)
	} else {
		t.small.write(key)
		t.ghosts.write(key)
	}
	return false, nil
}

func (t *twoRings) close() error { return nil }
