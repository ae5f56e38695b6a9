package aio

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// drop makes the file's pages leave the cache, so that the next read waits for the device.
func drop(t *testing.T, f *os.File) {
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Error(err)
	}
}

func newTestRing(t *testing.T) *ring {
	t.Helper()
	r, err := newRing()
	if err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	t.Cleanup(r.close)
	return r
}

func TestARingReadsByItself(t *testing.T) {
	f, want := file(t, 1<<20)
	r := newTestRing(t)
	for range 3 {
		drop(t, f)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				got := make([]byte, 5000)
				off := i * 5000
				n, err := r.read(int(f.Fd()), got, int64(off))
				if err != nil || n == 0 || !bytes.Equal(got[:n], want[off:off+n]) {
					t.Errorf("read at %d: %d, %v, or other bytes", off, n, err)
				}
			})
		}
		wg.Wait()
	}
	if len(r.free) != ringEntries {
		t.Errorf("%d places are free after all reads, want %d", len(r.free), ringEntries)
	}
}

func TestAFullRingAndABadReadAreErrorsAndNoMore(t *testing.T) {
	f, want := file(t, 4096)
	r := newTestRing(t)
	free := r.free
	r.free = nil
	if _, err := r.read(int(f.Fd()), make([]byte, 8), 0); err != errBusy {
		t.Errorf("a full ring: %v", err)
	}
	r.free = free
	if _, err := r.read(1<<30, make([]byte, 8), 0); err != unix.EBADF {
		t.Errorf("no such descriptor: %v", err)
	}
	got := make([]byte, 8)
	if n, err := r.read(int(f.Fd()), got, 0); err != nil || n != 8 || !bytes.Equal(got, want[:8]) {
		t.Errorf("the read after it: %d, %v", n, err)
	}
}

// Where the poller cannot help, what is in flight comes all the same, and nothing more is begun.
func TestARingWithoutAPollerEnds(t *testing.T) {
	f, want := file(t, 1<<20)
	r, err := makeRing()
	if err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	t.Cleanup(r.close)
	r.conn = deaf{r.conn}
	drop(t, f)
	var wg sync.WaitGroup
	var ended atomic.Int32
	for i := range 50 {
		wg.Go(func() {
			defer ended.Add(1)
			got := make([]byte, 100)
			if n, err := r.read(int(f.Fd()), got, int64(i*20_000)); err != nil || n != 100 || !bytes.Equal(got, want[i*20_000:][:100]) {
				t.Errorf("read %d: %d, %v, or other bytes", i, n, err)
			}
		})
	}
	for begun := 0; begun < 50; runtime.Gosched() { // some may have seen each other's news, the last ones have nobody
		r.listMu.Lock()
		begun = ringEntries - len(r.free) + int(ended.Load())
		r.listMu.Unlock()
	}
	go r.watch()
	wg.Wait()
	<-r.done
	if _, err := r.read(int(f.Fd()), make([]byte, 8), 0); err != errBusy {
		t.Errorf("a read that nobody would wait for: %v", err)
	}
}

type deaf struct{ syscall.RawConn }

func (deaf) Read(func(uintptr) bool) error { return os.ErrNoDeadline }

func TestReadCachedDoesNotWait(t *testing.T) {
	f, want := file(t, 1<<20)
	got := make([]byte, 100)
	if _, err := f.ReadAt(got, 5000); err != nil {
		t.Fatal(err)
	}
	if n, wait := readCached(int(f.Fd()), got, 5000); wait || n != 100 || !bytes.Equal(got, want[5000:5100]) {
		t.Errorf("a page that was just read: %d bytes, wait %v", n, wait)
	}
}

func TestReadAtAllocsNone(t *testing.T) {
	f, _ := file(t, 1<<20)
	var r Reader
	defer r.Close()
	b := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.ReadAt(f, b, 5000); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a read from the page cache allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		drop(t, f)
		if _, err := r.ReadAt(f, b, 5000); err != nil {
			t.Error(err)
		}
	}); n > 2 { // what waiting in the poller takes
		t.Errorf("a read from the device allocates %v times", n)
	}
}

// While most reads have to wait, the page cache is seldom asked; when it has all again, it is.
func TestAReaderLearnsWhetherReadsWait(t *testing.T) {
	f, _ := file(t, 8<<20)
	var r Reader
	defer r.Close()
	b := make([]byte, 100)
	read := func(page int) {
		if _, err := r.ReadAt(f, b, int64(page*4096)); err != nil {
			t.Fatal(err)
		}
	}
	drop(t, f)
	for i := range 20 * coldMost {
		read(i * 7919 % 2048)
		drop(t, f)
	}
	if r.ring.Load() == nil {
		t.Skip("no io_uring here")
	}
	if n := r.cold.Load(); n < coldFrom {
		t.Errorf("all reads waited, and the page cache is still asked first (%d)", n)
	}
	read(5)
	for range 2 * probe * coldMost {
		read(5)
	}
	if n := r.cold.Load(); n >= coldFrom {
		t.Errorf("no read waits, and the page cache is not asked (%d)", n)
	}
}
