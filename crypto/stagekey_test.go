package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func mustSeal(t testing.TB, root *RootKey, s *StageKey) []byte {
	t.Helper()
	data, err := SealStageKey(root, s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sameKeys compares two stage keys by their plain file, which holds all there is in them.
func sameKeys(t testing.TB, a, b *StageKey) bool {
	t.Helper()
	return bytes.Equal(mustSeal(t, nil, a), mustSeal(t, nil, b))
}

// withSum puts the right checksum over altered contents, as one would who means it.
func withSum(data []byte) []byte {
	content := data[:len(data)-sha256.Size]
	sum := sha256.Sum256(content)
	return append(bytes.Clone(content), sum[:]...)
}

// typed says whether an error of OpenStageKey is one of those it promises.
func typed(err error) bool {
	var wrong *WrongKeyError
	var plain *PlainKeyError
	var name *StageNameError
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrFormatNewer) || errors.As(err, &wrong) || errors.As(err, &plain) || errors.As(err, &name)
}

func TestStageKeyComesBack(t *testing.T) {
	for _, root := range []*RootKey{nil, testRoot(1)} {
		for _, stage := range []string{"prod", "", strings.Repeat("x", MaxStageName), "\u00fcnicode\x00"} {
			s := NewStageKey(stage)
			s.Rotate()
			s.Rotate()
			s.epochs = slices.Delete(s.epochs, 1, 2) // the format has room for gaps
			data := mustSeal(t, root, s)
			var roots []*RootKey
			if root != nil {
				roots = []*RootKey{nil, testRoot(2), root, testRoot(3)}
			}
			back, opened, err := OpenStageKey(data, stage, roots...)
			if err != nil || opened != root {
				t.Fatalf("%v: opened by %v, %v", root, opened, err)
			}
			if back.Stage() != stage || back.Generation() != s.Generation() || back.Epoch() != 3 || !sameKeys(t, back, s) {
				t.Fatalf("%v came back as %v", s, back)
			}
			if root != nil && bytes.Equal(data, mustSeal(t, root, s)) {
				t.Fatal("sealing twice gave the same bytes: no fresh salt")
			}
		}
	}
}

func TestStageKeysAreRandom(t *testing.T) {
	a, b := NewStageKey("s"), NewStageKey("s")
	if a.Generation() == b.Generation() || *a.hash == *b.hash || *a.epochs[0].key == *b.epochs[0].key || *a.hash == *a.epochs[0].key {
		t.Fatal("two generations share a key")
	}
	a.Rotate()
	if *a.epochs[0].key == *a.epochs[1].key {
		t.Fatal("a rotation kept the key")
	}
}

func TestSealedStageKeyShowsNoKey(t *testing.T) {
	root, s := testRoot(1), NewStageKey("prod")
	data := mustSeal(t, root, s)
	for _, secret := range [][]byte{root.secret()[:], s.hash[:], s.epochs[0].key[:]} {
		for i := range len(secret) - 8 {
			if bytes.Contains(data, secret[i:i+8]) {
				t.Fatal("a part of a key stands in the file in the clear")
			}
		}
	}
	if !bytes.Contains(mustSeal(t, nil, s), s.hash[:]) {
		t.Fatal("the search does not find what is there")
	}
}

func TestWrongRootKey(t *testing.T) {
	a, b, c := testRoot(1), testRoot(2), testRoot(3)
	data := mustSeal(t, a, NewStageKey("prod"))
	for _, roots := range [][]*RootKey{nil, {nil}, {b}, {b, c}} {
		_, opened, err := OpenStageKey(data, "prod", roots...)
		var wrong *WrongKeyError
		if !errors.As(err, &wrong) || opened != nil || wrong.Want != a.ID() {
			t.Fatalf("%v: %v", roots, err)
		}
		var have []KeyID
		for _, r := range roots {
			if r != nil {
				have = append(have, r.ID())
			}
		}
		if !slices.Equal(wrong.Have, have) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), a.ID().String()) {
			t.Fatalf("%v: %v", roots, err)
		}
	}
}

