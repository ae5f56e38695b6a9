package tier

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file is that of supersede_test.go, in the cases where the segment that holds an older version is not the one
// that the index knows.

// evictTo gives up segments in the order of what expires in them until n are left. As after a start, none is the entrance's.
func (l *life) evictTo(n int) {
	l.t.Helper()
	l.d.writerMu.Lock()
	defer l.d.writerMu.Unlock()
	l.d.sealAll()
	for _, s := range l.d.segments() {
		s.stream %= classes
	}
	for len(l.d.segments()) > n && l.d.evictOne() {
	}
}

func (l *life) sealAll() {
	l.d.writerMu.Lock()
	defer l.d.writerMu.Unlock()
	l.d.sealAll()
}

func keepAll([]byte, Found) ([]uint64, bool) { return nil, true }

func (l *life) compact(ctx context.Context, ids ...uint64) error {
	l.t.Helper()
	want := func(i SegmentInfo) bool {
		for _, s := range l.d.segments() {
			for _, id := range ids {
				if s.id == id && s.maxExpiry.Load() == i.MaxExpiry && s.totals.records == i.Records {
					return true
				}
			}
		}
		return false
	}
	_, err := l.d.Compact(ctx, want, keepAll, nil)
	return err
}

// twoVersions stores key 1 twice, each in a sealed segment of its own.
func (l *life) twoVersions() {
	l.t.Helper()
	l.mustPut(1, 1, 100, 2*time.Hour)
	l.sync()
	l.sealAll()
	l.mustPut(1, 2, 100, 3*time.Hour) // outlives the first one's segment: no tombstone
	l.sync()
	l.sealAll()
}

// A version that its owner dropped still kept an older one dead. What is put next does not know it, so a tombstone has to.
func TestWhatADroppedVersionKeptDead(t *testing.T) {
	l := newLife(t, nil)
	l.twoVersions()
	_, f, err := l.d.Get(nil, hashOf(1))
	if err != nil {
		t.Fatal(err)
	}
	l.d.Drop(hashOf(1), f)
	l.mustPut(1, 3, 100, 30*time.Second)
	l.sync()
	if err := l.compact(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	l.now.Add(60_000)
	l.reopen()
	l.house()
	l.reopen()
	if seq := l.seqOf(1); seq == 1 {
		t.Fatal("the first version came back")
	}
}

// Of versions that replace each other faster than they are written, one of each round is written: else a crash would bring back what
// was there before them all. Guards also against a Sync that acknowledges a version which is not on the disk.
func TestReplacedInEveryRound(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.QueueBytes = 64 << 20 })
	l.mustPut(1, 1, 100, time.Hour)
	l.sync()
	const rounds = 3
	seq := uint64(1)
	l.d.writerMu.Lock() // the queue fills before the writer has its turn
	for round := range rounds {
		for range 5 {
			seq++
			l.mustPut(1, seq, 100, time.Hour)
		}
		for n := range 5 { // as much as a round takes
			l.mustPut(100+10*round+n, 1, maxRound/4, time.Hour)
		}
	}
	seq++
	l.mustPut(1, seq, 100, time.Hour)
	var commits atomic.Int64
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" && commits.Add(1) > 2*2 { // of each round one for what is put for the first time, and one for what is not
			return vfs.Fail // the process dies in the third round
		}
		return vfs.Pass
	})
	written := l.d.Stats().Written
	l.d.writerMu.Unlock()
	_ = l.d.Sync()
	if n := l.d.Stats().Written - written; n < maxRound || n > 4*maxRound {
		t.Fatalf("%d bytes were written: these are not two rounds", n)
	}
	l.faults(nil)
	l.crash()
	l.open()
	if got := l.seqOf(1); got < 6 || got >= seq {
		t.Fatalf("version %d came back: one of each of two rounds should have been written, the last of %d was not", got, seq)
	}
	var records int64
	for _, s := range l.d.segments() {
		records += s.totals.records
	}
	if versions := records - 1 - 2*4; versions > 2 {
		t.Errorf("%d records, %d versions were written in two rounds", records, versions)
	}
}

