package tier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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
	flip := func() {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b [1]byte
		if _, err = f.ReadAt(b[:], int64(at.off)+recordHeaderSize); err == nil {
			b[0] ^= 1
			_, err = f.WriteAt(b[:], int64(at.off)+recordHeaderSize)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
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
