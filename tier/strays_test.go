package tier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file is that of supersede_test.go, where a file holds a version that the index does not know.

// cutShort leaves version 1 of key 1 in two segments: a compaction stopped after it had moved. It returns the one that was to go, in
// which key 2 lives on.
func (l *life) cutShort(judge Judge) *segment {
	l.t.Helper()
	l.mustPut(1, 1, 100, 50*time.Minute)
	l.sync()
	l.mustPut(2, 2, 100, 55*time.Minute)
	l.sync()
	y := l.d.segments()[0]
	ctx, cancel := context.WithCancel(context.Background())
	_, err := l.d.Compact(ctx, func(SegmentInfo) bool { return true }, judge, func(c Compaction) {
		if c.BytesRead > 0 { // after the first of two batches
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		l.t.Fatalf("not cut short: %v", err)
	}
	l.sync()
	return y
}

// stray is a segment of the entrance that a key of another test lies in.
func (l *life) stray(n int, seq uint64) *segment {
	l.t.Helper()
	l.mustPut(n, seq, 100, 5*time.Hour)
	l.sync()
	l.sealAll()
	h := hashOf(n)
	at, ok := l.d.index.Lookup(&h)
	if !ok {
		l.t.Fatalf("key %d is not there", n)
	}
	return l.d.segs[at.seg].Load()
}

func (l *life) unlink(s *segment) {
	l.d.writerMu.Lock()
	defer l.d.writerMu.Unlock()
	l.d.unlink(s)
}

// comesBack evicts all but the last segment, starts again, and says whether a version of key 1 came back.
func (l *life) comesBack(seq uint64) {
	l.t.Helper()
	l.evictTo(1)
	l.reopen()
	if got := l.seqOf(1); got == seq {
		l.t.Fatalf("version %d came back", got)
	}
}

// A segment that goes does not take with it what is known of others that records moved out of.
func TestOneOfTwoCopiedSegmentsGoes(t *testing.T) {
	l := newLife(t, nil)
	l.cutShort(keepAll)
	l.sealAll()
	x := l.stray(3, 3)
	l.d.leaveCopies(x) // an eviction begins
	l.mustPut(1, 10, 100, 20*time.Second)
	l.unlink(x)
	l.sync()
	l.wantSeq(1, 10, "put")
	l.comesBack(1)
}

// Of what moved out of one segment, another knows nothing; nor does anybody once it is gone.
func TestCopiesBySegment(t *testing.T) {
	l := newLife(t, nil)
	x, y := l.stray(1, 1), l.stray(2, 2)
	h, other := hashOf(7), hashOf(8)
	l.d.leaveCopies(x)
	l.d.leaveCopies(y)
	x.leaveCopy(&h)
	want := func(h Hash, want ...shadow) {
		t.Helper()
		if got := l.d.addStrays(nil, &h); !slices.Equal(got, want) {
			t.Errorf("%d segments, want %d", len(got), len(want))
		}
	}
	want(h, shadow{x})
	want(other)
	y.leaveCopy(&h)
	want(h, shadow{x}, shadow{y})
	l.unlink(x)
	want(h, shadow{y})
	l.unlink(y)
	want(h)
}

// What a compaction finds dead, and cannot finish to bury, is superseded all the same.
func TestJudgedDead(t *testing.T) {
	l := newLife(t, nil)
	l.cutShort(func(_ []byte, f Found) ([]uint64, bool) { return nil, f.Seq != 1 })
	l.wantSeq(1, 0, "judged dead")
	l.mustPut(1, 10, 100, 20*time.Second)
	l.sync()
	l.wantSeq(1, 10, "put")
	l.comesBack(1)
}

// A version dropped while it is written stays dropped, also where the commit fails and has taken effect all the same.
func TestDroppedInAFailedCommit(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(2, 1, 100, time.Hour)
	l.sync()
	once := true
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op != "commit" || !once {
			return vfs.Pass
		}
		once = false
		_, f, err := l.d.Get(nil, hashOf(1))
		if err != nil {
			t.Error(err)
		}
		l.d.Drop(hashOf(1), f)
		return vfs.FailAfter
	})
	l.mustPut(1, 2, 100, time.Hour)
	if l.d.Sync() == nil {
		t.Fatal("nothing failed")
	}
	l.now.Add(2 * retryAfter.Milliseconds())
	l.sync()
	l.wantSeq(1, 0, "dropped")
	l.crash()
	l.open()
	l.wantSeq(1, 0, "dropped before the start")
}

// What could not be read once may be readable later.
func TestUnreadableOnce(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 50*time.Minute)
	l.sync()
	l.sealAll()
	h := hashOf(1)
	at, _ := l.d.index.Lookup(&h)
	path := l.d.segs[at.seg].Load().path
	flip := func() { l.flipAt(path, int64(at.off)+recordHeaderSize) }
	flip()
	l.wantSeq(1, 0, "unreadable")
	flip()
	l.wantSeq(1, 0, "given up")
	l.mustPut(1, 2, 100, 20*time.Second)
	l.sync()
	l.sealAll()
	l.now.Add(50_000)
	l.house()
	l.reopen()
	l.wantSeq(1, 0, "replaced since")
}