// What was replaced on its way out of a segment that is compacted goes with the segment, and what replaced it may still wait then. It
// kept an older version dead that is in a segment that stays.
func TestReplacedWhileItMoves(t *testing.T) {
	var tick atomic.Pointer[func()]
	l := newLife(t, func(o *DiskOptions) {
		now := o.Now
		o.Now = func() int64 {
			if fn := tick.Load(); fn != nil {
				(*fn)()
			}
			return now()
		}
	})
	l.twoVersions()
	l.d.queueMu.Lock()
	before := l.d.moving.begun
	l.d.queueMu.Unlock()
	replace := func() { // by the writer, between taking the record that moves and looking whether it should
		l.d.queueMu.Lock()
		due := l.d.moving.begun > before
		l.d.queueMu.Unlock()
		if due && tick.Swap(nil) != nil {
			l.mustPut(1, 3, 100, 4*time.Hour)
		}
	}
	tick.Store(&replace)
	if err := l.compact(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	l.wantSeq(1, 3, "replaced")
	l.crash()
	l.open()
	if got := l.seqOf(1); got == 1 {
		t.Fatal("the first version came back: the second went with its segment before the third was written")
	}
}

// While a start is loading, an older version is no answer, in whatever order batches are loaded: it would stay in memory.
func TestNothingOldWhileLoading(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.Capacity = (entranceLeast - 1) * o.SegmentSize }) // without an entrance: a batch each time
	for seq := range uint64(3) {
		l.mustPut(1, seq+1, 100, time.Hour)
		l.mustPut(int(seq)+10, 1, 100, time.Hour)
		l.sync()
	}
	l.d.Supersede(hashOf(12), 2)
	l.sync()
	l.reopen()
	l.d.index = newIndex(l.d.index.alive)
	l.d.index.StartLoading(0)
	lo := l.d.startLoading(l.d.segments())
	var b loadedBatch
	for _, c := range []struct {
		job  int
		want [4]uint64 // of the key that is replaced, and of those that are not
	}{{3, [4]uint64{}}, {1, [4]uint64{}}, {0, [4]uint64{3, 0, 0, 0}}, {2, [4]uint64{3, 1, 1, 0}}} {
		l.d.loadJob(lo, &b, c.job)
		for i, n := range []int{1, 10, 11, 12} {
			l.wantSeq(n, c.want[i], "while loading")
		}
	}
	l.d.index.FinishLoading()
	l.wantSeq(1, 3, "after it")
}

// A version that a compaction finds dead, because its owner says so, leaves a tombstone in its place.
func TestWhatACompactedVersionKeptDead(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 2*time.Hour)
	l.sync()
	l.sealAll()
	l.mustPut(1, 2, 100, 3*time.Hour)
	l.sync()
	purged := func(_ []byte, f Found) ([]uint64, bool) { return nil, f.Seq != 2 }
	if _, err := l.d.Compact(context.Background(), func(i SegmentInfo) bool { return i.Live > 0 }, purged, nil); err != nil {
		t.Fatal(err)
	}
	l.wantSeq(1, 0, "purged")
	l.reopen()
	l.wantSeq(1, 0, "after a restart")
}

