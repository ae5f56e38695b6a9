package crypto

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"
)

// Hash stands for a key on the disk.
type Hash [16]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Hasher hashes keys under the generation's hash key: HMAC-SHA-256, cut to 128 bits. It is safe for concurrent use.
type Hasher struct {
	states sync.Pool // of *hashState
}

// hashState carries a MAC with the key worked in, and the buffers that would otherwise be allocated on each call.
type hashState struct {
	mac   hash.Hash
	chunk [256]byte
	sum   [sha256.Size]byte
}

// Format prints no more than what a Hasher is.
func (h *Hasher) Format(f fmt.State, _ rune) { io.WriteString(f, "key hasher") }

// Hasher gives the generation's hasher. Make one and keep it.
func (s *StageKey) Hasher() *Hasher { return newHasher(s.hash[:]) }

func newHasher(key []byte) *Hasher {
	return &Hasher{states: sync.Pool{New: func() any {
		st := &hashState{mac: newMAC(key)}
		st.mac.Reset() // works the key in once; later resets only copy that state back
		return st
	}}}
}

// Sum hashes a key. In the steady state it allocates nothing, and key may live on the caller's stack.
//
// Safe: the hash key is random, belongs to one generation and is used for nothing else. 128 bits of HMAC-SHA-256 are a
// pseudo-random function: two of 2^32 keys collide with a probability below 2^-64, and nobody without the hash key can
// look for a collision, or tell from a hash whether a known key is in the cache.
func (h *Hasher) Sum(key []byte) Hash {
	st := h.states.Get().(*hashState)
	st.mac.Reset()
	for len(key) > 0 { // by way of the chunk, so that key does not escape to the heap
		n := copy(st.chunk[:], key)
		st.mac.Write(st.chunk[:n])
		key = key[n:]
	}
	out := Hash(st.mac.Sum(st.sum[:0]))
	h.states.Put(st)
	return out
}
