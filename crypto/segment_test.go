package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
)

func mustSegment(t testing.TB, s *StageKey, id uint64) (SegmentHeader, *Sealer) {
	t.Helper()
	h, sealer, err := s.NewSegment(id)
	if err != nil {
		t.Fatal(err)
	}
	return h, sealer
}

func TestSegmentOpensAgain(t *testing.T) {
	s := NewStageKey("prod")
	h, w := mustSegment(t, s, 42)
	back, err := ParseSegmentHeader(h.Append(nil))
	if err != nil || back != h {
		t.Fatalf("%+v came back as %+v, %v", h, back, err)
	}
	if got := h.Append([]byte("before")); len(got) != 6+SegmentHeaderSize || !bytes.Equal(got[6:], h.Append(nil)) {
		t.Fatal("Append must append, whatever stands before")
	}
	restarted, _, err := OpenStageKey(mustSeal(t, testRoot(1), s), "prod", testRoot(1))
	if err != nil {
		t.Fatal(err)
	}
	r, err := restarted.OpenSegment(back)
	if err != nil {
		t.Fatal(err)
	}
	if r.Context() != w.Context() {
		t.Fatal("the context changed")
	}
	sealed, _ := w.Seal(nil, []byte("text"), []byte("aad"))
	if got, err := r.Open(nil, sealed, []byte("aad")); err != nil || string(got) != "text" {
		t.Fatalf("%q, %v", got, err)
	}
	protected, _ := w.Protect(nil, []byte("text"), []byte("aad"))
	if got, err := r.Verify(nil, protected, []byte("aad")); err != nil || string(got) != "text" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestEveryBitOfASegmentHeader(t *testing.T) {
	s := NewStageKey("prod")
	s.Rotate()
	h, _ := mustSegment(t, s, 7)
	data := h.Append(nil)
	for bit := range len(data) * 8 {
		bad := bytes.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseSegmentHeader(bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		// With the checksum made right, the key finds out.
		sum := sha256.Sum256(bad[:SegmentHeaderSize-segmentChecksum])
		copy(bad[SegmentHeaderSize-segmentChecksum:], sum[:])
		parsed, err := ParseSegmentHeader(bad)
		if err == nil && parsed != h {
			var generation *GenerationError
			if _, err = s.OpenSegment(parsed); !errors.Is(err, ErrCommitment) && !errors.Is(err, ErrEpoch) && !errors.As(err, &generation) {
				t.Fatalf("bit %d: opened, %v", bit, err)
			}
		} else if parsed != h && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormatNewer) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
	for n := range len(data) {
		if _, err := ParseSegmentHeader(data[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := ParseSegmentHeader(append(data, 0)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("one byte more: %v", err)
	}
}

func TestSegmentVersions(t *testing.T) {
	s := NewStageKey("prod")
	h, _ := mustSegment(t, s, 7)
	for version, want := range map[uint16]error{0: ErrDamaged, 2: ErrFormatNewer, 65535: ErrFormatNewer} {
		h.Version = version
		if _, err := ParseSegmentHeader(h.Append(nil)); !errors.Is(err, want) {
			t.Errorf("version %d parsed: %v", version, err)
		}
		if _, err := s.OpenSegment(h); !errors.Is(err, want) {
			t.Errorf("version %d opened: %v", version, err)
		}
	}
}

// stageWith is a stage key with the secrets of another one: what an attacker has who moves files, not keys.
func stageWith(s *StageKey, stage string, g Generation) *StageKey {
	return &StageKey{stage: stage, generation: g, hash: s.hash, epochs: s.epochs}
}

func TestSwappedSegments(t *testing.T) {
	s := NewStageKey("prod")
	h, w := mustSegment(t, s, 1)
	other, otherSealer := mustSegment(t, s, 2)

	swap := func(change func(h *SegmentHeader)) SegmentHeader { c := h; change(&c); return c }
	for name, bad := range map[string]SegmentHeader{
		"id":         swap(func(h *SegmentHeader) { h.ID = 2 }),
		"salt":       swap(func(h *SegmentHeader) { h.Salt = other.Salt }),
		"commitment": swap(func(h *SegmentHeader) { h.Commitment = other.Commitment }),
		"both":       swap(func(h *SegmentHeader) { h.Salt, h.Commitment = other.Salt, other.Commitment }),
	} {
		if _, err := s.OpenSegment(bad); !errors.Is(err, ErrCommitment) {
			t.Errorf("%s of another segment: %v", name, err)
		}
	}
	// Another generation: the header says so, or, if it is altered as well, the key does.
	var generation *GenerationError
	next := NewStageKey("prod")
	if _, err := next.OpenSegment(h); !errors.As(err, &generation) || generation.Segment != s.generation || generation.Store != next.generation {
		t.Errorf("another generation: %v", err)
	}
	if _, err := next.OpenSegment(swap(func(h *SegmentHeader) { h.Generation = next.generation })); !errors.Is(err, ErrCommitment) {
		t.Errorf("another generation, altered: %v", err)
	}
	// Another stage, another generation, another epoch under the very same sealing key: the derivation binds them.
	if _, err := stageWith(s, "test", s.generation).OpenSegment(h); !errors.Is(err, ErrCommitment) {
		t.Errorf("another stage: %v", err)
	}
	if _, err := stageWith(s, "prod", next.generation).OpenSegment(swap(func(h *SegmentHeader) { h.Generation = next.generation })); !errors.Is(err, ErrCommitment) {
		t.Errorf("another generation, the same secrets: %v", err)
	}
	sameKeyNextEpoch := stageWith(s, "prod", s.generation)
	sameKeyNextEpoch.epochs = []epochKey{{2, s.epochs[0].key}}
	if _, err := sameKeyNextEpoch.OpenSegment(swap(func(h *SegmentHeader) { h.Epoch = 2 })); !errors.Is(err, ErrCommitment) {
		t.Errorf("another epoch, the same key: %v", err)
	}
	if _, err := s.OpenSegment(swap(func(h *SegmentHeader) { h.Epoch = 2 })); !errors.Is(err, ErrEpoch) {
		t.Errorf("unknown epoch: %v", err)
	}
	// Records do not move between segments, even with equal associated data.
	sealed, _ := w.Seal(nil, []byte("text"), []byte("aad"))
	protected, _ := w.Protect(nil, []byte("text"), []byte("aad"))
	if _, err := otherSealer.Open(nil, sealed, []byte("aad")); !errors.Is(err, ErrAuth) {
		t.Errorf("a record of another segment: %v", err)
	}
	if _, err := otherSealer.Verify(nil, protected, []byte("aad")); !errors.Is(err, ErrAuth) {
		t.Errorf("a protected record of another segment: %v", err)
	}
}

func TestContextTellsSegmentsApart(t *testing.T) {
	a := NewStageKey("prod")
	seen := map[[16]byte]string{}
	add := func(name string, s *StageKey, id uint64) {
		_, sealer := mustSegment(t, s, id)
		if was, ok := seen[sealer.Context()]; ok {
			t.Errorf("%s has the context of %s", name, was)
		}
		seen[sealer.Context()] = name
	}
	add("a segment", a, 1)
	add("another segment", a, 2)
	add("another stage", stageWith(a, "test", a.generation), 1)
	add("another generation", NewStageKey("prod"), 1)
	// A name that runs into what follows it.
	add("a longer name", stageWith(a, "prod"+string(a.generation[:1]), a.generation), 1)
	before, _ := mustSegment(t, a, 3)
	first, err := a.OpenSegment(before)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := a.OpenSegment(before)
	if first.Context() != second.Context() {
		t.Error("one segment has two contexts")
	}
	want := sha256.Sum256(frame(labelContext, be16(1), []byte("prod"), a.generation[:], be64(3)))
	if got := first.Context(); !bytes.Equal(got[:], want[:16]) {
		t.Errorf("context %x, want %x", got, want[:16])
	}
}

func TestSegmentSaltsAndKeysAreFresh(t *testing.T) {
	s := NewStageKey("prod")
	salts, commitments := map[[32]byte]bool{}, map[[32]byte]bool{}
	for range 1000 {
		h, _ := mustSegment(t, s, 1) // the same id, as after a crash that forgot it
		salts[h.Salt], commitments[h.Commitment] = true, true
	}
	if len(salts) != 1000 || len(commitments) != 1000 {
		t.Errorf("%d salts and %d keys in 1000 segments", len(salts), len(commitments))
	}
}

func TestFrameIsUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	lists := [][][]byte{nil, {nil}, {nil, nil}, {[]byte("ab")}, {[]byte("a"), []byte("b")}, {[]byte("ab"), nil}, {nil, []byte("ab")}, {binary.BigEndian.AppendUint64(nil, 0)}}
	for _, parts := range lists {
		seen[string(frame("l", parts...))] = true
	}
	if len(seen) != len(lists) {
		t.Errorf("%d framings of %d lists", len(seen), len(lists))
	}
}
