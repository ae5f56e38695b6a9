package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"runtime"
	"sync"
	"testing"
)

func TestHasher(t *testing.T) {
	s := NewStageKey("prod")
	h := s.Hasher()
	seen := map[Hash]bool{}
	for _, n := range []int{0, 1, 55, 56, 64, 255, 256, 257, 511, 512, 513, 10000} {
		key := bytes.Repeat([]byte{'k'}, n)
		mac := hmac.New(sha256.New, s.hash[:])
		mac.Write(key)
		want := Hash(mac.Sum(nil))
		for range 3 { // also from a state that has been used
			if got := h.Sum(key); got != want {
				t.Fatalf("%d bytes: %s, want %s", n, got, want)
			}
		}
		seen[want] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d hashes of 12 keys", len(seen))
	}
	if NewStageKey("prod").Hasher().Sum([]byte("k")) == h.Sum([]byte("k")) {
		t.Error("two generations hash alike")
	}
}

func TestHasherForMany(t *testing.T) {
	h := NewStageKey("prod").Hasher()
	var want [16]Hash
	for i := range want {
		want[i] = h.Sum(bytes.Repeat([]byte{byte(i)}, i*40))
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 500 {
				i := (n + w) % len(want)
				if h.Sum(bytes.Repeat([]byte{byte(i)}, i*40)) != want[i] {
					t.Errorf("key %d: another hash", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestHasherDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a run without the race detector: it makes pools forget on purpose")
	}
	h := NewStageKey("prod").Hasher()
	var sink Hash
	round := func() {
		var key [300]byte // on the stack, and has to stay there
		key[0] = sink[0]
		sink = h.Sum(key[:])
	}
	round()
	runtime.GC() // so that none comes while it is counted
	round()
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