func TestRewrapping(t *testing.T) {
	before, after := testRoot(1), testRoot(2)
	s := NewStageKey("prod")
	first := mustSeal(t, before, s)
	opened, by, err := OpenStageKey(first, "prod", after, before)
	if err != nil || by != before {
		t.Fatalf("by %v, %v", by, err)
	}
	second := mustSeal(t, after, opened)
	var wrong *WrongKeyError
	if _, _, err := OpenStageKey(second, "prod", before); !errors.As(err, &wrong) || wrong.Want != after.ID() {
		t.Fatalf("the old key after re-wrapping: %v", err)
	}
	again, by, err := OpenStageKey(second, "prod", after, before)
	if err != nil || by != after || !sameKeys(t, again, s) {
		t.Fatalf("by %v, %v", by, err)
	}
}

func TestPlainStageKey(t *testing.T) {
	s := NewStageKey("prod")
	data := mustSeal(t, nil, s)
	if back, by, err := OpenStageKey(data, "prod"); err != nil || by != nil || !sameKeys(t, back, s) {
		t.Fatalf("%v, %v", by, err)
	}
	// Who can write to the disk can make such a file: it must not pass for a sealed one.
	var plain *PlainKeyError
	if _, _, err := OpenStageKey(data, "prod", testRoot(1)); !errors.As(err, &plain) || plain.Stage != "prod" {
		t.Fatalf("with a root key: %v", err)
	}
	for i := 12; i < 20; i++ { // a key id in a file that needs none
		bad := bytes.Clone(data)
		bad[i] = 1
		if _, _, err := OpenStageKey(withSum(bad), "prod"); !errors.Is(err, ErrDamaged) {
			t.Fatalf("key id set: %v", err)
		}
	}
	// A sealed file whose flag says plain, and the other way round.
	sealed := mustSeal(t, testRoot(1), s)
	sealed[11] ^= flagPlain
	if _, _, err := OpenStageKey(withSum(sealed), "prod"); !errors.Is(err, ErrDamaged) {
		t.Fatalf("sealed, marked plain: %v", err)
	}
	data[11] ^= flagPlain
	copy(data[12:], testRoot(1).id[:])
	if _, _, err := OpenStageKey(withSum(data), "prod", testRoot(1)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("plain, marked sealed: %v", err)
	}
}

func TestStageKeyOfAnotherStage(t *testing.T) {
	root := testRoot(1)
	for _, root := range []*RootKey{nil, root} {
		var roots []*RootKey
		if root != nil {
			roots = append(roots, root)
		}
		data := mustSeal(t, root, NewStageKey("prod"))
		var name *StageNameError
		if _, _, err := OpenStageKey(data, "test", roots...); !errors.As(err, &name) || name.File != "prod" || name.Asked != "test" {
			t.Fatal(err)
		}
	}
	// Renamed by one who knows the format: the name is authenticated.
	data := bytes.Replace(mustSeal(t, root, NewStageKey("prod")), []byte("prod"), []byte("test"), 1)
	if _, _, err := OpenStageKey(withSum(data), "test", root); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

func TestNewerStageKey(t *testing.T) {
	root := testRoot(1)
	for _, version := range []uint16{2, 3, 256, math.MaxUint16} {
		data := mustSeal(t, root, NewStageKey("prod"))
		binary.BigEndian.PutUint16(data[8:], version)
		if _, _, err := OpenStageKey(data, "prod", root); !errors.Is(err, ErrDamaged) {
			t.Fatalf("version %d without its checksum: %v", version, err)
		}
		if _, _, err := OpenStageKey(withSum(data), "prod", root); !errors.Is(err, ErrFormatNewer) {
			t.Fatalf("version %d: %v", version, err)
		}
		// Nothing but magic, version and the checksum is promised of it.
		short := append(append([]byte(stageMagic), be16(version)...), make([]byte, sha256.Size)...)
		if _, _, err := OpenStageKey(withSum(short), "prod", root); !errors.Is(err, ErrFormatNewer) {
			t.Fatalf("version %d, short: %v", version, err)
		}
	}
}

func TestEveryBitOfAStageKeyFile(t *testing.T) {
	root, s := testRoot(1), NewStageKey("prod")
	s.Rotate()
	for _, c := range []struct {
		root  *RootKey
		roots []*RootKey
	}{{root, []*RootKey{root}}, {nil, nil}} {
		data := mustSeal(t, c.root, s)
		kinds := map[string]int{}
		for bit := range len(data) * 8 {
			bad := bytes.Clone(data)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, _, err := OpenStageKey(bad, "prod", c.roots...); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v, bit %d: %v", c.root, bit, err)
			}
			if c.root == nil || bit/8 >= len(data)-sha256.Size {
				continue // in the clear, the checksum is all there is
			}
			back, _, err := OpenStageKey(withSum(bad), "prod", c.roots...)
			if back != nil || !typed(err) {
				t.Fatalf("bit %d, checksum made right: %v", bit, err)
			}
			kinds[fmt.Sprintf("%T", err)]++
		}
		if c.root != nil && (kinds["*crypto.WrongKeyError"] != 64 || kinds["*crypto.StageNameError"] == 0 || kinds["*crypto.kindError"] == 0) {
			t.Errorf("flips gave %v", kinds)
		}
	}
}

