package tier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"stagecache/crypto"
)

// testDisk is a Disk in dir with a fixed engine time, closed at the end of the test.
func testDisk(t testing.TB, dir string, keys *crypto.StageKey, change func(*DiskOptions)) *Disk {
	t.Helper()
	o := DiskOptions{Keys: keys, Capacity: 256 << 20, Now: func() int64 { return 1000 }, MaxAge: time.Millisecond}
	if change != nil {
		change(&o)
	}
	d, err := OpenDisk(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	<-d.Loaded()
	return d
}

func hashOf(n int) (h Hash) {
	r := rand.New(rand.NewPCG(uint64(n), 99))
	binary.NativeEndian.PutUint64(h[:], r.Uint64())
	binary.NativeEndian.PutUint64(h[8:], r.Uint64())
	return h
}

// noise is what blobs are cut from: made byte by byte for each of them, they took half of what these tests take under the race
// detector.
var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{'n', 'o', 'i', 's', 'e'}).Read(b) // never fails
	return b
})

// blobOf is size bytes of noise; another n or size gives others.
func blobOf(n, size int) []byte {
	all := noise()
	r := rand.New(rand.NewPCG(uint64(n), uint64(size)))
	b := make([]byte, 0, size)
	for b = binary.NativeEndian.AppendUint64(b, r.Uint64()); len(b) < size; {
		from := r.IntN(len(all))
		b = append(b, all[from:min(len(all), from+size-len(b))]...)
	}
	return b[:size]
}

// TestContract is what every Tier does, run by both. settle makes what was put take its final place.
func TestContract(t *testing.T) {
	tiers := map[string]func(t *testing.T) (Tier, func()){
		"memory": func(t *testing.T) (Tier, func()) {
			m := NewMemory(32 << 20)
			t.Cleanup(func() { m.Close() })
			return m, func() {}
		},
		"memory with large chunks": func(t *testing.T) (Tier, func()) {
			m := NewMemory(256 << 20)
			t.Cleanup(func() { m.Close() })
			return m, func() {}
		},
		"disk": func(t *testing.T) (Tier, func()) {
			d := testDisk(t, t.TempDir(), crypto.NewStageKey("s"), nil)
			return d, func() {
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		},
		"disk queue": func(t *testing.T) (Tier, func()) {
			return testDisk(t, t.TempDir(), crypto.NewStageKey("s"), func(o *DiskOptions) { o.MaxAge = time.Hour }), func() {}
		},
	}
	for name, open := range tiers {
		t.Run(name, func(t *testing.T) { contract(t, open) })
	}
}

func contract(t *testing.T, open func(*testing.T) (Tier, func())) {
	t.Run("absent", func(t *testing.T) {
		tr, _ := open(t)
		dst := []byte("kept")
		got, _, err := tr.Get(dst, hashOf(1))
		if !errors.Is(err, ErrNotFound) || string(got) != "kept" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
	t.Run("what is put is found", func(t *testing.T) {
		tr, settle := open(t)
		sizes := []int{0, 1, 100, 4000, 4058, 4059, 4060, 4096, 5000, 16383, 16400, 65535, 65536, 70000, 1 << 20}
		for i, size := range sizes {
			r := Record{Hash: hashOf(i), Seq: uint64(i + 1), Stamp: uint64(7 * i), Expires: 5000 + int64(i), Plain: i%2 == 1, Blob: blobOf(i, size)}
			if err := tr.Put(r); err != nil {
				t.Fatalf("put %d bytes: %v", size, err)
			}
		}
		settle()
		for i, size := range sizes {
			got, f, err := tr.Get([]byte("dst"), hashOf(i))
			if err != nil {
				t.Fatalf("get %d bytes: %v", size, err)
			}
			if !bytes.Equal(got, append([]byte("dst"), blobOf(i, size)...)) {
				t.Fatalf("%d bytes: other bytes came back", size)
			}
			f.at = loc{}
			if want := (Found{Seq: uint64(i + 1), Stamp: uint64(7 * i), Expires: 5000 + int64(i), Plain: i%2 == 1}); f != want {
				t.Fatalf("%d bytes: got %+v, want %+v", size, f, want)
			}
		}
	})
	t.Run("the newest version answers", func(t *testing.T) {
		tr, settle := open(t)
		for v := range 5 {
			for i := range 50 {
				if err := tr.Put(Record{Hash: hashOf(i), Seq: uint64(v*50 + i + 1), Expires: 9000, Blob: blobOf(v*50+i, 300*(5-v))}); err != nil {
					t.Fatal(err)
				}
			}
			if v%2 == 0 {
				settle()
			}
			for i := range 50 {
				if got, _, err := tr.Get(nil, hashOf(i)); err != nil || !bytes.Equal(got, blobOf(v*50+i, 300*(5-v))) {
					t.Fatalf("version %d of %d: %v", v, i, err)
				}
			}
		}
	})
	t.Run("drop", func(t *testing.T) {
		tr, settle := open(t)
		tr.Put(Record{Hash: hashOf(1), Seq: 1, Expires: 9000, Blob: []byte("one")})
		tr.Put(Record{Hash: hashOf(2), Seq: 2, Expires: 9000, Blob: []byte("two")})
		settle()
		_, f, err := tr.Get(nil, hashOf(1))
		if err != nil {
			t.Fatal(err)
		}
		tr.Drop(hashOf(1), f)
		if _, _, err := tr.Get(nil, hashOf(1)); !errors.Is(err, ErrNotFound) {
			t.Fatalf("dropped, but: %v", err)
		}
		if got, _, err := tr.Get(nil, hashOf(2)); err != nil || string(got) != "two" {
			t.Fatalf("its neighbour: %q, %v", got, err)
		}
		tr.Put(Record{Hash: hashOf(1), Seq: 3, Expires: 9000, Blob: []byte("again")})
		settle()
		if got, _, err := tr.Get(nil, hashOf(1)); err != nil || string(got) != "again" {
			t.Fatalf("put again: %q, %v", got, err)
		}
	})
	t.Run("many goroutines", func(t *testing.T) {
		tr, _ := open(t)
		var locks [16]sync.Mutex
		var seq [16]uint64
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 1))
				for range 500 {
					k := r.IntN(16)
					if r.IntN(3) == 0 {
						locks[k].Lock()
						seq[k]++
						// The blob says whose it is and which version, so that a mix-up is seen.
						text := fmt.Sprintf("%d/%d/", k, seq[k])
						blob := bytes.Repeat([]byte(text), 1+r.IntN(3000))
						if err := tr.Put(Record{Hash: hashOf(k), Seq: seq[k], Expires: 9000, Blob: blob}); err != nil && !errors.Is(err, ErrDropped) {
							t.Errorf("put: %v", err)
						}
						locks[k].Unlock()
						continue
					}
					got, f, err := tr.Get(nil, hashOf(k))
					if err != nil {
						if !errors.Is(err, ErrNotFound) {
							t.Errorf("get: %v", err)
						}
						continue
					}
					text := []byte(fmt.Sprintf("%d/%d/", k, f.Seq))
					if len(got)%len(text) != 0 || !bytes.Equal(got, bytes.Repeat(text, len(got)/len(text))) {
						t.Errorf("key %d seq %d: mixed bytes", k, f.Seq)
					}
				}
			})
		}
		wg.Wait()
	})
}