// Of one record that cannot be read, what else is put knows nothing: it goes to the entrance, and leaves no tombstone.
func TestOneUnreadableRecordIsOne(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, 7*24*time.Hour)
	l.sync()
	l.sealAll()
	l.flip(1)
	l.wantSeq(1, 0, "unreadable")
	for k := range 20 {
		l.mustPut(100+k, uint64(10+k), 100, 2*time.Hour)
	}
	l.sync()
	for k := range 20 {
		if s := l.where(100 + k); !inEntrance(s) {
			t.Fatalf("key %d is in stream %d", 100+k, s)
		}
	}
}

// What is put while the tombstone of an older version is owed is not on the disk before that, whenever the process ends.
func TestOwedBeforeTheEntrance(t *testing.T) {
	for _, drop := range []bool{false, true} {
		crashes := 0
		for at := int64(1); ; at++ {
			l := newLife(t, nil)
			l.mustPut(1, 4, 100, 50*time.Minute)
			l.sync()
			l.sealAll()
			if drop {
				l.d.Drop(hashOf(1), found(t, l, 1))
			} else {
				l.d.Supersede(hashOf(1), 5)
			}
			l.mustPut(1, 6, 100, 20*time.Second)
			var commits atomic.Int64
			dir := ""
			l.faults(func(_ int64, op, _ string) vfs.Verdict {
				if op == "commit" && commits.Add(1) == at {
					dir = copyDir(t, l.dir)
				}
				return vfs.Pass
			})
			l.sync()
			l.faults(nil)
			if dir == "" {
				break // there were not as many
			}
			crashes++
			l.d.Discard()
			l.dir = dir
			l.open()
			newer := l.seqOf(1) == 6
			l.now.Add(50_000)
			l.house()
			l.reopen()
			if newer && l.seqOf(1) == 4 {
				t.Errorf("drop %v, crash at commit %d: version 6 was there, and 4 came back", drop, at)
			}
		}
		if crashes < 3 {
			t.Errorf("%d commits", crashes)
		}
	}
}

// While the disk does not take writes, what is owed does not grow with each put.
func TestOwedOncePerKey(t *testing.T) {
	l := newLife(t, nil)
	l.mustPut(1, 1, 100, time.Hour)
	l.sync()
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" {
			return vfs.Fail
		}
		return vfs.Pass
	})
	l.mustPut(2, 2, 100, time.Hour)
	if l.d.Sync() == nil {
		t.Fatal("nothing failed")
	}
	for seq := range uint64(1000) {
		for k := range 6 { // 1 is on the disk, 2 perhaps, the others are not
			if err := l.put(k, 10+seq, 100, time.Hour); !errors.Is(err, ErrDropped) {
				t.Fatal(err)
			}
		}
	}
	l.d.queueMu.Lock()
	owed := len(l.d.tombs)
	l.d.queueMu.Unlock()
	if owed != 2 {
		t.Errorf("%d tombstones are owed", owed)
	}
	l.faults(nil)
	l.now.Add(2 * retryAfter.Milliseconds())
	l.sync()
	l.reopen()
	l.wantSeq(1, 0, "superseded")
	l.wantSeq(2, 0, "superseded")
}

// powerFS forgets removals that no sync of the directory followed.
type powerFS struct {
	vfs.FS
	mu      sync.Mutex
	removed map[string][]byte
}

func (f *powerFS) Remove(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.removed[name] = b
	f.mu.Unlock()
	return f.FS.Remove(name)
}

func (f *powerFS) SyncDir(dir string) error {
	f.mu.Lock()
	clear(f.removed)
	f.mu.Unlock()
	return f.FS.SyncDir(dir)
}

