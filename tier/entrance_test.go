package tier

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
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

// TestEveryCopyIsSuperseded: a segment that lasts longer than another does not stand for it, for it may go first all the same.
func TestEveryCopyIsSuperseded(t *testing.T) {
	l := newLife(t, nil)
	for k := range 3 {
		l.mustPut(k, uint64(k+1), 100, time.Duration(k+1)*time.Hour)
		l.sync()
		l.sealAll()
	}
	h, other := hashOf(7), hashOf(8)
	l.d.writerMu.Lock()
	for _, s := range l.d.segments() {
		l.d.addCopied(s)
	}
	l.d.copies.Load().add(&h)
	l.d.writerMu.Unlock()
	if n := len(l.d.addStrays(nil, &h)); n != 3 {
		t.Errorf("%d segments may hold a copy, %d are looked at", 3, n)
	}
	if n := len(l.d.addStrays(nil, &other)); n != 0 {
		t.Errorf("%d segments for what has never moved", n)
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

// TestNothingOldComesBack tries what supersede.go says: whatever is put, dropped, superseded, moved and evicted, in whatever order, with
// crashes and failing files in between, no version is answered that is older than one that was, or that was acknowledged.
func TestNothingOldComesBack(t *testing.T) {
	for seed := range uint64(rounds(6, 25, 1000)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { nothingOldComesBack(t, seed) })
	}
}

func nothingOldComesBack(t *testing.T, seed uint64) {
	const keys, segment = 200, 64 << 10
	l := newLife(t, func(o *DiskOptions) {
		o.SegmentSize, o.Capacity, o.QueueBytes = segment, 24*segment, 128<<10
	})
	r := rand.New(rand.NewPCG(seed, 5))
	least := make(map[int]uint64) // what may be answered from now on
	acked := make(map[int]uint64) // the same after a crash
	seq := uint64(0)
	check := func(n int) Found {
		t.Helper()
		_, f, err := l.d.Get(nil, hashOf(n))
		if err == nil && f.Seq < least[n] {
			t.Fatalf("key %d: version %d, after %d; %d puts", n, f.Seq, least[n], seq)
		}
		return f
	}
	ack := func() {
		if l.d.Sync() == nil {
			acked = maps.Clone(least)
		}
	}
	settle := func() { // housekeeping has come to an end
		l.house()
		l.d.checkRoom()
		for l.d.makingAhead.Load() {
			runtime.Gosched()
		}
	}
	for range 3000 {
		n := r.IntN(keys)
		if r.IntN(3) > 0 {
			n = r.IntN(keys / 10)
		}
		switch r.IntN(40) {
		default:
			seq++
			ttl := []time.Duration{30 * time.Second, 200 * time.Second, time.Hour, 5 * time.Hour}[r.IntN(4)] + time.Duration(r.IntN(20_000))*time.Millisecond
			least[n] = seq
			_ = l.put(n, seq, 200+r.IntN(6000), ttl) // one that is dropped supersedes the older ones all the same
		case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
			check(n)
		case 10, 11:
			if f := check(n); f.Seq > 0 {
				if l.d.Drop(hashOf(n), f); check(n).Seq == 0 { // else it has moved since it was found, and is not the one that was found any more
					least[n] = f.Seq + 1
				}
			}
		case 12:
			seq++
			least[n] = seq
			l.d.Supersede(hashOf(n), seq)
		case 13, 14, 15:
			ack()
		case 16:
			l.now.Add(int64(r.IntN(60_000)))
			l.house()
		case 17:
			ctx, cancel := context.WithCancel(t.Context())
			stop := r.IntN(6)
			pick := r.Uint64()
			_, _ = l.d.Compact(ctx, func(i SegmentInfo) bool { pick = pick*6364136223846793005 + 1; return pick>>62 == 0 }, keepAll, func(Compaction) {
				if stop--; stop < 0 {
					cancel()
				}
			})
			cancel()
		case 18:
			settle()
		case 19:
			if r.IntN(3) > 0 {
				break
			}
			bad := []string{"commit", "remove", "sync"}[r.IntN(3)]
			l.faults(func(_ int64, op, _ string) vfs.Verdict {
				if op == bad {
					return vfs.Fail
				}
				return vfs.Pass
			})
			ack()
			settle()
			l.faults(nil)
			l.now.Add(2 * retryAfter.Milliseconds())
		case 20:
			if r.IntN(4) > 0 {
				break
			}
			if r.IntN(2) == 0 {
				ack()
			}
			l.crash()
			l.open()
			least = maps.Clone(acked)
			for k := range keys {
				if f := check(k); f.Seq > least[k] {
					least[k] = f.Seq // it is on the disk, so it stays the least
				}
			}
			acked = maps.Clone(least)
		}
	}
	ack()
	st := l.d.Stats()
	t.Logf("%d puts, %d evicted, %d moved since the last start", seq, st.Evicted, st.Moved)
	l.reopen()
	least = acked
	for n := range keys {
		check(n)
	}
}
