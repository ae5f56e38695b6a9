package crypto

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	nonceSize = 12
	tagSize   = 16

	// Overhead is what Seal and Protect add to a plaintext, in bytes: a nonce and a tag.
	Overhead = nonceSize + tagSize

	// MaxSeals is how many records (Seal and Protect together) one segment takes.
	MaxSeals = 1 << 24

	maxPlaintext = 1<<36 - 32 // bytes; what GCM can count
)

// Sealer seals and opens the records of one segment. It is safe for concurrent use. Slices given to one call must not
// overlap, dst's spare capacity included.
type Sealer struct {
	seal    cipher.AEAD   // key of Seal and Open
	protect cipher.AEAD   // key of Protect and Verify: a key of its own, so that neither kind can pass for the other
	context [16]byte      // see Context
	seals   atomic.Uint64 // of both kinds
	limit   uint64        // MaxSeals; less in tests
}

func newSealer(sealKey, protectKey []byte, context [16]byte) (*Sealer, error) {
	seal, err := newAEAD(sealKey)
	if err != nil {
		return nil, err
	}
	protect, err := newAEAD(protectKey)
	if err != nil {
		return nil, err
	}
	return &Sealer{seal: seal, protect: protect, context: context, limit: MaxSeals}, nil
}

// Format prints no more than what a Sealer is: fmt would follow the AEADs to their round keys.
func (s *Sealer) Format(f fmt.State, _ rune) { io.WriteString(f, "segment sealer") }

// Context is 16 bytes that stand for format version, stage, generation and segment. Callers put it into their
// associated data: the keys are bound to all of it already, and so is then every record by itself.
func (s *Sealer) Context() [16]byte { return s.context }

// Seals is how many records this Sealer has sealed or protected, with those that Resume told of.
func (s *Sealer) Seals() uint64 { return min(s.seals.Load(), s.limit) }

// Resume counts n records that were sealed before the segment was opened again.
func (s *Sealer) Resume(n uint64) { s.seals.Add(min(n, s.limit)) }

// count takes one of the seals the key has, before it is used: the limit holds however many call at once.
func (s *Sealer) count(plaintext []byte) error {
	if uint64(len(plaintext)) > maxPlaintext {
		return ErrTooLarge
	}
	if s.seals.Add(1) > s.limit {
		s.seals.Add(^uint64(0)) // not used
		return ErrSealLimit
	}
	return nil
}

// Seal encrypts and authenticates plaintext, authenticates aad with it, and appends nonce, ciphertext and tag to dst
// (len(plaintext)+Overhead bytes). On an error it returns dst as it was. ErrSealLimit: begin another segment.
func (s *Sealer) Seal(dst, plaintext, aad []byte) ([]byte, error) {
	if err := s.count(plaintext); err != nil {
		return dst, err
	}
	// Nonce: random, made inside the call. Key: this segment's own, for this kind alone, at most MaxSeals messages.
	return s.seal.Seal(dst, nil, plaintext, aad), nil
}

// Open appends the plaintext to dst if sealed and aad are what Seal was given and made, else it returns ErrAuth and dst
// as it was. (Spare capacity of dst may have been overwritten, never with plaintext.)
func (s *Sealer) Open(dst, sealed, aad []byte) ([]byte, error) {
	// Safe: opening needs no nonce but the one in the record. The tag is compared in constant time before anything is returned.
	out, err := s.seal.Open(dst, nil, sealed, aad)
	if err != nil {
		return dst, ErrAuth
	}
	return out, nil
}

// Protect authenticates plaintext and aad without encrypting, and appends plaintext, nonce and tag to dst
// (len(plaintext)+Overhead bytes). On an error it returns dst as it was.
func (s *Sealer) Protect(dst, plaintext, aad []byte) ([]byte, error) {
	if err := s.count(plaintext); err != nil {
		return dst, err
	}
	buf := framed(aad, plaintext)
	defer frames.put(buf)
	out := append(slices.Grow(dst, len(plaintext)+Overhead), plaintext...)
	// A GCM seal of nothing is a GMAC over its associated data. Nonce: random, made inside the call; a GMAC needs a
	// fresh one as much as encryption does. Key: this segment's own, for this kind alone, at most MaxSeals messages.
	return s.protect.Seal(out, nil, nil, *buf), nil
}

// Verify appends the plaintext to dst if protected and aad are what Protect made and was given, else it returns ErrAuth
// and dst as it was.
func (s *Sealer) Verify(dst, protected, aad []byte) ([]byte, error) {
	n := len(protected) - Overhead
	if n < 0 {
		return dst, ErrAuth
	}
	buf := framed(aad, protected[:n])
	defer frames.put(buf)
	// Safe: opening needs no nonce but the one in the record. The tag is compared in constant time before anything is returned.
	if _, err := s.protect.Open(nil, nil, protected[n:], *buf); err != nil {
		return dst, ErrAuth
	}
	return append(dst, protected[:n]...), nil
}

// framed joins aad and plaintext into the one string that a GMAC authenticates. The length of aad goes first, so that no
// byte can be moved from one to the other. The result goes back by frames.put.
func framed(aad, plaintext []byte) *[]byte {
	buf := frames.get()
	b := binary.BigEndian.AppendUint64((*buf)[:0], uint64(len(aad)))
	b = append(b, aad...)
	*buf = append(b, plaintext...)
	return buf
}

// frames lends buffers. Those past maxPooled are left to the collector: one huge record must not stay in memory.
var frames framePool

type framePool struct{ pool sync.Pool }

const maxPooled = 2 << 20

func (p *framePool) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (p *framePool) put(b *[]byte) {
	if cap(*b) <= maxPooled {
		p.pool.Put(b)
	}
}
