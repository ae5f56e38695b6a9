package tier

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"stagecache/crypto"
)

// plainBlob is different for every key and quickly made.
func plainBlob(key, size int) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, uint64(key)), size/8)
}

// play does what the engine does: a miss is put.
func play(t *testing.T, m *Memory, key, size int, seq *uint64) (hit bool) {
	t.Helper()
	h := hashOf(key)
	got, _, err := m.Get(nil, h)
	if err == nil {
		if !bytes.Equal(got, plainBlob(key, size)) {
			t.Fatalf("key %d answers with other bytes", key)
		}
		return true
	}
	*seq++
	if err := m.Put(Record{Hash: h, Seq: *seq, Expires: 1 << 60, Blob: plainBlob(key, size)}); err != nil {
		t.Fatal(err)
	}
	return false
}

// Guards against a memory that forgets what is asked for again and again while many keys pass that are asked for once, whatever
// their size: the main part is not theirs.
func TestMemoryKeepsItsMainPartThroughAScan(t *testing.T) {
	for _, size := range []int{1000, 6000, 40_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m := NewMemory(MemoryStep)
			defer m.Close()
			fits := MemoryStep / (size + memOverhead)
			var seq uint64
			for key := range 2 * fits { // no room is left that was never used
				play(t, m, 1_000_000+key, size, &seq)
			}
			hot := fits / 4
			for round := range 4 {
				for key := range hot {
					play(t, m, key, size, &seq)
					play(t, m, 3_000_000+1_000_000*round+key, size, &seq) // else nothing moves on
				}
			}
			for key := range 4 * fits {
				play(t, m, 2_000_000+key, size, &seq)
			}
			kept := 0
			for key := range hot {
				if play(t, m, key, size, &seq) {
					kept++
				}
			}
			if kept < hot*9/10 {
				t.Errorf("%d of %d entries are left after a scan of four times the memory", kept, hot)
			}
		})
	}
}

// Guards against two copies of different versions: whichever part the newer one goes to, the older must not answer when that
// one has fallen out or was dropped.
func TestMemoryHasOneVersion(t *testing.T) {
	m := NewMemory(MemoryStep)
	defer m.Close()
	const keys, size = 200, 1000
	var seq uint64
	for key := range 2 * MemoryStep / size { // no room is left that was never used
		play(t, m, 1_000_000+key, size, &seq)
	}
	put := func(key, version int) {
		seq++
		if err := m.Put(Record{Hash: hashOf(key), Seq: seq, Expires: 1 << 60, Blob: plainBlob(10*key+version, size)}); err != nil {
			t.Fatal(err)
		}
	}
	in := func(p *memPart) (n int) {
		for key := range keys {
			h := hashOf(key)
			var e memEntry
			if _, ok := m.get(nil, &h, p, &e); ok {
				n++
			}
		}
		return n
	}
	for key := range keys {
		put(key, 1)
	}
	if n := in(&m.entrance); n < keys*9/10 {
		t.Fatalf("%d of %d new entries are in the entrance", n, keys)
	}
	for key := range keys {
		put(key, 2)
	}
	if n := in(&m.main); n < keys*9/10 {
		t.Fatalf("%d of %d entries that were there before are in the main part", n, keys)
	}
	for i := range 2 * MemoryStep / size { // the main part alone turns
		h := hashOf(2_000_000 + i)
		left := 0
		m.write(&h, &m.main, m.prepare(nil, &Record{Hash: h, Seq: seq, Blob: plainBlob(i, size)}, &m.main, &left), 0)
	}
	for key := range keys {
		if got, _, err := m.Get(nil, hashOf(key)); err == nil && !bytes.Equal(got, plainBlob(10*key+2, size)) {
			t.Fatalf("key %d answers with its older version", key)
		}
	}
	if n := in(&m.main); n > 0 {
		t.Fatalf("%d entries outlived two turns of the main part", n)
	}
	for key := range keys {
		put(key, 3)
		m.Drop(hashOf(key), Found{})
		if _, _, err := m.Get(nil, hashOf(key)); err == nil {
			t.Fatalf("key %d was dropped and answers", key)
		}
	}
}

