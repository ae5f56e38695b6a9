package tier

import (
	"errors"
	"testing"
	"time"

	"stagecache/crypto"
)

// TestAskedForOutlivesEviction: many times the capacity is written without a pause while a hundred records are read now and then.
// Most of those survive; in the order of writing alone none would. (Half of a segment is moved at most, so a few are lost.)
func TestAskedForOutlivesEviction(t *testing.T) {
	const capacity, segment, size = 24 << 20, 1 << 20, 20_000
	d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
		o.Capacity, o.SegmentSize, o.Block, o.MaxAge = capacity, segment, true, 10*time.Millisecond
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
