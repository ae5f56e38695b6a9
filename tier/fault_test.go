package tier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/need"
	"stagecache/internal/vfs"
)

// The rule of this file: after a write or fsync that failed, the segment is never written again; what was in it is served, what
// was to come is not; tombstones are kept until they can be written; and the tier recovers by itself.

// opsOn records what is asked for of the files in a directory.
type opsOn struct {
	mu  sync.Mutex
	ops map[string][]string // by file
	// fail says what happens to an operation.
	fail func(op, name string) vfs.Verdict
}

func (o *opsOn) hook(_ int64, op, name string) vfs.Verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ops == nil {
		o.ops = make(map[string][]string)
	}
	base := filepath.Base(name)
	verdict := vfs.Pass
	if o.fail != nil {
		verdict = o.fail(op, base)
	}
	mark := ""
	if verdict != vfs.Pass {
		mark = " failed"
	}
	o.ops[base] = append(o.ops[base], op+mark)
	return verdict
}

func (o *opsOn) set(fail func(op, name string) vfs.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = fail
}

func TestFailedCommit(t *testing.T) {
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
		t.Run(fmt.Sprint("verdict ", verdict), func(t *testing.T) {
			l := newLife(t, nil)
			var seen opsOn
			l.faults(seen.hook)
			l.mustPut(1, 1, 1000, time.Hour) // stays
			l.mustPut(2, 2, 1000, time.Hour) // is superseded while the disk fails
			l.mustPut(3, 3, 1000, time.Hour) // is replaced while the disk fails
			l.sync()
			bad := filepath.Base(segmentFiles(t, l.dir)[0])
			seen.set(func(op, name string) vfs.Verdict {
				if op == "commit" && name == bad {
					return verdict
				}
				return vfs.Pass
			})
			l.mustPut(3, 10, 1000, 2*time.Hour)
			l.mustPut(4, 11, 1000, time.Hour)
			if err := l.d.Sync(); !errors.Is(err, vfs.ErrInjected) {
				t.Fatalf("sync: %v", err)
			}
			l.wantSeq(1, 1, "in the segment before it failed")
			l.wantSeq(3, 0, "in the batch that failed, and it superseded the older one")
			l.wantSeq(4, 0, "in the batch that failed")
			if st := l.d.Stats(); st.Dropped != 2 {
				t.Errorf("%d dropped", st.Dropped)
			}
			// Now nothing can be written at all. What is superseded stays so, whenever the disk comes back.
			seen.set(func(op, name string) vfs.Verdict {
				if op == "commit" {
					return vfs.Fail
				}
				return vfs.Pass
			})
			l.d.Supersede(hashOf(2), 20)
			if err := l.d.Sync(); err == nil {
				t.Fatal("nothing can be written, and all is well")
			}
			if err := l.put(5, 21, 1000, time.Hour); !errors.Is(err, ErrDropped) {
				t.Fatalf("taken while the disk fails: %v", err)
			}
			l.wantSeq(2, 0, "superseded")
			seen.set(nil)
			l.now.Add(retryAfter.Milliseconds() + 1)
			l.mustPut(6, 22, 1000, time.Hour)
			l.sync()
			l.wantSeq(6, 22, "after the disk recovered")
			l.reopen()
			for n, seq := range map[int]uint64{1: 1, 2: 0, 5: 0, 6: 22} {
				l.wantSeq(n, seq, "after a restart")
			}
			// What failed may have taken effect, and is not older than what was asked for; what it superseded does not come back.
			for n, seq := range map[int]uint64{3: 10, 4: 11} {
				if got := l.seqOf(n); got != 0 && got != seq {
					t.Errorf("key %d: version %d came back", n, got)
				}
			}
		})
	}
}

// After a failed commit the file is left alone for as long as the process lives: asking an fsync again proves nothing.
func TestFailedSegmentIsNotWrittenAgain(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 64 << 10 })
	var seen opsOn
	l.faults(seen.hook)
	var bad string
	for n := range 200 {
		if n == 50 {
			seen.set(func(op, name string) vfs.Verdict {
				if op == "commit" && bad == "" {
					bad = name
					return vfs.FailAfter
				}
				return vfs.Pass
			})
		}
		_ = l.put(n, uint64(n+1), 5000, time.Duration(1+n%3)*time.Minute)
		if n%5 == 0 {
			_ = l.d.Sync()
			l.now.Add(1001)
			l.house()
		}
	}
	all := func([]byte, Found) ([]uint64, bool) { return nil, true }
	if _, err := l.d.Compact(context.Background(), func(SegmentInfo) bool { return false }, all, nil); err != nil {
		t.Fatal(err)
	}
	l.sync()
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	ops := seen.ops[bad]
	failed := false
	for _, op := range ops {
		if failed && op != "remove" {
			t.Fatalf("%s was touched after it failed: %v", bad, ops)
		}
		failed = failed || op == "commit failed"
	}
	if !failed {
		t.Fatalf("nothing failed: %v", ops)
	}
	l.open()
}

