package tier

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// The rule of this file: wherever a process dies, the next start finds all that a Sync acknowledged, save what was evicted, and
// nothing older; it needs nobody's help, and leaves nothing behind.

// crashScript is one run against a file system that stops working at some operation. What it learns is checked after the next
// start.
type crashScript struct {
	*life
	seq    uint64
	newest map[int]uint64 // by key; 0 after a Supersede
	acked  map[int]uint64 // as of the last Sync that succeeded
	sizes  map[uint64]int
	keyOf  map[uint64]int
}

func (c *crashScript) putKey(n, size int, ttl time.Duration) {
	c.seq++
	c.sizes[c.seq], c.keyOf[c.seq] = size, n
	c.newest[n] = c.seq
	_ = c.put(n, c.seq, size, ttl) // a record that is dropped supersedes the older ones like any other
}

func (c *crashScript) ack() {
	if c.d.Sync() == nil {
		for n, seq := range c.newest {
			c.acked[n] = seq
		}
	}
}

// run is the script; every step goes on whatever the one before it said, as the writer would.
func (c *crashScript) run() {
	for n := range 20 {
		c.putKey(n, 500+100*n, time.Hour)
	}
	c.ack()
	for n := 20; n < 30; n++ {
		c.putKey(n, 3000, time.Minute)
	}
	c.putKey(3, 2000, 30*time.Second) // expires before the one it replaces
	c.seq++
	c.newest[4] = 0
	c.d.Supersede(hashOf(4), c.seq)
	c.ack()
	for n := 30; n < 40; n++ {
		c.putKey(n, 12<<10, time.Hour) // past the segment's size: the next round rotates
	}
	c.ack()
	c.now.Add(20_000) // the short class is old enough to be sealed
	c.house()
	for n := range 12 {
		c.putKey(n, 700, time.Hour)
	}
	c.ack()
	keepMost := func(_ []byte, f Found) ([]uint64, bool) { return nil, true }
	_, _ = c.d.Compact(context.Background(), func(i SegmentInfo) bool { return i.Live < i.Records }, keepMost, nil)
	c.ack()
	for n := 50; n < 90; n++ {
		c.putKey(n, 30<<10, 20*time.Minute) // past the capacity
		if n%10 == 9 {
			c.ack()
		}
	}
	c.now.Add(70_000) // some expire
	c.house()
	c.putKey(1, 100, time.Hour)
	c.ack()
	if c.d.Close() == nil {
		for n, seq := range c.newest {
			c.acked[n] = seq
		}
	}
}

// served is what the process that is about to die answers from segments.
func (c *crashScript) served() map[int]uint64 {
	out := make(map[int]uint64)
	for n := range c.newest {
		if _, f, err := c.d.Get(nil, hashOf(n)); err == nil && f.at.seg >= slotFirst {
			out[n] = f.Seq
		}
	}
	return out
}

func TestCrashAtEveryOperation(t *testing.T) {
	// An unsealed segment, as a crash leaves it, so that what a start does to it is struck as well.
	keys := crypto.NewStageKey("s")
	first := newLife(t, func(o *DiskOptions) { o.Keys = keys })
	for n := 90; n < 100; n++ {
		first.mustPut(n, uint64(n), 1000, time.Hour)
	}
	first.sync()
	first.crash()
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter}[:rounds(1, 2, 2)] {
		for k := int64(1); ; k++ {
			if crashOnce(t, first.dir, keys, k, verdict) {
				t.Logf("verdict %d: %d operations", verdict, k-1)
				if k < 50 {
					t.Fatalf("only %d operations: the script does not reach the disk", k-1)
				}
				break
			}
			if t.Failed() {
				return
			}
		}
	}
	first.open()
}

