package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/tier"
)

// TestHotTierGetsWhatTheIndexLeaves: large entries need a small index. What it does not need, the hot tier gets, and nobody is answered an
// old version or another's value meanwhile.
func TestHotTierGetsWhatTheIndexLeaves(t *testing.T) {
	r := newScratchRig(t, func(o *Options) { o.Capacity, o.Block = 230e6, true })
	const keys, size = divideEvery, 16_000
	before, index := r.s.memory.Load().Size(), r.s.indexRoom.Load()
	if before > r.o.Hot() || before < r.o.Hot()-tier.MemoryStep {
		t.Fatalf("%d bytes of hot tier, Hot says %d", before, r.o.Hot())
	}
	random := rand.NewChaCha8([32]byte{1})
	value := make([]byte, size)
	putKey := func(key string, version uint64) {
		_, _ = random.Read(value) // never fails
		binary.LittleEndian.PutUint64(value, version)
		r.put(key, string(value), Meta{TTL: time.Hour})
	}
	var done [16]atomic.Uint64 // the version that was put last, of a few keys that are put again and again
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; !stop.Load(); n++ {
			i := n % len(done)
			least := done[i].Load()
			e, err := r.s.Get(nil, []byte(fmt.Sprint("again", i)))
			if err == nil && binary.LittleEndian.Uint64(e.Value) < least {
				t.Errorf("key %d: version %d after %d was put", i, binary.LittleEndian.Uint64(e.Value), least)
				return
			}
		}
	})
	for i := range keys {
		putKey(fmt.Sprint("k", i), 0)
		if i%8 == 0 {
			n := i / 8
			putKey(fmt.Sprint("again", n%len(done)), uint64(n))
			done[n%len(done)].Store(uint64(n))
		}
	}
	stop.Store(true)
	wg.Wait()
	r.sync()
	divideNow(r.s)
	after, need := r.s.memory.Load().Size(), r.s.indexRoom.Load()
	if after < before*6/5 || after-before > index-need {
		t.Errorf("the hot tier had %d bytes and has %d; the index was promised %d and needs %d", before, after, index, need)
	}
	if b := r.o.budget(); after+need > b.cache+b.index {
		t.Errorf("%d and %d are more than %d and %d", after, need, b.cache, b.index)
	}
	st := r.s.Stats()
	if heap := r.s.Heap(); heap+after > r.o.Memory || heap < r.s.Garbage()+st.IndexBytes {
		t.Errorf("%d bytes of heap and %d of hot tier, of %d", heap, after, r.o.Memory)
	}
	if st.IndexBytes > need || st.Entries < keys {
		t.Errorf("the index takes %d of %d bytes for %d entries", st.IndexBytes, need, st.Entries)
	}
	divideNow(r.s)
	if again := r.s.memory.Load().Size(); again != after {
		t.Errorf("divided once more: %d, then %d", after, again)
	}
	r.reopen() // what is stored tells a start at once
	divideNow(r.s)
	if again := r.s.memory.Load().Size(); again != after {
		t.Errorf("after a start: %d, before it %d", again, after)
	}
}

// TestSmallEntriesKeepTheirIndex: what small entries will need is not given away.
func TestSmallEntriesKeepTheirIndex(t *testing.T) {
	r := newScratchRig(t, func(o *Options) { o.Capacity, o.Block = 64<<20, true })
	before := r.s.memory.Load().Size()
	for i := range 40_000 {
		r.put(fmt.Sprint("k", i), string(noise(i, 400)), Meta{TTL: time.Hour})
	}
	r.sync()
	if _, known := r.s.gen.Load().disk.IndexNeed(); !known {
		t.Fatal("a quarter of the capacity is used, and nothing is known")
	}
	divideNow(r.s)
	if after := r.s.memory.Load().Size(); after != before {
		t.Errorf("the hot tier had %d bytes and has %d", before, after)
	}
}

// divideNow divides, or waits until the store's own goroutine, which may be at it, has done so.
func divideNow(s *Store) {
	s.divide()
	s.flushMu.Lock()
	s.flushMu.Unlock() //lint:ignore SA2001 only waited for
}