// The tier recovers also where nothing was owed, whatever it was that failed.
func TestRecovery(t *testing.T) {
	for _, what := range []string{"commit", "open", "syncdir"} {
		t.Run(what, func(t *testing.T) {
			l := newLife(t, nil)
			var broken atomic.Bool
			l.faults(func(_ int64, op, _ string) vfs.Verdict {
				if broken.Load() && op == what {
					return vfs.Fail
				}
				return vfs.Pass
			})
			broken.Store(true)
			l.mustPut(1, 1, 100, time.Hour)
			if err := l.d.Sync(); err == nil {
				t.Fatal("all is well")
			}
			if err := l.put(2, 2, 100, time.Hour); !errors.Is(err, ErrDropped) {
				t.Fatal(err)
			}
			broken.Store(false)
			l.now.Add(retryAfter.Milliseconds() + 1)
			l.mustPut(3, 3, 100, time.Hour)
			l.sync()
			l.wantSeq(3, 3, "recovered")
			l.reopen()
			l.wantSeq(3, 3, "after a restart")
		})
	}
}

// A Sync tells of records that were lost before it was called, once.
func TestSyncTellsOfWhatWasLost(t *testing.T) {
	l := newLife(t, nil)
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" {
			return vfs.Fail
		}
		return vfs.Pass
	})
	l.mustPut(1, 1, 100, time.Hour)
	if err := l.d.flush(); err == nil { // as the writer does by itself
		t.Fatal("all is well")
	}
	l.faults(nil)
	if err := l.d.Sync(); !errors.Is(err, vfs.ErrInjected) {
		t.Fatalf("a record is lost, and Sync says %v", err)
	}
	l.sync()
}

// However much is put, a Sync comes to its end, and so does a compaction.
func TestSyncUnderLoad(t *testing.T) {
	d := testDisk(t, scratch(t), crypto.NewStageKey("s"), func(o *DiskOptions) {
		o.Block, o.QueueBytes, o.Capacity = true, 256<<10, 64<<20
	})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var seq atomic.Uint64
	for g := range 2 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					_ = d.Put(Record{Hash: hashOf(g*1000 + n%1000), Seq: seq.Add(1), Expires: 100_000, Blob: make([]byte, 4000)})
				}
			}
		})
	}
	for i := range uint64(5) {
		for seq.Load() < 500*(i+1) {
			runtime.Gosched()
		}
		if err := d.Sync(); err != nil {
			t.Error(err)
		}
	}
	keep := func([]byte, Found) ([]uint64, bool) { return nil, true }
	if _, err := d.Compact(context.Background(), func(i SegmentInfo) bool { return i.Live < i.Records }, keep, nil); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
}

// A real limit instead of an injected fault: in a process of its own, writes beyond 1 MiB of a file fail in the middle of bbolt's
// work. What was there is served, the rest of the store goes on, and the next start finds nothing damaged.
func TestWritesThatFailForReal(t *testing.T) {
	const limit = 1 << 20
	dir, inChild := os.LookupEnv("STAGECACHE_TEST_FSIZE")
	if !inChild {
		exe, err := os.Executable()
		if err != nil {
			need.Missing(t, "the path of the test's own program: %v", err)
		}
		cmd := exec.Command(exe, "-test.run", "^TestWritesThatFailForReal$", "-test.v")
		cmd.Env = append(os.Environ(), "STAGECACHE_TEST_FSIZE="+scratch(t))
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("the limit was met")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 8 << 20; o.QueueBytes = 64 << 20 })
	l.dir = dir
	l.reopen()
	var failures int
	served := make(map[int]bool)
	for n := range 60 {
		l.mustPut(n, uint64(n+1), 100_000, time.Hour)
		if err := l.d.Sync(); err != nil {
			failures++ // EFBIG, as bbolt tells it
			l.now.Add(retryAfter.Milliseconds() + 1)
			continue
		}
		served[n] = true
	}
	if failures == 0 || failures > 20 {
		t.Fatalf("%d failures", failures)
	}
	check := func(when string) {
		t.Helper()
		for n := range 60 {
			if seq := l.seqOf(n); seq != uint64(n+1) && served[n] || seq != 0 && !served[n] {
				t.Fatalf("%s: record %d: version %d, was it acknowledged: %v", when, n, seq, served[n])
			}
		}
	}
	check("at once")
	l.reopen()
	check("after a restart")
	if q := l.d.Stats().Quarantined; q != 0 {
		t.Fatalf("%d segments are said to be damaged", q)
	}
	t.Logf("the limit was met %d times", failures)
}
