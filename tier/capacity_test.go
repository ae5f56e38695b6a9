package tier

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/need"
	"stagecache/internal/vfs"
)

// The rule of this file: the disk never holds more than the capacity and one segment, and what goes, goes in order.

func TestCapacityIsKept(t *testing.T) {
	for _, c := range []struct {
		capacity, segment int64 // segment 0: the default
		classes           int
		size              int
	}{
		{8 << 20, 0, 1, 20_000},
		{8 << 20, 0, 4, 20_000},
		{8 << 20, 0, 4, 1 << 20},
		{8 << 20, 0, 2, 50}, // next to nothing but headers and indexes
		{12 << 20, 1 << 20, 4, 5_000},
		{48 << 20, 1 << 20, 3, 100_000},
	} {
		t.Run(fmt.Sprintf("%d MiB, segment %d KiB, %d classes, %d bytes", c.capacity>>20, c.segment>>10, c.classes, c.size), func(t *testing.T) {
			dir := scratch(t)
			d := testDisk(t, dir, crypto.NewStageKey("s"), func(o *DiskOptions) {
				o.Capacity, o.SegmentSize, o.Block = c.capacity, c.segment, true
				o.Now = func() int64 { return lifeBegins }
			})
			most := c.capacity + d.segmentSize
			total := int64(rounds(2, 4, 20)) * c.capacity
			if c.size < 1000 {
				total /= 4
			}
			r := rand.New(rand.NewPCG(uint64(c.capacity), uint64(c.size)))
			noise := blobOf(7, 2<<20)
			var worst, written int64
			for n := uint64(1); written < total; n++ {
				size := c.size/2 + r.IntN(c.size)
				written += int64(size)
				size = min(size, d.o.MaxBlob)
				ttl := classSpans[r.IntN(c.classes)] - time.Duration(r.IntN(50_000))*time.Millisecond
				rec := Record{Hash: hashOf(int(n % 5000)), Seq: n, Expires: lifeBegins + ttl.Milliseconds(), Blob: noise[:size]}
				if err := d.Put(rec); err != nil {
					t.Fatal(err)
				}
				if n%16 == 0 || size > 100_000 {
					worst = max(worst, vfs.TreeUsage(vfs.OS, dir))
				}
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			for d.makingAhead.Load() { // a file that goes just now is not counted, or not there, any more
				runtime.Gosched()
			}
			worst = max(worst, vfs.TreeUsage(vfs.OS, dir))
			t.Logf("%.1f MiB put, at most %.1f MiB on the disk", float64(written)/(1<<20), float64(worst)/(1<<20))
			if worst > most {
				t.Errorf("%d bytes on the disk, at most %d are allowed", worst, most)
			}
			// Of the smallest records every one is replaced before its segment goes, so none that is live is ever evicted.
			if st := d.Stats(); st.Evicted == 0 && c.size >= 1000 || st.DiskBytes > most {
				t.Errorf("%+v", st)
			}
			if used := vfs.TreeUsage(vfs.OS, dir); used != d.Stats().DiskBytes {
				t.Errorf("%d bytes on the disk, %d are counted", used, d.Stats().DiskBytes)
			}
		})
	}
}

// What others take of the capacity leaves less to the tier, and where nothing is left, records are dropped.
func TestReservedSpaceAndHugeRecords(t *testing.T) {
	var reserved atomic.Int64
	l := newLife(t, func(o *DiskOptions) {
		o.Capacity, o.MaxBlob, o.Block, o.SegmentSize = 8<<20, 64<<20, true, 0
		o.Reserved = reserved.Load
	})
	l.mustPut(1, 1, 1000, time.Hour)
	l.sync()
	l.mustPut(2, 2, 40<<20, time.Hour)
	if err := l.d.Sync(); err == nil {
		t.Error("40 MiB went into 8")
	}
	if used := vfs.TreeUsage(vfs.OS, l.dir); used > 16<<20 {
		t.Errorf("%d bytes on the disk", used)
	}
	l.wantSeq(2, 0, "larger than the capacity")
	l.now.Add(5000)
	l.mustPut(3, 3, 1000, time.Hour)
	l.sync()
	l.wantSeq(3, 3, "after that")
	reserved.Store(17 << 20)
	l.mustPut(4, 4, 1000, time.Hour)
	if err := l.d.Sync(); err == nil {
		t.Error("written where no room was left")
	}
	reserved.Store(0)
	l.now.Add(5000)
	l.mustPut(5, 5, 1000, time.Hour)
	l.sync()
	l.wantSeq(5, 5, "room again")
}

func TestEvictionOrder(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize, o.Capacity = 1<<20, (entranceLeast-1)<<20 }) // without an entrance
	r := rand.New(rand.NewPCG(3, 3))
	for n := range 40 {
		ttl := []time.Duration{50 * time.Second, 200 * time.Second, time.Hour, 5 * time.Hour}[r.IntN(4)] - time.Duration(r.IntN(20))*time.Second
		l.mustPut(n, uint64(n+1), 70<<10, ttl)
		l.sync()
		if n%4 > 0 {
			l.sealAll()
		}
	}
	l.d.writerMu.Lock()
	defer l.d.writerMu.Unlock()
	want := l.d.segments()
	for i, s := range want {
		if i%9 == 4 && s.is(stateSealed) {
			l.d.damage(s, ErrDamaged)
		}
	}
	for {
		left := l.d.segments()
		if len(left) == 0 {
			break
		}
		// Files set aside would come first; then what is damaged, then the least time left, then the oldest.
		slices.SortFunc(left, func(a, b *segment) int {
			switch {
			case a.is(stateDamaged) != b.is(stateDamaged):
				if a.is(stateDamaged) {
					return -1
				}
				return 1
			case a.maxExpiry.Load() != b.maxExpiry.Load():
				return int(a.maxExpiry.Load() - b.maxExpiry.Load())
			}
			return int(a.id) - int(b.id)
		})
		if !l.d.evictOne() {
			t.Fatal("nothing to evict")
		}
		if !left[0].is(stateDead) {
			t.Fatalf("segment %d is still there", left[0].id)
		}
		for _, s := range left[1:] {
			if s.is(stateDead) {
				t.Fatalf("segment %d went before its turn", s.id)
			}
		}
	}
	if used := vfs.TreeUsage(vfs.OS, l.dir); used != l.d.diskBytes.Load() || used != 0 {
		t.Fatalf("%d bytes are left, %d counted", used, l.d.diskBytes.Load())
	}
}

