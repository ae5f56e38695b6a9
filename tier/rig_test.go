package tier

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// long reports whether the long variants of the tests are wanted.
func long() bool { return os.Getenv("STAGECACHE_LONG") != "" }

// rounds is how often a randomized test repeats itself.
func rounds(short, usual, longRun int) int {
	switch {
	case long():
		return longRun
	case testing.Short() || raceDetector:
		return short
	}
	return usual
}

// life is a Disk whose clock, file system and directory are in the test's hands. Time stands still unless it is moved, so the
// writer works only when the queue is half full, at a Sync, and at house.
type life struct {
	t      testing.TB
	dir    string
	keys   *crypto.StageKey
	now    atomic.Int64 // engine time in ms; uptime runs beside it
	fs     *vfs.Faulty
	hook   atomic.Pointer[func(n int64, op, name string) vfs.Verdict]
	change func(*DiskOptions)
	d      *Disk
}

// scratch is a directory for a test in which a crash is a copy and not a loss of power: in memory where there is such a place,
// for then a sync costs nothing.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stagecache-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

const lifeBegins = 1_000_000_000

func newLife(t testing.TB, change func(*DiskOptions)) *life {
	t.Helper()
	l := &life{t: t, dir: scratch(t), keys: crypto.NewStageKey("s"), change: change}
	l.now.Store(lifeBegins)
	l.fs = &vfs.Faulty{FS: vfs.OS, Hook: func(n int64, op, name string) vfs.Verdict {
		if h := l.hook.Load(); h != nil {
			return (*h)(n, op, name)
		}
		return vfs.Pass
	}}
	l.open()
	t.Cleanup(func() {
		if l.d != nil {
			l.faults(nil)
			_ = l.d.Close() // the test has judged what mattered
		}
	})
	return l
}

// faults sets what the file system does; nil: everything works.
func (l *life) faults(hook func(n int64, op, name string) vfs.Verdict) {
	if hook == nil {
		l.hook.Store(nil)
		return
	}
	l.hook.Store(&hook)
}

func (l *life) options() DiskOptions {
	o := DiskOptions{Keys: l.keys, Capacity: 1 << 30, Now: l.now.Load, FS: l.fs, SegmentSize: 256 << 10,
		Uptime: func() time.Duration { return time.Duration(l.now.Load()-lifeBegins) * time.Millisecond }}
	if l.change != nil {
		l.change(&o)
	}
	return o
}

func (l *life) open() {
	l.t.Helper()
	d, err := OpenDisk(l.dir, l.options())
	if err != nil {
		l.t.Fatalf("open: %v", err)
	}
	<-d.Loaded()
	l.d = d
}

// close closes and says whether everything got to the disk.
func (l *life) close() error {
	err := l.d.Close()
	l.d = nil
	return err
}

func (l *life) reopen() {
	l.t.Helper()
	if err := l.close(); err != nil {
		l.t.Fatalf("close: %v", err)
	}
	l.open()
}

// crash goes on with a copy of the directory made between two of the writer's rounds, as if the process had died there.
func (l *life) crash() {
	l.t.Helper()
	l.d.writerMu.Lock()
	dir := copyDir(l.t, l.dir)
	l.d.writerMu.Unlock()
	l.d.Discard()
	_ = os.RemoveAll(l.dir) // room for the many copies; the test's directory goes anyway
	l.dir = dir
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := scratch(t)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// house does at once what the writer does once a second.
func (l *life) house() {
	l.d.writerMu.Lock()
	defer l.d.writerMu.Unlock()
	l.d.keepHouse()
}

func (l *life) put(n int, seq uint64, size int, ttl time.Duration) error {
	return l.d.Put(Record{Hash: hashOf(n), Seq: seq, Expires: l.now.Load() + ttl.Milliseconds(), Blob: blobOf(int(seq), size)})
}

func (l *life) mustPut(n int, seq uint64, size int, ttl time.Duration) {
	l.t.Helper()
	if err := l.put(n, seq, size, ttl); err != nil {
		l.t.Fatalf("put %d: %v", n, err)
	}
}

func (l *life) sync() {
	l.t.Helper()
	if err := l.d.Sync(); err != nil {
		l.t.Fatalf("sync: %v", err)
	}
}

// seqOf is the sequence of what a Get finds; 0: nothing.
func (l *life) seqOf(n int) uint64 {
	l.t.Helper()
	_, f, err := l.d.Get(nil, hashOf(n))
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			l.t.Fatalf("get %d: %v", n, err)
		}
		return 0
	}
	return f.Seq
}

func (l *life) wantSeq(n int, seq uint64, why string) {
	l.t.Helper()
	if got := l.seqOf(n); got != seq {
		l.t.Fatalf("%s: key %d: got version %d, want %d", why, n, got, seq)
	}
}

// segmentFiles lists the segments' files in the order of their numbers.
func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "seg-*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flip damages the record that the index knows of a key, if there is one, or mends it.
func (l *life) flip(n int) {
	l.t.Helper()
	h := hashOf(n)
	at, ok := l.d.index.Lookup(&h)
	if !ok {
		return
	}
	s := l.d.segs[at.seg].Load()
	if s == nil {
		return
	}
	l.flipAt(s.path, int64(at.off)+recordHeaderSize)
}

// flipAt does the same with what lies at a place in a file, if that is still there.
func (l *life) flipAt(path string, off int64) {
	l.t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return // evicted meanwhile
	}
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err = f.ReadAt(b[:], off); err == nil {
		b[0] ^= 0xff
		_, err = f.WriteAt(b[:], off)
	}
	if err != nil {
		l.t.Error(err)
	}
}
