package crypto

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
)

// Generation names one life of a store: from a flush to the next one. It is random and no secret.
type Generation [16]byte

func (g Generation) String() string { return hex.EncodeToString(g[:]) }

// MarshalText makes a Generation its hexadecimal form in JSON too.
func (g Generation) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// StageKey is the keys of one generation of one stage. It is safe for concurrent use. Whoever changes it (Rotate;
// Rewrap does both) has to seal it again and replace the stage-key file before a segment relies on the change.
type StageKey struct {
	stage      string
	generation Generation
	hash       *[KeySize]byte // never changes; behind a pointer, so that fmt shows an address where it does not call Format

	mu     sync.RWMutex
	epochs []epochKey // ascending, never empty; guarded by mu
}

type epochKey struct {
	epoch uint32 // from 1
	key   *[KeySize]byte
}

// NewStageKey begins a generation: all keys are random, the epoch is 1.
func NewStageKey(stage string) *StageKey {
	s := &StageKey{stage: stage, hash: randomKey(), epochs: []epochKey{{1, randomKey()}}}
	random(s.generation[:])
	return s
}

func randomKey() *[KeySize]byte {
	key := new([KeySize]byte)
	random(key[:])
	return key
}

// Stage is the name of the stage the keys belong to.
func (s *StageKey) Stage() string { return s.stage }

// Generation is the generation the keys belong to.
func (s *StageKey) Generation() Generation { return s.generation }

// Epoch is the newest epoch: the one new segments are sealed under.
func (s *StageKey) Epoch() uint32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.newest().epoch
}

// newest is the zero epochKey in a StageKey that no constructor made. Callers hold mu.
func (s *StageKey) newest() epochKey {
	if len(s.epochs) == 0 {
		return epochKey{}
	}
	return s.epochs[len(s.epochs)-1]
}

// Rotate adds a new random sealing key, under the next epoch, for the segments to come. Segments of earlier epochs stay
// readable, and the hash key stays what it is, so that keys on the disk are still found. The old sealing keys stay until a
// flush destroys them with the generation: forgotten too early, one would take the segments under it with it.
func (s *StageKey) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.newest().epoch; next < math.MaxUint32 { // not to be reached: an epoch a second lasts for 136 years
		s.epochs = append(slices.Clone(s.epochs), epochKey{next + 1, randomKey()})
	}
}

// Rewrap seals the keys for another root key, with a new sealing key among them as Rotate adds one, and has replace put them in
// place of the stage-key file. Only when that is done does the new sealing key come into use: a segment that was sealed with a key
// which is in no file would be lost at the next start. With an error nothing is changed here; the file may have been
// replaced all the same, and then holds all that is in use.
func (s *StageKey) Rewrap(root *RootKey, replace func(file []byte) error) error {
	s.mu.RLock()
	next := &StageKey{stage: s.stage, generation: s.generation, hash: s.hash, epochs: s.epochs}
	s.mu.RUnlock()
	next.Rotate()
	file, err := SealStageKey(root, next)
	if err != nil {
		return err
	}
	if err := replace(file); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs = next.epochs
	return nil
}

// String names stage, generation and epoch, and no key.
func (s *StageKey) String() string {
	return fmt.Sprintf("stage key of %q, generation %s, epoch %d", s.stage, s.generation, s.Epoch())
}

// GoString is String.
func (s *StageKey) GoString() string { return s.String() }

// Format is String for every verb.
func (s *StageKey) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }
