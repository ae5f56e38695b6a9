package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// both are the two kinds of records, for tests that hold for each.
var both = []struct {
	name string
	make func(s *Sealer, dst, plaintext, aad []byte) ([]byte, error)
	open func(s *Sealer, dst, record, aad []byte) ([]byte, error)
}{
	{"seal", (*Sealer).Seal, (*Sealer).Open},
	{"protect", (*Sealer).Protect, (*Sealer).Verify},
}

func testSealer(t testing.TB) *Sealer {
	t.Helper()
	_, s := mustSegment(t, NewStageKey("prod"), 1)
	return s
}

func TestRecordsComeBack(t *testing.T) {
	s := testSealer(t)
	for _, k := range both {
		for _, n := range []int{0, 1, 15, 16, 17, 255, 4096, 70000, maxPooled} {
			for _, a := range []int{0, 1, 80, 5000} {
				plaintext, aad := bytes.Repeat([]byte{'p'}, n), bytes.Repeat([]byte{'a'}, a)
				record, err := k.make(s, []byte("before"), plaintext, aad)
				if err != nil || len(record) != 6+n+Overhead || string(record[:6]) != "before" {
					t.Fatalf("%s %d: %d bytes, %v", k.name, n, len(record), err)
				}
				if shown := n > 16 && bytes.Contains(record, plaintext); shown != (k.name == "protect" && n > 16) {
					t.Fatalf("%s %d: plaintext shown: %v", k.name, n, shown)
				}
				got, err := k.open(s, []byte("dst"), record[6:], aad)
				if err != nil || string(got) != "dst"+string(plaintext) {
					t.Fatalf("%s %d: %v", k.name, n, err)
				}
			}
		}
	}
}

func TestEveryBitOfARecord(t *testing.T) {
	s := testSealer(t)
	plaintext, aad := []byte("a record of some thirty-odd bytes"), []byte("and what belongs to it")
	for _, k := range both {
		record, err := k.make(s, nil, plaintext, aad)
		if err != nil {
			t.Fatal(err)
		}
		dst := append(make([]byte, 0, 200), "dst"...)
		refused := func(what string, record, aad []byte) {
			t.Helper()
			got, err := k.open(s, dst, record, aad)
			if !errors.Is(err, ErrAuth) || string(got) != "dst" {
				t.Fatalf("%s: %s: %q, %v", k.name, what, got, err)
			}
			if k.name == "seal" && bytes.Contains(dst[:cap(dst)], plaintext[4:]) {
				t.Fatalf("%s: plaintext that does not authenticate stands in dst", what)
			}
		}
		for bit := range len(record) * 8 {
			bad := bytes.Clone(record)
			bad[bit/8] ^= 1 << (bit % 8)
			refused(fmt.Sprint("bit ", bit), bad, aad)
		}
		for bit := range len(aad) * 8 {
			bad := bytes.Clone(aad)
			bad[bit/8] ^= 1 << (bit % 8)
			refused(fmt.Sprint("aad bit ", bit), record, bad)
		}
		for n := range len(record) {
			refused(fmt.Sprint("cut to ", n), record[:n], aad)
			refused(fmt.Sprint("cut by ", n), record[len(record)-n:], aad)
		}
		refused("longer", append(bytes.Clone(record), 0), aad)
		refused("no aad", record, nil)
		refused("longer aad", record, append(bytes.Clone(aad), 0))
	}
}

// Neither kind may pass for the other, in particular not where Seal is given what Protect authenticates.
func TestKindsAreApart(t *testing.T) {
	s := testSealer(t)
	plaintext, aad := []byte("plaintext"), []byte("aad")
	protected, _ := s.Protect(nil, plaintext, aad)
	sealed, _ := s.Seal(nil, plaintext, aad)
	if _, err := s.Open(nil, protected, aad); !errors.Is(err, ErrAuth) {
		t.Errorf("a protected record was opened: %v", err)
	}
	if _, err := s.Verify(nil, sealed, aad); !errors.Is(err, ErrAuth) {
		t.Errorf("a sealed record was verified: %v", err)
	}
	framing := *framed(aad, plaintext)
	if _, err := s.Open(nil, protected[len(plaintext):], framing); !errors.Is(err, ErrAuth) {
		t.Errorf("the tag of a protected record passes for a sealed record without text: %v", err)
	}
	empty, _ := s.Seal(nil, nil, framing)
	if _, err := s.Verify(nil, append(bytes.Clone(plaintext), empty...), aad); !errors.Is(err, ErrAuth) {
		t.Errorf("a sealed record without text passes for a protected one: %v", err)
	}
}

func TestProtectKeepsTextAndAADApart(t *testing.T) {
	s := testSealer(t)
	whole := []byte("0123456789abcdef")
	record, _ := s.Protect(nil, whole[8:], whole[:8])
	tag := record[8:]
	for i := range len(whole) + 1 {
		_, err := s.Verify(nil, append(bytes.Clone(whole[i:]), tag...), whole[:i])
		if (err == nil) != (i == 8) {
			t.Errorf("split at %d instead of 8: %v", i, err)
		}
	}
}

func TestNoncesNeverRepeat(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	// One segment's keys in four sealers: two processes on a cloned store, and two restarts. Only randomness helps.
	stage := NewStageKey("prod")
	h, first := mustSegment(t, stage, 1)
	sealers := []*Sealer{first}
	for range 3 {
		s, err := stage.OpenSegment(h)
		if err != nil {
			t.Fatal(err)
		}
		sealers = append(sealers, s)
	}
	seen := make(map[[nonceSize]byte]struct{}, n)
	var record []byte
	for i := range n {
		var err error
		k := both[i/len(sealers)%2] // both kinds count against one set: stricter than the two keys need
		if record, err = k.make(sealers[i%len(sealers)], record[:0], nil, nil); err != nil {
			t.Fatal(err)
		}
		seen[[nonceSize]byte(record)] = struct{}{}
	}
	if len(seen) != n {
		t.Fatalf("%d nonces in %d records", len(seen), n)
	}
	// And they look random: each of the 96 bits is set half of the time, within 6 standard deviations.
	var ones [nonceSize * 8]int
	for nonce := range seen {
		for bit := range ones {
			ones[bit] += int(nonce[bit/8] >> (bit % 8) & 1)
		}
	}
	for bit, c := range ones {
		if d := 2*c - n; d*d > 36*n {
			t.Errorf("bit %d is set in %d of %d nonces", bit, c, n)
		}
	}
}

func TestSealLimit(t *testing.T) {
	if s := testSealer(t); s.limit != MaxSeals || MaxSeals != 1<<24 {
		t.Fatalf("the limit is %d", s.limit)
	}
	s := testSealer(t)
	s.limit = 10
	for i := range 30 {
		k := both[i%2]
		record, err := k.make(s, []byte("dst"), []byte("text"), nil)
		if i < 10 && err != nil || i >= 10 && (!errors.Is(err, ErrSealLimit) || string(record) != "dst") {
			t.Fatalf("record %d: %q, %v", i, record, err)
		}
		if want := min(uint64(i+1), 10); s.Seals() != want {
			t.Fatalf("after record %d: %d, want %d", i, s.Seals(), want)
		}
	}
	// Reading goes on.
	other := testSealer(t)
	record, _ := other.Seal(nil, []byte("text"), nil)
	other.limit = 1
	if _, err := other.Open(nil, record, nil); err != nil {
		t.Errorf("past the limit nothing can be read: %v", err)
	}
	resumed := testSealer(t)
	resumed.Resume(MaxSeals - 1)
	if _, err := resumed.Seal(nil, nil, nil); err != nil || resumed.Seals() != MaxSeals {
		t.Errorf("the last seal after Resume: %v, %d", err, resumed.Seals())
	}
	if _, err := resumed.Seal(nil, nil, nil); !errors.Is(err, ErrSealLimit) {
		t.Errorf("one more: %v", err)
	}
}

func TestSealLimitHoldsForManyAtOnce(t *testing.T) {
	s := testSealer(t)
	s.limit = 1000
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for range 500 {
				record, err := both[w%2].make(s, nil, []byte{byte(w)}, []byte("aad"))
				if errors.Is(err, ErrSealLimit) {
					refused.Add(1)
					continue
				}
				made.Add(1)
				if got, err := both[w%2].open(s, nil, record, []byte("aad")); err != nil || got[0] != byte(w) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	if made.Load() != 1000 || refused.Load() != 3000 || s.Seals() != 1000 {
		t.Errorf("%d made, %d refused, %d counted", made.Load(), refused.Load(), s.Seals())
	}
}

func TestRecordsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a run without the race detector: it makes pools forget on purpose")
	}
	s := testSealer(t)
	plaintext, aad := make([]byte, 1024), make([]byte, 80)
	record, text := make([]byte, 0, 2048), make([]byte, 0, 2048)
	for _, k := range both {
		round := func() {
			var err error
			if record, err = k.make(s, record[:0], plaintext, aad); err != nil {
				t.Fatal(err)
			}
			if text, err = k.open(s, text[:0], record, aad); err != nil {
				t.Fatal(err)
			}
			record[0] ^= 1
			if _, err = k.open(s, text[:0], record, aad); k.name == "seal" && err != ErrAuth {
				t.Fatal(err)
			}
		}
		round()
		runtime.GC() // so that none comes while it is counted
		if n := testing.AllocsPerRun(200, round); n != 0 {
			t.Errorf("%s: %v allocations", k.name, n)
		}
	}
}
