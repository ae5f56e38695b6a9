package tier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// The rule of this file: whatever is done to a segment's file, a start gets through, the other segments' records are served, a
// record of the damaged one is served as it was put or not at all, and where one is missing the damage is counted.

// exhibit is a directory with a sealed segment between two others, or an unsealed one, that can be damaged again and again.
type exhibit struct {
	keys    *crypto.StageKey
	files   map[string][]byte
	victim  string // name of the file to be damaged
	records map[int]exhibitRecord
}

type exhibitRecord struct {
	Record
	blob     []byte
	inVictim bool
}

func newExhibit(t *testing.T, sealed bool) *exhibit {
	t.Helper()
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 48 << 10 })
	x := &exhibit{keys: l.keys, files: make(map[string][]byte), records: make(map[int]exhibitRecord)}
	seq := uint64(0)
	fill := func(from, to, size int, mine bool) {
		for n := from; n < to; n++ {
			seq++
			r := Record{Hash: hashOf(n), Seq: seq, Stamp: seq, Expires: lifeBegins + 3_000_000, Plain: n%3 == 0, Blob: blobOf(n, size), Labels: []uint64{1, 2, uint64(n)}}
			x.records[n] = exhibitRecord{r, bytes.Clone(r.Blob), mine}
			if err := l.d.Put(r); err != nil {
				t.Fatal(err)
			}
		}
		l.sync()
	}
	rotate := func() {
		l.d.writerMu.Lock()
		l.d.sealAll()
		l.d.writerMu.Unlock()
	}
	fill(0, 10, 1000, false)
	rotate()
	fill(10, 14, 300, true)
	fill(14, 18, 300, true)
	l.d.Supersede(hashOf(superseded), 1000)
	delete(x.records, superseded)
	l.sync()
	if sealed {
		rotate()
		fill(20, 30, 1000, false)
		rotate()
	}
	l.crash() // what is active stays unsealed
	for i, f := range segmentFiles(t, l.dir) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		x.files[filepath.Base(f)] = b
		if i == 1 {
			x.victim = filepath.Base(f)
		}
	}
	l.open()
	return x
}