// A blob that would push out a large part of the others is not kept, and neither is the version it replaces.
func TestMemoryRefusesTheVeryLarge(t *testing.T) {
	m := NewMemory(MemoryStep)
	defer m.Close()
	h := hashOf(1)
	for i, c := range []struct {
		size int
		kept bool
	}{{100, true}, {MemoryStep / memLargest, true}, {MemoryStep/memLargest + 1, false}} {
		if err := m.Put(Record{Hash: h, Seq: uint64(i + 1), Blob: make([]byte, c.size)}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := m.Get(nil, h); (err == nil) != c.kept || c.kept && len(got) != c.size {
			t.Errorf("%d bytes: %d came back, %v", c.size, len(got), err)
		}
	}
}

func TestGhostsRememberForAWhile(t *testing.T) {
	g := newGhosts(4000)
	for i := range 1000 {
		h := hashOf(i)
		g.add(&h, 100)
	}
	count := func(from, to int, now uint64) (n int) {
		for i := from; i < to; i++ {
			h := hashOf(i)
			if g.take(&h, now) {
				n++
			}
		}
		return n
	}
	if n := count(0, 1000, 100+ghostLife-1); n < 980 {
		t.Errorf("%d of 1000 are remembered", n)
	}
	if n := count(0, 1000, 100+ghostLife); n != 0 {
		t.Errorf("%d are remembered for too long", n)
	}
	for _, later := range []uint64{1 << 10, 1 << 12, 1 << 15} {
		if n := count(0, 1000, 100+later); n != 0 {
			t.Errorf("%d are remembered after %d ticks", n, later)
		}
	}
	if n := count(1000, 11_000, 100); n > 10 {
		t.Errorf("%d of 10000 that never were are remembered", n)
	}
}

func TestMemoryHitAlloc(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	m := NewMemory(MemoryStep)
	defer m.Close()
	h := hashOf(1)
	if err := m.Put(Record{Hash: h, Seq: 1, Blob: blobOf(1, 1000)}); err != nil {
		t.Fatal(err)
	}
	room := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() {
		if _, _, err := m.Get(room, h); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a hit allocates %g times", n)
	}
}

// allocated is how many bytes fn allocates.
func allocated(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestLargeEntriesAllocLittle: what is written once more, and a batch's index, go through buffers that are used again.
func TestLargeEntriesAllocLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools forget on purpose")
	}
	const n, size = 400, 200 << 10
	m := NewMemory(MemoryStep)
	defer m.Close()
	blob := blobOf(1, size)
	room := make([]byte, 0, size+1000)
	fill := func(from int) {
		for k := from; k < from+n; k++ {
			if err := m.Put(Record{Hash: hashOf(k), Seq: 1, Blob: blob}); err != nil {
				t.Fatal(err)
			}
			for back := range 4 {
				_, _, _ = m.Get(room, hashOf(k-back*7)) // it may be gone
			}
		}
	}
	fill(0)
	if per := allocated(func() { fill(n) }) / n; per > size/3 {
		t.Errorf("a put of %d bytes, with what is written once more for it, allocates %d", size, per)
	}

	_, s, err := crypto.NewStageKey("s").NewSegment(1)
	if err != nil {
		t.Fatal(err)
	}
	x := &batchIndex{entries: make([]indexEntry, 5000)}
	for i := range x.entries {
		x.entries[i] = indexEntry{hash: hashOf(i), seq: uint64(i), size: 100, raw: 100}
	}
	sealed, err := s.Seal(nil, x.append(nil), batchIndexAAD(1, s.Context()))
	if err != nil {
		t.Fatal(err)
	}
	open := func() {
		if err := x.open(s, 1, sealed); err != nil {
			t.Fatal(err)
		}
	}
	open()
	if per := allocated(func() {
		for range 50 {
			open()
		}
	}) / 50; per > int64(len(sealed)/3) {
		t.Errorf("opening an index of %d bytes allocates %d", len(sealed), per)
	}
}