func TestExpiredSegmentsAreUnlinked(t *testing.T) {
	l := newLife(t, nil)
	for n := range 30 {
		l.mustPut(n, uint64(n+1), 20_000, []time.Duration{30 * time.Second, 4 * time.Minute, time.Hour}[n%3])
	}
	l.sync()
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{29 * time.Second, 30}, {time.Second, 20}, {4 * time.Minute, 10}, {time.Hour, 0}} {
		l.now.Add(step.after.Milliseconds())
		l.house()
		live := 0
		for n := range 30 {
			if l.seqOf(n) != 0 {
				live++
			}
		}
		if live != step.left {
			t.Fatalf("after %v more, %d records answer, want %d", step.after, live, step.left)
		}
	}
	l.house() // what was active is sealed by the first, and goes by the second
	if files := segmentFiles(t, l.dir); len(files) != 0 {
		t.Fatalf("left: %v", files)
	}
	if n := l.d.diskBytes.Load(); n != 0 {
		t.Fatalf("%d bytes are counted", n)
	}
}

func TestIndexLimitEvicts(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.IndexBytes = 1000 * indexSlotSize; o.SegmentSize = 64 << 10 })
	for n := range 5000 {
		l.mustPut(n, uint64(n+1), 300, time.Hour)
		if n%100 == 99 {
			l.sync()
			l.house()
			if got := l.d.indexLive(); got > l.d.o.IndexBytes {
				t.Fatalf("after %d records the index takes %d bytes", n+1, got)
			}
		}
	}
	l.wantSeq(4999, 5000, "the last one")
	l.wantSeq(0, 0, "the first one")
}

// fewFiles is a file system of a process that may have few descriptors to files in dir.
type fewFiles struct {
	vfs.FS
	dir     string
	most    int
	refused atomic.Int64
}

func (f *fewFiles) OpenFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	if n := descriptors(f.dir); n >= f.most {
		f.refused.Add(1)
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return f.FS.OpenFile(name, flag, perm)
}

// descriptors counts this process's open files in dir.
func descriptors(dir string) (n int) {
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

func TestFewDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		need.Missing(t, "a system that lists open files under /proc/self/fd: %v", err)
	}
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 64 << 10; o.OpenFiles = 5 })
	const records = 400
	for n := range records {
		l.mustPut(n, uint64(n+1), 8000, time.Hour)
		if n%8 == 7 {
			l.sync()
		}
	}
	segments := len(l.d.segments())
	if segments < 30 {
		t.Fatalf("only %d segments", segments)
	}
	const readers = 8
	read := func(wantAll bool) {
		t.Helper()
		var wg sync.WaitGroup
		var missed atomic.Int64
		for g := range readers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 4))
				for range 400 {
					n := r.IntN(records)
					blob, _, err := l.d.Get(nil, hashOf(n))
					switch {
					case errors.Is(err, ErrNotFound):
						missed.Add(1)
					case err != nil || !bytes.Equal(blob, blobOf(n+1, 8000)):
						t.Errorf("record %d: %v", n, err)
					}
					// Each reader keeps open what it reads, and what it has read while another looked for something to close.
					if open := l.d.files.n.Load(); open > 5+2*readers {
						t.Errorf("%d descriptors", open)
					}
				}
			})
		}
		wg.Wait()
		if wantAll && missed.Load() > 0 {
			t.Errorf("%d records were not found", missed.Load())
		}
		if q := l.d.Stats().Quarantined; q != 0 {
			t.Errorf("%d segments are said to be damaged", q)
		}
	}
	read(true)
	l.d.closeIdle(nil, l.d.files.n.Load()-5, true)
	if n := descriptors(l.dir); n > 5+1 { // and the writer's own
		t.Errorf("%d descriptors to %s", n, l.dir)
	}
	// The same where the system refuses more: nobody takes that for damage, and it passes.
	fs := &fewFiles{FS: vfs.OS, dir: l.dir, most: 6}
	change := l.change
	l.change = func(o *DiskOptions) { change(o); o.OpenFiles = 512; o.FS = fs }
	l.reopen()
	read(false)
	if fs.refused.Load() == 0 {
		t.Error("nothing was refused: the test tests nothing")
	}
	for n := range records {
		l.wantSeq(n, uint64(n+1), "one reader alone")
	}
}
