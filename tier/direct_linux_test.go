package tier

import (
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// While the device has to be asked most of the time, what is asked for once stays out of the page cache, and what is asked for
// again gets there.
func TestTheFirstReadGoesPastThePageCache(t *testing.T) {
	const records, settled = 300, 100
	l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 32 << 20 })
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	l.dir = t.TempDir() // a file system that has both ways
	l.open()
	for n := range records {
		l.mustPut(n, uint64(n+1), 20_000, time.Hour) // pages of their own
	}
	l.sync()
	l.reopen()
	for _, s := range l.d.segments() {
		if err := s.open(); err != nil {
			t.Fatal(err)
		}
		if s.direct == nil {
			t.Skip("the file system of the temporary folder has no O_DIRECT")
		}
		if err := s.file.Sync(); err != nil { // dirty pages do not leave the cache
			t.Fatal(err)
		}
		if err := unix.Fadvise(int(s.file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
	}
	for round, want := range []bool{false, true} {
		cached := 0
		for n := range records {
			h := hashOf(n * 7919 % records) // in an order that nobody reads ahead in
			if _, _, err := l.d.Get(nil, h); err != nil {
				t.Fatal(err)
			}
			at, _ := l.d.index.Lookup(&h, false)
			if n >= settled && isCached(t, l.d.segs[at.seg].Load().file, int64(at.off)+8192) {
				cached++
			}
		}
		// One in some reads asks the page cache all the same, lest it be forgotten.
		if most := (records - settled) / 4; !want && cached > most || want && cached < records-settled-most {
			t.Errorf("round %d: %d of %d records are in the page cache, want %v", round+1, cached, records-settled, want)
		}
	}
}

// isCached tells whether the page cache has the page at off, without fetching it.
func isCached(t *testing.T, f *os.File, off int64) bool {
	t.Helper()
	page := int64(os.Getpagesize())
	m, err := unix.Mmap(int(f.Fd()), off&^(page-1), int(page), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	var in [1]byte
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(page), uintptr(unsafe.Pointer(&in))); errno != 0 {
		t.Fatal(errno)
	}
	return in[0]&1 != 0
}