// crashOnce crashes a run at operation k and checks the next start; true: the run ended before that.
func crashOnce(t *testing.T, from string, keys *crypto.StageKey, k int64, verdict vfs.Verdict) (done bool) {
	t.Helper()
	fs := &vfs.Faulty{FS: vfs.OS, Hook: vfs.CrashAt(k, verdict)}
	l := &life{t: t, dir: copyDir(t, from), keys: keys, change: func(o *DiskOptions) {
		o.FS, o.Capacity, o.SegmentSize, o.QueueBytes, o.Block = fs, 5<<20, 64<<10, 8<<20, true
	}}
	defer os.RemoveAll(l.dir)
	l.now.Store(lifeBegins + 1000)
	d, err := OpenDisk(l.dir, l.options())
	if err != nil {
		t.Fatalf("operation %d: a start under faults: %v", k, err)
	}
	<-d.Loaded()
	l.d = d
	c := &crashScript{life: l, seq: 1000, newest: make(map[int]uint64), acked: make(map[int]uint64), sizes: make(map[uint64]int), keyOf: make(map[uint64]int)}
	for n := 90; n < 100; n++ {
		c.newest[n], c.acked[n], c.sizes[uint64(n)], c.keyOf[uint64(n)] = uint64(n), uint64(n), 1000, n
	}
	c.run()
	evicted := d.Stats().Evicted
	done = fs.Operations() < k
	if done && evicted == 0 {
		t.Fatal("the script evicts nothing")
	}
	served := c.served()
	l.d.Discard()

	l.change = func(o *DiskOptions) { o.FS, o.Capacity, o.SegmentSize = vfs.OS, 5<<20, 64<<10 }
	l.open()
	now := l.now.Load()
	check := func(when string) {
		t.Helper()
		for n, acked := range c.acked {
			blob, f, err := l.d.Get(nil, hashOf(n))
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatalf("operation %d, %s: key %d: %v", k, when, n, err)
			}
			if err == nil && (c.keyOf[f.Seq] != n || !bytes.Equal(blob, blobOf(int(f.Seq), c.sizes[f.Seq]))) {
				t.Fatalf("operation %d, %s: key %d: bytes of another", k, when, n)
			}
			if err == nil && f.Seq < acked && f.Expires > now {
				t.Fatalf("operation %d, %s: key %d: version %d came back, %d was acknowledged", k, when, n, f.Seq, acked)
			}
			if err != nil && acked != 0 && acked == c.newest[n] && served[n] == acked {
				t.Fatalf("operation %d, %s: key %d: version %d was acknowledged and served, and is gone", k, when, n, acked)
			}
		}
	}
	check("at once")
	if q := l.d.Stats().Quarantined; q != 0 {
		t.Fatalf("operation %d: %d segments are said to be damaged", k, q)
	}
	l.mustPut(1, 5000, 1000, time.Hour)
	c.newest[1], c.acked[1], c.sizes[5000], c.keyOf[5000] = 5000, 5000, 1000, 1
	l.sync()
	check("after a put")
	l.reopen()
	check("after another start")
	if used, most := vfs.TreeUsage(vfs.OS, l.dir), int64(5<<20+64<<10); used > most {
		t.Fatalf("operation %d: %d bytes on the disk", k, used)
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := parseSegmentName(e.Name()); !ok {
			t.Fatalf("operation %d: %s was left behind", k, e.Name())
		}
	}
	if err := l.close(); err != nil {
		t.Fatalf("operation %d: close: %v", k, err)
	}
	return done
}

// A start after a clean end changes nothing on the disk: every segment was sealed.
func TestStartAfterACleanEndWritesNothing(t *testing.T) {
	l := newLife(t, nil)
	for n := range 40 {
		l.mustPut(n, uint64(n+1), 20_000, []time.Duration{30 * time.Second, 4 * time.Minute, time.Hour, 5 * time.Hour}[n%4])
		if n%10 == 0 {
			l.sync()
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	before := l.fs.Operations()
	l.open()
	if n := l.fs.Operations() - before; n != 0 {
		t.Errorf("%d operations", n)
	}
	for n := range 40 {
		l.wantSeq(n, uint64(n+1), "after a clean end")
	}
}