func TestTruncatedAndLongerStageKeyFiles(t *testing.T) {
	root := testRoot(1)
	for _, c := range []*RootKey{root, nil} {
		var roots []*RootKey
		if c != nil {
			roots = append(roots, c)
		}
		data := mustSeal(t, c, NewStageKey("prod"))
		for n := range len(data) {
			for _, bad := range [][]byte{data[:n], append(bytes.Clone(data[:n]), make([]byte, len(data)-n)...)} {
				if bytes.Equal(bad, data) {
					continue // its last bytes were zero
				}
				if _, _, err := OpenStageKey(bad, "prod", roots...); !errors.Is(err, ErrDamaged) {
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
			if n >= sha256.Size {
				if back, _, err := OpenStageKey(withSum(data[:n]), "prod", roots...); back != nil || !typed(err) {
					t.Fatalf("%d bytes, checksum made right: %v", n, err)
				}
			}
		}
		for _, more := range []int{1, 16, epochSize, 4096} {
			longer := append(bytes.Clone(data), make([]byte, more)...)
			if _, _, err := OpenStageKey(longer, "prod", roots...); !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			if _, _, err := OpenStageKey(withSum(longer), "prod", roots...); !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	}
}

// Parts of one intact file put into another one, with the checksum made right.
func TestSplicedStageKeyFiles(t *testing.T) {
	root := testRoot(1)
	a, b := mustSeal(t, root, NewStageKey("prod")), mustSeal(t, root, NewStageKey("prod"))
	for name, r := range map[string][2]int{
		"generation": {20, 36}, "salt": {36, 68}, "commitment": {68, 100}, "salt and commitment": {36, 100},
		"body": {fixedHeader + 4, len(a) - 32}, "all but the body": {0, fixedHeader + 4},
	} {
		bad := bytes.Clone(a)
		copy(bad[r[0]:r[1]], b[r[0]:r[1]])
		if bytes.Equal(bad, a) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if back, _, err := OpenStageKey(withSum(bad), "prod", root); back != nil || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s of another file: %v", name, err)
		}
	}
}

// A file whose seal is right but whose commitment is not: what one could make who knows two root keys and looks for a
// body that opens under both, which AES-GCM does not rule out.
func TestCommitmentIsJudgedBesideTheSeal(t *testing.T) {
	root, s := testRoot(1), NewStageKey("prod")
	file := func(flip byte) []byte {
		h := stageHeader{version: 1, keyID: root.id, generation: s.generation, stage: "prod"}
		key, commitment, err := wrapping(root, h.salt[:])
		if err != nil {
			t.Fatal(err)
		}
		h.commitment = [32]byte(commitment)
		h.commitment[31] ^= flip
		aead, err := newAEAD(key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.appendBody(nil)
		if err != nil {
			t.Fatal(err)
		}
		sealed := aead.Seal(h.append(nil), nil, body, h.append(nil))
		return withSum(append(sealed, make([]byte, sha256.Size)...))
	}
	if _, _, err := OpenStageKey(file(0), "prod", root); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	if _, _, err := OpenStageKey(file(1), "prod", root); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "was not made with it") {
		t.Fatalf("one bit of the commitment: %v", err)
	}
	// Another key of the same id stands in nobody's way.
	namesake := testRoot(2)
	namesake.id = root.id
	if _, by, err := OpenStageKey(file(0), "prod", namesake, root); err != nil || by != root {
		t.Fatalf("behind another key of the same id: %v, %v", by, err)
	}
	if _, _, err := OpenStageKey(file(0), "prod", namesake); !errors.Is(err, ErrDamaged) {
		t.Fatalf("another key of the same id alone: %v", err)
	}
}

func TestBodiesThatMakeNoSense(t *testing.T) {
	s := NewStageKey("prod")
	h := stageHeader{version: 1, flags: flagPlain, stage: "prod"}
	epoch := func(n uint32) []byte { return append(be32(n), make([]byte, KeySize)...) }
	file := func(count uint16, epochs ...[]byte) []byte {
		out := append(h.append(nil), s.hash[:]...)
		out = append(out, be16(count)...)
		return withSum(append(append(out, bytes.Join(epochs, nil)...), make([]byte, sha256.Size)...))
	}
	if _, _, err := OpenStageKey(file(2, epoch(1), epoch(9)), "prod"); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for name, data := range map[string][]byte{
		"no epoch":      file(0),
		"epoch 0":       file(1, epoch(0)),
		"twice":         file(2, epoch(3), epoch(3)),
		"descending":    file(2, epoch(3), epoch(2)),
		"count too low": file(1, epoch(1), epoch(2)),
		"count too big": file(3, epoch(1), epoch(2)),
	} {
		if _, _, err := OpenStageKey(data, "prod"); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRotate(t *testing.T) {
	s := NewStageKey("prod")
	hash := s.Hasher().Sum([]byte("key"))
	var headers []SegmentHeader
	for i := range 4 {
		h, _, err := s.NewSegment(uint64(i))
		if err != nil || h.Epoch != uint32(i+1) {
			t.Fatalf("epoch %d, %v", h.Epoch, err)
		}
		headers = append(headers, h)
		if i < 3 {
			s.Rotate()
		}
	}
	opens := func(want ...bool) {
		t.Helper()
		for i, h := range headers {
			_, err := s.OpenSegment(h)
			if (err == nil) != want[i] || !want[i] && !errors.Is(err, ErrEpoch) {
				t.Fatalf("epoch %d: %v", i+1, err)
			}
		}
	}
	opens(true, true, true, true)
	s.epochs = s.epochs[1:]
	opens(false, true, true, true)
	if s.Epoch() != 4 || s.Hasher().Sum([]byte("key")) != hash {
		t.Error("the hash key must outlive rotations")
	}
	s.epochs[2].epoch = math.MaxUint32
	s.Rotate()
	if s.Epoch() != math.MaxUint32 || len(s.epochs) != 3 {
		t.Error("the last epoch must not wrap around")
	}
}

func TestRewrapUsesNoKeyBeforeItIsKept(t *testing.T) {
	s, root := NewStageKey("prod"), NewRootKey()
	no := errors.New("no")
	if err := s.Rewrap(root, func([]byte) error { return no }); !errors.Is(err, no) || s.Epoch() != 1 {
		t.Errorf("refused: %v, epoch %d", err, s.Epoch())
	}
	err := s.Rewrap(root, func(file []byte) error {
		kept, used, err := OpenStageKey(file, "prod", NewRootKey(), root)
		if err != nil || used != root || kept.Epoch() != 2 || s.Epoch() != 1 {
			t.Errorf("%v, %v; the file has epoch %d, in use is %d", used, err, kept.Epoch(), s.Epoch())
		}
		return nil
	})
	if err != nil || s.Epoch() != 2 {
		t.Errorf("%v, epoch %d", err, s.Epoch())
	}
}

func TestStageKeyLimits(t *testing.T) {
	if _, err := SealStageKey(nil, NewStageKey(strings.Repeat("x", MaxStageName+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("name: %v", err)
	}
	s := NewStageKey("s")
	for len(s.epochs) <= maxEpochs {
		s.epochs = append(s.epochs, epochKey{uint32(len(s.epochs) + 1), s.epochs[0].key})
	}
	if _, err := SealStageKey(testRoot(1), s); !errors.Is(err, ErrTooLarge) {
		t.Errorf("epochs: %v", err)
	}
	s.epochs = s.epochs[:maxEpochs]
	if back, _, err := OpenStageKey(mustSeal(t, testRoot(1), s), "s", testRoot(1)); err != nil || back.Epoch() != maxEpochs {
		t.Errorf("at the limit: %v", err)
	}
}
