package tier

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// TestAskedForOutlivesEviction: many times the capacity is written without a pause while a hundred records are read now and then.
// Most of those survive; in the order of writing alone none would. (Half of a segment is moved at most, so a few are lost.)
func TestAskedForOutlivesEviction(t *testing.T) {
	const capacity, segment, size = 24 << 20, 1 << 20, 20_000
	d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
		o.Capacity, o.SegmentSize, o.QueueBytes, o.Block, o.MaxAge = capacity, segment, 1<<20, true, 10*time.Millisecond
	})
	const hot, every = 100, 10 // the hot ones are every tenth of the first records, as they would be among others
	n, seq := 0, uint64(0)
	put := func(k int) {
		seq++
		if err := d.Put(Record{Hash: hashOf(k), Seq: seq, Expires: 10_000_000 + int64(seq), Blob: blobOf(k, size)}); err != nil {
			t.Fatal(err)
		}
	}
	for n = 0; n < hot*every+3*capacity/size; n++ {
		put(n)
		if _, _, err := d.Get(nil, hashOf(n%hot*every)); err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if u := d.usage(); u > capacity+segment {
			t.Fatalf("%d bytes on disk, capacity %d", u, capacity)
		}
	}
	kept, cold := 0, 0
	for k := range hot {
		if _, _, err := d.Get(nil, hashOf(k*every)); err == nil {
			kept++
		}
		if _, _, err := d.Get(nil, hashOf(k*every+1)); err == nil {
			cold++
		}
	}
	if kept < hot/2 || cold > 0 {
		t.Fatalf("%d of %d that were asked for are left, and %d that never were; moved %d", kept, hot, cold, d.Stats().Moved)
	}
}

// TestAMoveThatFailsIsTriedOnce guards against a record that is set moving again while its first copy still waits: the second would find the
// first where it came from, take it for a newer version, and bury it at the next start.
func TestAMoveThatFailsIsTriedOnce(t *testing.T) {
	l := newLife(t, nil)
	const n = 20
	for k := range n {
		l.mustPut(k, 1, 2000, time.Hour)
	}
	l.sync()
	l.sealAll()
	for k := range n {
		l.wantSeq(k, 1, "asked for")
	}
	evict := func() bool {
		l.d.compactMu.Lock()
		defer l.d.compactMu.Unlock()
		return l.d.evictVictim()
	}
	l.faults(func(int64, string, string) vfs.Verdict { return vfs.Fail })
	for range 3 { // the first finds out that the disk fails, the others come while it is left alone
		if evict() {
			t.Fatal("nothing can be written, and the segment is gone")
		}
	}
	l.faults(nil)
	l.now.Add(2 * retryAfter.Milliseconds())
	if !evict() {
		t.Fatal("the segment is still there")
	}
	kept := func() (kept int) {
		for k := range n {
			if l.seqOf(k) == 1 {
				kept++
			}
		}
		return kept
	}
	before := kept()
	if before < n/3 {
		t.Fatalf("%d of %d moved", before, n)
	}
	l.crash()
	l.open()
	if after := kept(); after != before {
		t.Errorf("%d are left of %d after a start", after, before)
	}
}

// TestWhatIsSetAsideGoesFirst: room that what was set aside takes is given up before anything alive.
func TestWhatIsSetAsideGoesFirst(t *testing.T) {
	const capacity = 8 << 20
	var aside atomic.Int64
	aside.Store(capacity / 2)
	l := newLife(t, func(o *DiskOptions) {
		o.Capacity, o.Block, o.QueueBytes, o.MaxAge = capacity, true, 256<<10, time.Millisecond
		o.Reserved = aside.Load
		o.Reclaim = func() bool { return aside.Swap(0) > 0 }
	})
	for k := range capacity * 3 / 4 / 10_000 {
		l.mustPut(k, 1, 10_000, time.Hour)
		if k%10 == 0 {
			l.sync()
			l.d.checkRoom()
			for l.d.makingAhead.Load() {
				runtime.Gosched()
			}
		}
	}
	if st := l.d.Stats(); st.Evicted > 0 || aside.Load() > 0 {
		t.Errorf("%d evicted while %d bytes that were set aside are kept", st.Evicted, aside.Load())
	}
}