// A compaction that was cut short leaves copies behind that nothing points to. They are superseded like what the index knows.
func TestCopiesThatAMoveLeaves(t *testing.T) {
	for _, restart := range []bool{false, true} {
		l := newLife(t, nil)
		l.mustPut(1, 1, 100, 20*time.Minute)
		l.sync()
		l.mustPut(2, 2, 100, 50*time.Minute)
		l.sync()
		ctx, cancel := context.WithCancel(context.Background())
		c, err := l.d.Compact(ctx, func(SegmentInfo) bool { return true }, keepAll, func(c Compaction) {
			if c.BytesRead > 0 { // after the first of two batches
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || c.RecordsMoved != 1 {
			t.Fatal(c, err)
		}
		l.sync()
		if restart {
			l.crash()
			l.open()
		}
		l.wantSeq(1, 1, "moved")
		l.mustPut(1, 3, 100, 20*time.Second)
		l.sync()
		l.wantSeq(1, 3, "replaced")
		l.evictTo(1)
		l.reopen()
		if seq := l.seqOf(1); seq == 1 {
			t.Fatalf("restart %v: the copy came back", restart)
		}
	}
}

// Of several tombstones for one version, a crash may leave only one that does not last. The next start sees to the others.
func TestTombstonesThatACrashLeftOut(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 5*time.Hour)
	l.mustPut(2, 2, 100, 40*time.Second)
	l.sync()
	l.d.writerMu.Lock()
	_, err := l.d.commit(0, work{tombs: []tombstone{{hashOf(1), 3, l.now.Load() + 30_000}}}, l.now.Load())
	l.d.writerMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	l.crash()
	l.open()
	l.wantSeq(1, 0, "kept out by the tombstone")
	l.mustPut(1, 4, 100, 20*time.Second)
	l.sync()
	l.now.Add(50_000)
	l.house()
	l.reopen()
	l.wantSeq(1, 0, "after the tombstone's segment expired")
}

// A file that cannot be removed stays on the disk, and so must what keeps its records dead.
func TestUnlinkThatFails(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 10*time.Minute)
	l.sync()
	l.sealAll()
	bad := filepath.Base(segmentFiles(t, l.dir)[0])
	l.mustPut(1, 2, 100, 30*time.Second)
	l.sync()
	l.faults(func(_ int64, op, name string) vfs.Verdict {
		if op == "remove" && filepath.Base(name) == bad {
			return vfs.Fail
		}
		return vfs.Pass
	})
	before := l.d.diskBytes.Load()
	l.now.Add(31_000)
	l.evictTo(0)
	l.house()
	if n := l.d.diskBytes.Load(); n == 0 || n >= before {
		t.Errorf("%d bytes are counted, %d before", n, before)
	}
	l.crash()
	l.faults(nil)
	l.open()
	l.wantSeq(1, 0, "its file could not be removed")
	l.mustPut(1, 3, 100, time.Hour)
	l.sync()
	l.evictTo(0)
	if files := segmentFiles(t, l.dir); len(files) != 0 || l.d.diskBytes.Load() != 0 {
		t.Errorf("left: %v, %d bytes", files, l.d.diskBytes.Load())
	}
	// The same without a crash: what could not be removed is removed later, by housekeeping.
	l.mustPut(5, 5, 100, 10*time.Minute)
	l.sync()
	l.sealAll()
	bad = filepath.Base(segmentFiles(t, l.dir)[0])
	l.faults(func(_ int64, op, name string) vfs.Verdict {
		if op == "remove" && filepath.Base(name) == bad {
			return vfs.Fail
		}
		return vfs.Pass
	})
	l.evictTo(0)
	l.wantSeq(5, 0, "evicted")
	l.mustPut(5, 6, 100, 30*time.Second) // supersedes what is in the file that is still there
	l.sync()
	crashed := copyDir(t, l.dir)
	l.faults(nil)
	l.house()
	if files := segmentFiles(t, l.dir); len(files) == 0 || filepath.Base(files[0]) == bad {
		t.Errorf("left: %v", files)
	}
	l.d.Discard()
	l.dir = crashed
	l.open()
	l.wantSeq(5, 6, "after a crash")
	l.now.Add(31_000)
	l.house()
	l.reopen()
	l.wantSeq(5, 0, "after a crash, and later")
}

// A version that is stored between judging a record and queueing it for its move wins: the index has moved on to another place on the
// disk, and what moves must not take it back.
func TestStoredBeforeTheMove(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, time.Hour)
	l.sync()
	l.sealAll()
	stored := false
	judge := func(_ []byte, f Found) ([]uint64, bool) {
		if f.Seq == 1 && !stored {
			stored = true
			l.mustPut(1, 2, 100, time.Hour)
			l.sync()
		}
		return nil, true
	}
	if _, err := l.d.Compact(context.Background(), func(SegmentInfo) bool { return true }, judge, nil); err != nil {
		t.Fatal(err)
	}
	l.sync()
	if !stored {
		t.Fatal("nothing was moved")
	}
	l.wantSeq(1, 2, "stored before the move")
	l.reopen()
	l.wantSeq(1, 2, "after a start")
}

// What keeps an older version dead may itself be replaced in its own segment, by something that does not last as long. Where that moves away, a
// tombstone stays for it.
func TestReplacedInItsOwnSegment(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 2*time.Hour)
	l.sync()
	l.sealAll()
	l.mustPut(1, 2, 100, 20*time.Hour)
	l.sync()
	l.mustPut(1, 3, 100, 90*time.Minute)
	l.sync()
	if err := l.compact(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	l.wantSeq(1, 3, "moved")
	l.evictTo(1)
	l.reopen()
	if got := l.seqOf(1); got == 1 {
		t.Fatal("the first version came back")
	}
}
