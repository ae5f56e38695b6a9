package tier

import (
	"math/rand/v2"
	"testing"
	"time"

	"stagecache/crypto"
)

// TestWhatComesOnceLeavesTheRest: many times the capacity is put once and never asked for. What was asked for before that stays, for it has
// left the entrance. In the order of writing, with one more turn for what was asked for, nothing of it would.
func TestWhatComesOnceLeavesTheRest(t *testing.T) {
	const capacity, segment, size = 32 << 20, 1 << 20, 20_000
	d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
		o.Capacity, o.SegmentSize, o.QueueBytes, o.Block = capacity, segment, 1<<20, true
	})
	seq := uint64(0)
	put := func(k int) {
		seq++
		if err := d.Put(Record{Hash: hashOf(k), Seq: seq, Expires: 10_000_000, Blob: blobOf(k, size)}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(k int) bool {
		_, _, err := d.Get(nil, hashOf(k))
		return err == nil
	}
	const wanted = 200 // put among others that are not
	for k := range 4 * wanted {
		put(k)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	for k := range wanted {
		has(4 * k)
	}
	for k := 4 * wanted; k < 4*wanted+6*capacity/size; k++ {
		put(k)
	}
	kept := 0
	for k := range wanted {
		if has(4 * k) {
			kept++
		}
	}
	if kept < wanted*9/10 {
		t.Errorf("%d of %d are left: %+v", kept, wanted, d.Stats())
	}
}

// where is the stream of the segment that a key lies in; -1: none.
func (l *life) where(n int) int {
	h := hashOf(n)
	at, ok := l.d.index.Lookup(&h)
	if !ok {
		return -1
	}
	return l.d.segs[at.seg].Load().stream
}

// TestWhoGoesThroughTheEntrance: what is known does not, nor what fell out of it not long ago.
func TestWhoGoesThroughTheEntrance(t *testing.T) {
	l := newLife(t, nil)
	wantIn := func(n int, entrance bool, why string) {
		t.Helper()
		if s := l.where(n); s < 0 || inEntrance(s) != entrance {
			t.Errorf("%s: key %d is in stream %d", why, n, s)
		}
	}
	l.mustPut(1, 1, 100, time.Hour)
	l.mustPut(2, 2, 100, time.Hour)
	l.sync()
	wantIn(1, true, "new")
	l.mustPut(1, 3, 100, time.Hour)
	l.sync()
	wantIn(1, false, "known")
	l.wantSeq(2, 2, "asked for")
	l.mustPut(3, 4, 100, time.Hour)
	l.sync()
	l.sealAll()
	h := hashOf(3)
	l.d.fellOut(&h) // as its eviction does
	if err := l.compact(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	wantIn(2, false, "moved")
	wantIn(3, false, "moved")
	l.d.Drop(hashOf(3), found(t, l, 3))
	l.mustPut(3, 5, 100, time.Hour)
	l.sync()
	wantIn(3, false, "put again after it fell out")
	small := newLife(t, func(o *DiskOptions) { o.Capacity = (entranceLeast - 1) * o.SegmentSize })
	small.mustPut(1, 1, 100, time.Hour)
	small.sync()
	if s := small.where(1); inEntrance(s) {
		t.Errorf("a small store has an entrance: stream %d", s)
	}
}

func found(t *testing.T, l *life, n int) Found {
	t.Helper()
	_, f, err := l.d.Get(nil, hashOf(n))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOneThatLastsForDays: a few entries that last much longer than the others take nothing from the hits of those.
func TestOneThatLastsForDays(t *testing.T) {
	const capacity, segment, size, requests = 8 << 20, 256 << 10, 2000, 90_000
	run := func(oneIn int) (hits int) {
		d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
			o.Capacity, o.SegmentSize, o.QueueBytes, o.Block = capacity, segment, 256<<10, true
		})
		r := rand.New(rand.NewPCG(1, 2))
		keys := rand.NewZipf(r, 1.01, 1, 200_000)
		for seq := range uint64(requests) {
			k := int(keys.Uint64())
			_, _, err := d.Get(nil, hashOf(k))
			if err == nil {
				hits++
				if r.IntN(20) > 0 { // else it is replaced
					continue
				}
			}
			life := 2 * time.Hour
			if oneIn > 0 && k%oneIn == 7 {
				life = 7 * 24 * time.Hour
			}
			expires := d.o.Now() + life.Milliseconds() + int64(seq/10)
			if err := d.Put(Record{Hash: hashOf(k), Seq: seq + 1, Expires: expires, Blob: blobOf(k, size)}); err != nil {
				t.Fatal(err)
			}
		}
		st := d.Stats()
		t.Logf("one in %d: %d hits of %d; %d evicted, %d moved", oneIn, hits, requests, st.Evicted, st.Moved)
		return hits
	}
	alike, mixed := run(0), run(200)
	if mixed < alike*98/100 {
		t.Errorf("%d hits, %d where all last as long", mixed, alike)
	}
}

// TestEntranceBelowTheCapacity: where the index may not grow as far as the capacity would let it, the entrance has a tenth of what there is.
func TestEntranceBelowTheCapacity(t *testing.T) {
	const capacity, segment, size = 40 << 20, 512 << 10, 1000
	d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
		o.Capacity, o.SegmentSize, o.QueueBytes, o.Block = capacity, segment, 512<<10, true
		o.IndexBytes = capacity / size / 4 * indexPerEntry
	})
	seq := uint64(0)
	put := func(from, to int) {
		for k := from; k < to; k++ {
			seq++
			if err := d.Put(Record{Hash: hashOf(k), Seq: seq, Expires: 10_000_000, Blob: blobOf(k, size)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < 12_000; from += 500 {
		put(from, from+500)
		put(from, from+500) // known, so it goes to the main part
	}
	put(20_000, 40_000)
	d.writerMu.Lock()
	defer d.writerMu.Unlock()
	var all, entrance int64
	for _, s := range d.segments() {
		all += s.fileBytes.Load()
		if inEntrance(s.stream) {
			entrance += s.fileBytes.Load()
		}
	}
	if all > capacity/2 || entrance > all/entrancePart+2*segment {
		t.Errorf("%d bytes, %d of them in the entrance", all, entrance)
	}
}

// TestWorthMoving: what expires before a quarter of the time has passed that its segment was there does not move.
func TestWorthMoving(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 70*time.Minute)
	l.mustPut(2, 2, 100, 3*time.Hour)
	l.sync()
	l.sealAll()
	l.now.Add(time.Hour.Milliseconds())
	l.wantSeq(1, 1, "asked for")
	l.wantSeq(2, 2, "asked for")
	l.d.compactMu.Lock()
	defer l.d.compactMu.Unlock()
	if !l.d.evictVictim() {
		t.Fatal("nothing went")
	}
	l.wantSeq(1, 0, "ten minutes are left, and the segment was there for an hour")
	l.wantSeq(2, 2, "two hours are left")
}