// What is put after a segment has gone does not supersede what was in it: it may not be back after a loss of power.
func TestRemovalLasts(t *testing.T) {
	power := &powerFS{removed: make(map[string][]byte)}
	l := newLife(t, func(o *DiskOptions) { power.FS, o.FS = o.FS, power })
	x := l.stray(1, 1)
	l.mustPut(2, 2, 100, 20*time.Second) // the segment that version 3 goes to is there
	l.sync()
	l.unlink(x)
	l.mustPut(1, 3, 100, 20*time.Second)
	l.sync()
	l.d.writerMu.Lock()
	dir := copyDir(t, l.dir)
	l.d.writerMu.Unlock()
	for name, b := range power.removed {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.d.Discard()
	l.dir = dir
	l.open()
	l.wantSeq(1, 3, "after a loss of power")
	l.now.Add(30_000)
	l.house()
	l.reopen()
	l.wantSeq(1, 0, "expired")
}

// One copy of a version is dropped, or cannot be read, while a start has not come to the other yet.
func TestOtherCopyIsLoadedLater(t *testing.T) {
	for _, drop := range []bool{false, true} {
		l := newLife(t, nil)
		ids := [2]uint64{0, l.cutShort(keepAll).id}
		l.sealAll()
		h := hashOf(1)
		at, _ := l.d.index.Lookup(&h)
		ids[0] = l.d.segs[at.seg].Load().id
		if ids[0] == ids[1] {
			t.Fatal("it has not moved")
		}
		l.reopen()
		l.d.copied = segmentList{}
		l.d.index = newIndex(l.d.index.alive)
		l.d.index.StartLoading(0)
		var b loadedBatch
		load := func(id uint64) {
			for _, s := range l.d.segments() {
				if s.id != id {
					continue
				}
				s.copies.Store(nil)
				s.live.Store(0)
				for _, ref := range s.batches {
					l.d.loadBatch(&b, s, ref)
				}
			}
		}
		load(ids[0])
		if drop {
			l.d.Drop(h, found(t, l, 1))
		} else {
			l.flip(1)
			l.wantSeq(1, 0, "unreadable")
		}
		load(ids[1])
		l.d.settleCopies(&b)
		l.d.index.FinishLoading()
		l.wantSeq(1, 0, "gone")
		l.mustPut(1, 10, 100, 20*time.Second)
		l.sync()
		l.wantSeq(1, 10, "put")
		l.sealAll()
		if err := l.compact(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		l.sync()
		l.comesBack(1)
	}
}

// A start may meet both copies of a version before the tombstone that is about one of them.
func TestBothCopiesBeforeTheirTombstone(t *testing.T) {
	l := newLife(t, nil)
	y := l.cutShort(keepAll)
	l.sealAll()
	now := l.now.Load()
	l.d.writerMu.Lock()
	tomb, err := l.d.commit(2, work{tombs: []tombstone{{hashOf(1), 2, now + (52 * time.Minute).Milliseconds()}}}, now)
	l.d.sealAll()
	l.d.writerMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	h := hashOf(1)
	at, _ := l.d.index.Lookup(&h)
	newer := l.d.segs[at.seg].Load()
	if newer == y {
		t.Fatal("it has not moved")
	}
	l.d.index = newIndex(l.d.index.alive)
	l.d.index.StartLoading(0)
	var b loadedBatch
	for _, s := range []*segment{newer, y, tomb} {
		for _, ref := range s.batches {
			l.d.loadBatch(&b, s, ref)
		}
	}
	l.d.settleCopies(&b)
	l.d.index.FinishLoading()
	l.wantSeq(1, 0, "kept out by the tombstone")
	l.sync()
	l.comesBack(1) // first the newer copy goes, then the tombstone
}

// noRoom makes what fails look like a full disk.
type noRoom struct{ vfs.FS }

func (f noRoom) Commit(name string, tx func() error) error {
	if err := f.FS.Commit(name, tx); err != nil {
		return fmt.Errorf("%w: %w", err, syscall.ENOSPC)
	}
	return nil
}

// A disk that others have filled fails one batch of a round. Room is made when the round is over, for what goes first may be the segment
// that its next batch is written to.
func TestFullDiskInTheMiddleOfARound(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.FS = noRoom{o.FS} })
	l.mustPut(1, 2, 100, 20*time.Minute) // to the entrance
	l.sync()
	l.mustPut(1, 3, 100, 40*time.Minute) // to the main part
	l.sync()
	before := l.d.diskBytes.Load()
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" {
			return vfs.Fail
		}
		return vfs.Pass
	})
	l.mustPut(1, 4, 100, 45*time.Minute)
	l.mustPut(7, 5, 100, 20*time.Minute)
	if err := l.d.Sync(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if l.d.diskBytes.Load() >= before {
		t.Error("nothing gave way")
	}
	l.faults(nil)
	l.now.Add(2 * retryAfter.Milliseconds())
	l.mustPut(8, 6, 100, 20*time.Minute)
	l.sync()
	l.wantSeq(8, 6, "after there was room again")
	l.reopen()
	if got := l.seqOf(1); got != 0 && got != 4 {
		t.Errorf("version %d of key 1, replaced by 4", got)
	}
}

// What turns out to supersede something only while it waits goes to the main part: segments of the entrance go before their turn.
func TestWhatSupersedesSomethingInTheEnd(t *testing.T) {
	l := newLife(t, nil)
	once := true
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" && once {
			once = false
			l.mustPut(1, 2, 100, 5*time.Hour) // while version 1 is being written
		}
		return vfs.Pass
	})
	l.mustPut(1, 1, 100, time.Hour)
	l.sync()
	l.sync()
	l.wantSeq(1, 2, "put")
	if s := l.where(1); inEntrance(s) {
		t.Errorf("stream %d, and version 1 is on the disk", s)
	}
}
