package tier

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// Guards against an entry that is lost because it was asked for at the wrong time: each is asked for once or twice while its part
// turns, but never when it is about to fall out.
func TestMemoryKeepsWhatWasAskedForEarlier(t *testing.T) {
	for _, size := range []int{1000, 16_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m := NewMemory(MinMemory)
			defer m.Close()
			fits := MinMemory / (size + memOverhead)
			var seq uint64
			twice := func(key int) { // to the main part
				for range 2 {
					seq++
					if err := m.Put(Record{Hash: hashOf(key), Seq: seq, Expires: 1 << 60, Blob: plainBlob(key, size)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			other := 1_000_000
			others := func(n int) {
				for range n {
					other++
					twice(other)
				}
			}
			others(2 * fits) // no room is left that was never used
			hot := fits / 20
			for key := range hot {
				twice(key)
			}
			kept := 0
			for range 5 {
				others(fits * 4 / 5 * 6 / 10)
				kept = 0
				for key := range hot {
					h := hashOf(key)
					if _, _, err := m.Get(nil, h); err == nil {
						kept++
					}
				}
			}
			if kept < hot*9/10 {
				t.Errorf("%d of %d entries are left that were asked for all the time", kept, hot)
			}
			others(3 * fits)
			for key := range hot {
				h := hashOf(key)
				if _, _, err := m.Get(nil, h); err == nil {
					t.Fatal("what nobody asks for any more stays, so this test shows nothing")
				}
			}
		})
	}
}

// Guards against a policy that is not worth its trouble, by a made-up trace, a third of it requests that come but once: half as many hits
// again as first-in-first-out has with room for as many entries. Rings whose hits alone renewed what was old had 43 % more.
func TestMemoryHitsMoreThanFIFO(t *testing.T) {
	const size, requests, popular = 16 << 10, 40_000, 8_000
	m := NewMemory(MinMemory)
	defer m.Close()
	fits := MinMemory / (size + 65)
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 10, popular-1)
	var fifo []int
	has := make(map[int]bool)
	var seq uint64
	hits, fifoHits := 0, 0
	for i := range requests {
		key := int(zipf.Uint64())
		if r.IntN(3) == 0 {
			key = popular + i
		}
		if play(t, m, key, size, &seq) {
			hits++
		}
		if has[key] {
			fifoHits++
			continue
		}
		if fifo, has[key] = append(fifo, key), true; len(fifo) > fits {
			delete(has, fifo[0])
			fifo = fifo[1:]
		}
	}
	if hits < fifoHits*3/2 {
		t.Errorf("of %d requests, memory answers %d and first-in-first-out %d", requests, hits, fifoHits)
	}
}

// Guards against an older version that comes back with its second chance while a newer one is put or it is dropped: many keys, few
// rings, everything asked for.
func TestMemorySecondChanceBringsNoOldVersion(t *testing.T) {
	const keys, size = 400, 20_000
	m := NewMemory(MinMemory) // a third more than there is room for
	defer m.Close()
	var locks [keys]sync.Mutex
	var newest [keys]uint64 // 0: dropped
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for n := range 4000 {
				k := r.IntN(keys * 3 / 2)
				if k >= keys {
					_ = m.Put(Record{Hash: hashOf(1000*(g+1) + n), Seq: 1, Blob: make([]byte, size)}) // pushes others out
					continue
				}
				h := hashOf(k)
				locks[k].Lock()
				_, f, err := m.Get(nil, h)
				if err == nil && f.Seq != newest[k] {
					t.Errorf("key %d answers with version %d, the newest is %d", k, f.Seq, newest[k])
				}
				switch r.IntN(8) {
				case 0:
					m.Drop(h, Found{})
					newest[k] = 0
				case 1, 2, 3:
					newest[k] = uint64(g*10_000 + n + 1)
					_ = m.Put(Record{Hash: h, Seq: newest[k], Blob: plainBlob(k, size*(1+r.IntN(2)))})
				}
				locks[k].Unlock()
			}
		})
	}
	wg.Wait()
}

// TestOnePutWritesLittleAgain guards the time and the memory that a Put takes where all that it is written over was asked for: that is bounded
// in bytes, not in entries.
func TestOnePutWritesLittleAgain(t *testing.T) {
	const size = 300_000
	m := NewMemory(MemoryStep)
	defer m.Close()
	var seq uint64
	blob := make([]byte, size)
	put := func(key, size int) {
		seq++
		_ = m.Put(Record{Hash: hashOf(key), Seq: seq, Blob: blob[:size]})
	}
	const n = 3 * MemoryStep / size
	most := uint64(0)
	for k := range n {
		before := m.main.written.Load() + m.entrance.written.Load()
		put(k, size)
		most = max(most, m.main.written.Load()+m.entrance.written.Load()-before)
		for range slotAsked {
			blob, _, _ = m.Get(blob[:0], hashOf(k))
		}
		blob = blob[:size]
	}
	if most < 2*size {
		t.Errorf("a Put wrote %d bytes at most: nothing was written again, so this shows nothing", most)
	}
	if bound := uint64(size + chanceBytes + chanceBytes/4); most > bound {
		t.Errorf("a Put wrote %d bytes, more than %d", most, bound)
	}
}