// lay writes the directory anew.
func (x *exhibit) lay(t *testing.T, dir string, changed map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	all := maps.Clone(x.files)
	maps.Copy(all, changed)
	for name, b := range all {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// judge opens a directory whose victim's file is b and says what breaks the rule; quarantined is the count afterwards.
func (x *exhibit) judge(t *testing.T, dir string, b []byte) (missing int, quarantined int64, err error) {
	t.Helper()
	x.lay(t, dir, map[string][]byte{x.victim: b})
	return x.open(dir)
}

func (x *exhibit) open(dir string) (missing int, quarantined int64, err error) {
	d, err := OpenDisk(dir, DiskOptions{Keys: x.keys, Capacity: 1 << 30, Now: func() int64 { return lifeBegins }, MaxAge: time.Hour,
		SegmentSize: 48 << 10})
	if err != nil {
		return 0, 0, fmt.Errorf("does not open: %w", err)
	}
	defer d.Discard()
	<-d.Loaded()
	for n, r := range x.records {
		blob, f, err := d.Get(nil, hashOf(n))
		switch {
		case errors.Is(err, ErrNotFound) && !r.inVictim:
			return 0, 0, fmt.Errorf("record %d of another segment is gone: %w", n, err)
		case errors.Is(err, ErrNotFound):
			missing++
		case err != nil:
			return 0, 0, fmt.Errorf("record %d: %w", n, err)
		case !bytes.Equal(blob, r.blob) || f.Seq != r.Seq || f.Stamp != r.Stamp || f.Expires != r.Expires || f.Plain != r.Plain:
			return 0, 0, fmt.Errorf("record %d: not what was put: %+v", n, f)
		}
	}
	q := d.Stats().Quarantined
	if _, _, err := d.Get(nil, hashOf(superseded)); err == nil && q == 0 {
		return 0, 0, errors.New("a version that was superseded is back, and nothing is counted")
	}
	return missing, q, nil
}

// superseded is the key of a record in the victim that a tombstone there speaks of.
const superseded = 10

// each runs fn for 0 to n on all processors, each with a directory of its own.
func each(t *testing.T, n int, fn func(dir string, i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		dir := scratch(t)
		wg.Go(func() {
			for i := range next {
				fn(dir, i)
			}
		})
	}
	for i := 0; i < n && !t.Failed(); i++ {
		next <- i
	}
	close(next)
	wg.Wait()
}

// structure lists the bytes of a segment's file that say how to read it, and some of the others: payloads and zeroes.
func structure(b []byte) []int {
	var out []int
	payload := 0
	for i, c := range b {
		if h, err := parseRecordHeader(b[i:]); err == nil && h.size() < len(b)-i {
			payload = i + h.size()
			for k := range recordHeaderSize {
				out = append(out, i+k)
			}
		}
		switch page := i % segmentPageSize; {
		case i < payload:
			if i%32 == 0 {
				out = append(out, i)
			}
		case c != 0 || page < 96 || page%97 == 0:
			out = append(out, i)
		}
	}
	return out
}

func TestFlippedBits(t *testing.T) {
	for _, sealed := range []bool{true, false} {
		t.Run(map[bool]string{true: "sealed", false: "unsealed"}[sealed], func(t *testing.T) {
			x := newExhibit(t, sealed)
			whole := x.files[x.victim]
			if missing, q, err := x.judge(t, scratch(t), whole); missing != 0 || q != 0 || err != nil {
				t.Fatalf("undamaged: %d missing, %d quarantined, %v", missing, q, err)
			}
			type flip struct {
				at  int
				bit uint
			}
			var flips []flip
			for i, at := range structure(whole) {
				switch {
				case long():
					for bit := range uint(8) {
						flips = append(flips, flip{at, bit})
					}
				case i%rounds(10, 1, 1) == 0:
					flips = append(flips, flip{at, uint(at) % 8})
				}
			}
			var mu sync.Mutex
			var counted, silent int
			each(t, len(flips), func(dir string, i int) {
				f := flips[i]
				b := bytes.Clone(whole)
				b[f.at] ^= 1 << f.bit
				missing, q, err := x.judge(t, dir, b)
				mu.Lock()
				defer mu.Unlock()
				if q > 0 {
					counted++
				}
				if err == nil && missing > 0 && q == 0 {
					silent++
					err = fmt.Errorf("%d records are missing and nothing is counted", missing)
				}
				if err != nil {
					t.Errorf("bit %d of byte %d (page %d + %d): %v", f.bit, f.at, f.at/segmentPageSize, f.at%segmentPageSize, err)
				}
			})
			t.Logf("%d bits flipped in a file of %d bytes, %d times counted", len(flips), len(whole), counted)
			if counted < len(flips)/4 {
				t.Errorf("damage was counted %d times only", counted)
			}
		})
	}
}

func TestCutFiles(t *testing.T) {
	for _, sealed := range []bool{true, false} {
		t.Run(map[bool]string{true: "sealed", false: "unsealed"}[sealed], func(t *testing.T) {
			x := newExhibit(t, sealed)
			whole := x.files[x.victim]
			used := len(bytes.TrimRight(whole, "\x00"))
			step := rounds(509, 64, 1)
			var changed [][]byte
			for n := 0; n < len(whole); n += step {
				changed = append(changed, whole[:n])
			}
			r := rand.New(rand.NewPCG(5, 5))
			for _, n := range []int{1, 511, 4096, 5000, 100_000} {
				garbage := make([]byte, n)
				for i := range garbage {
					garbage[i] = byte(r.Uint32())
				}
				changed = append(changed, append(bytes.Clone(whole), garbage...), append(bytes.Clone(whole), make([]byte, n)...))
			}
			for _, size := range []int{512, 4096, 8192} {
				for at := 0; at < used; at += size {
					hole := bytes.Clone(whole)
					clear(hole[at:min(at+size, len(hole))])
					changed = append(changed, hole)
					noise := bytes.Clone(whole)
					for i := at; i < min(at+size, len(noise)); i++ {
						noise[i] = byte(r.Uint32())
					}
					changed = append(changed, noise)
				}
			}
			each(t, len(changed), func(dir string, i int) {
				missing, q, err := x.judge(t, dir, changed[i])
				// An empty file is what a process leaves that ends while it makes one.
				if err == nil && missing > 0 && q == 0 && len(bytes.TrimRight(changed[i], "\x00")) > 0 {
					err = fmt.Errorf("%d records are missing and nothing is counted", missing)
				}
				if err != nil {
					t.Errorf("change %d (%d bytes of %d): %v", i, len(changed[i]), len(whole), err)
				}
			})
		})
	}
}

// What is in a file that was swapped, renamed or brought from elsewhere proves that it does not belong there.
func TestForeignFiles(t *testing.T) {
	x := newExhibit(t, true)
	names := slices.Sorted(maps.Keys(x.files))
	dir := scratch(t)
	refused := func(what string, changed map[string][]byte, gone func(r exhibitRecord) bool, least int64) {
		t.Helper()
		x.lay(t, dir, changed)
		d, err := OpenDisk(dir, DiskOptions{Keys: x.keys, Capacity: 1 << 30, Now: func() int64 { return lifeBegins }})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer d.Discard()
		<-d.Loaded()
		for n, r := range x.records {
			blob, _, err := d.Get(nil, hashOf(n))
			if err == nil && !bytes.Equal(blob, r.blob) {
				t.Errorf("%s: record %d: other bytes", what, n)
			}
			if (err != nil) != gone(r) {
				t.Errorf("%s: record %d (of the changed segment: %v): %v", what, n, r.inVictim, err)
			}
		}
		if q := d.Stats().Quarantined; q < least {
			t.Errorf("%s: %d counted", what, q)
		}
	}
	mine := func(r exhibitRecord) bool { return r.inVictim }
	all := func(exhibitRecord) bool { return true }
	refused("two segments swapped", map[string][]byte{x.victim: x.files[names[0]], names[0]: x.files[x.victim]},
		func(r exhibitRecord) bool { return r.inVictim || r.Seq <= 10 }, 2)
	copied := map[string][]byte{segmentName(77): x.files[x.victim]}
	refused("a copy under another number", copied, func(exhibitRecord) bool { return false }, 1)
	for what, keys := range map[string]*crypto.StageKey{"another generation": crypto.NewStageKey("s"), "another stage": crypto.NewStageKey("other")} {
		old := x.keys
		x.keys = keys
		refused("segments of "+what, nil, all, 3)
		x.keys = old
	}
	// Two records of one segment, of equal size, in each other's place; and two batches.
	whole := x.files[x.victim]
	var at []int
	for i := 0; i+recordHeaderSize < len(whole); i++ {
		if h, err := parseRecordHeader(whole[i:]); err == nil && h.blobSize == 300 && h.payloadSize == 300+crypto.Overhead {
			at = append(at, i)
		}
	}
	if len(at) != 8 {
		t.Fatalf("%d records found", len(at))
	}
	size := recordHeaderSize + 300 + crypto.Overhead
	for i := range at {
		for j := range i {
			b := bytes.Clone(whole)
			copy(b[at[i]:], whole[at[j]:at[j]+size])
			copy(b[at[j]:], whole[at[i]:at[i]+size])
			x.lay(t, dir, map[string][]byte{x.victim: b})
			missing, _, err := x.open(dir)
			if want := 2; err != nil || missing != want && !(j == 0 && missing == 1) { // the first one's key was superseded
				t.Fatalf("records %d and %d swapped: %d missing, %v", i, j, missing, err)
			}
		}
	}
	b := bytes.Clone(whole)
	one, two := at[0]/segmentPageSize*segmentPageSize, at[4]/segmentPageSize*segmentPageSize
	copy(b[one+100:one+segmentPageSize], whole[two+100:])
	copy(b[two+100:two+segmentPageSize], whole[one+100:])
	refused("two batches swapped", map[string][]byte{x.victim: b}, mine, 1)
}

// A page that leads back to itself makes bbolt recurse until the process dies, where no recover helps.
func TestPagesInACircle(t *testing.T) {
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 4 << 20 })
	for n := range 300 {
		l.mustPut(n, uint64(n+1), 100, time.Hour)
		l.sync()
	}
	unsealed := copyDir(t, l.dir)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"sealed": l.dir, "unsealed": unsealed} {
		name := segmentFiles(t, dir)[0]
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		for n := 2; n < len(whole)/segmentPageSize; n++ {
			p := whole[n*segmentPageSize : (n+1)*segmentPageSize]
			if binary.NativeEndian.Uint64(p) != uint64(n) {
				continue
			}
			flags, count := binary.NativeEndian.Uint16(p[8:]), int(binary.NativeEndian.Uint16(p[10:]))
			for i := range min(count, rounds(2, 3, 3)) {
				b := bytes.Clone(whole)
				e := b[n*segmentPageSize+boltHeader+i*boltElement:]
				switch {
				case flags == boltBranch:
					binary.NativeEndian.PutUint64(e[8:], uint64(n))
				case flags == boltLeaf && e[0]&boltBucket != 0: // a bucket whose root is the page that lists it
					at := binary.NativeEndian.Uint32(e[4:]) + binary.NativeEndian.Uint32(e[8:])
					binary.NativeEndian.PutUint64(e[at:], uint64(n))
				default:
					continue
				}
				changes++
				to := scratch(t)
				if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o600); err != nil {
					t.Fatal(err)
				}
				d, err := OpenDisk(to, DiskOptions{Keys: l.keys, Capacity: 1 << 30, Now: func() int64 { return lifeBegins }})
				if err != nil {
					t.Fatal(err)
				}
				<-d.Loaded()
				for k := range 300 {
					if blob, _, err := d.Get(nil, hashOf(k)); err == nil && !bytes.Equal(blob, blobOf(k+1, 100)) {
						t.Errorf("%s, page %d: other bytes", what, n)
					}
				}
				d.Discard()
				if _, err := Verify(to, l.keys, plainCodec{}); err != nil {
					t.Error(err)
				}
			}
		}
		t.Logf("%s: %d changes", what, changes)
		if changes < 10 {
			t.Errorf("%s: only %d changes", what, changes)
		}
	}
	l.open()
}

