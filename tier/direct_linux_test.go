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
			at, _ := l.d.index.Lookup(&h)
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

// A start reads what says where records are, never the records: it takes no longer because they are large. What it has read is in the page
// cache afterwards, with what the system reads ahead.
func TestAStartReadsNoData(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		l := newLife(t, func(o *DiskOptions) { o.SegmentSize = 16 << 20 })
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		l.dir = t.TempDir() // pages of /dev/shm are always in memory
		l.open()
		const records, size = 400, 100_000
		for n := range records {
			l.mustPut(n, uint64(n+1), size, time.Hour)
			if n%40 == 39 {
				l.sync()
			}
		}
		if crashed {
			to := t.TempDir()
			l.d.writerMu.Lock()
			if err := os.CopyFS(to, os.DirFS(l.dir)); err != nil {
				t.Fatal(err)
			}
			l.d.writerMu.Unlock()
			l.d.Discard()
			l.dir = to
		} else if err := l.close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range segmentFiles(t, l.dir) {
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil { // dirty pages do not leave the cache
				t.Fatal(err)
			}
			if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			if n, of := cachedPages(t, f); n > of/10 {
				t.Skipf("the file system of the temporary folder keeps %d of %d pages in memory", n, of)
			}
			f.Close()
		}
		l.open()
		read, all := 0, 0
		for _, name := range segmentFiles(t, l.dir) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			n, of := cachedPages(t, f)
			read, all = read+n, all+of
			f.Close()
		}
		t.Logf("crashed %v: %d of %d pages were read", crashed, read, all)
		if all*os.Getpagesize() < records*size || read > all/4 {
			t.Errorf("crashed %v: a start read %d of %d pages", crashed, read, all)
		}
		for n := range records {
			l.wantSeq(n, uint64(n+1), "after the start")
		}
	}
}

// cachedPages counts a file's pages that are in the page cache, and all of them.
func cachedPages(t *testing.T, f *os.File) (cached, all int) {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	in := make([]byte, (len(m)+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&in[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, b := range in {
		cached += int(b & 1)
	}
	return cached, len(in)
}