// noFiles is a file system for a process that has no descriptors left.
type noFiles struct {
	vfs.FS
	none atomic.Bool
}

func (f *noFiles) OpenFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	if f.none.Load() {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return f.FS.OpenFile(name, flag, perm)
}

// A file system that cannot open files just now says nothing about what is in them.
func TestFailureToOpenIsNotDamage(t *testing.T) {
	l := newLife(t, nil)
	for n := range 20 {
		l.mustPut(n, uint64(n+1), 1000, time.Hour)
	}
	l.reopen()
	fs := &noFiles{FS: vfs.OS}
	l.change = func(o *DiskOptions) { o.FS = fs }
	l.reopen()
	for _, s := range l.d.segments() {
		if err := s.closeFile(false); err != nil {
			t.Fatal(err)
		}
	}
	fs.none.Store(true)
	for n := range 20 {
		l.wantSeq(n, 0, "no descriptor")
	}
	fs.none.Store(false)
	for n := range 20 {
		l.wantSeq(n, uint64(n+1), "descriptors again")
	}
	if q := l.d.Stats().Quarantined; q != 0 {
		t.Errorf("%d segments are said to be damaged", q)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	fs.none.Store(true)
	if d, err := OpenDisk(l.dir, l.options()); err == nil {
		d.Discard()
		t.Error("a start without descriptors says that all is well")
	}
	fs.none.Store(false)
	l.open()
	for n := range 20 {
		l.wantSeq(n, uint64(n+1), "after a start that failed")
	}
}
