package aio

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Direct opens a file for reads past the page cache.
const Direct = unix.O_DIRECT

// ringEntries is how many reads may be in flight; one more goes without the ring.
const ringEntries = 256

// much is how many reads in flight keep a device busy for the moment that the next ones wait for each other.
const much = 8

// enough is how many reads are worth telling the kernel of, however much is in flight: with fewer a device does not hear of all
// that it could work on.
const enough = 4

// ring is an io_uring for reads. Who has something to read leaves it on a list. While little is in flight, the first on the list
// lets everybody else run who can, and then tells the kernel of all that came together. While much is in flight, that is left
// to whoever next sees that some of it has come.
//
// What has been read is handed out by whoever sees it first: a goroutine that Go's poller wakes, or a reader who comes by. The
// poller alone would not do: while all processors are busy it is asked once in 10 ms.
type ring struct {
	fd      int
	file    *os.File // the same descriptor, known to Go's poller
	conn    syscall.RawConn
	closing atomic.Bool
	done    chan struct{} // closed when watch has ended

	rings, sqes []byte // memory shared with the kernel

	listMu sync.Mutex
	free   []uint16     // guarded by listMu: slots
	list   []uint16     // guarded by listMu: slots whose read the kernel has not been told of
	told   bool         // guarded by listMu: somebody is about to
	flying atomic.Int32 // reads that the kernel was told of and that nobody has seen come; grows under submitMu
	deaf   bool         // guarded by listMu: the poller does not work, so nothing more is read

	submitMu sync.Mutex // guards the submission side
	batch    []uint16   // guarded by submitMu: what is being submitted
	sqHead   *uint32
	sqTail   *uint32
	sqMask   uint32

	slots [ringEntries]slot

	reapMu         sync.Mutex // guards cqHead
	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []byte
}

// slot is a read in flight.
type slot struct {
	fd   int
	off  int64
	b    []byte     // what the kernel writes to, held here so that it stays
	done chan int32 // bytes read or a negative errno; never blocks who sends
}

var (
	errBusy = errors.New("io_uring: no room")
	errOld  = errors.New("io_uring: the kernel is too old")
)

func newRing() (*ring, error) {
	r, err := makeRing()
	if err == nil {
		go r.watch()
	}
	return r, err
}

// makeRing is newRing without watch.
func makeRing() (*ring, error) {
	p := ringParams{flags: setupClamp}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, ringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &ring{fd: int(fd), done: make(chan struct{})}
	if err := r.prepare(&p); err != nil {
		close(r.done)
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ring) prepare(p *ringParams) (err error) {
	// The completion side has at least as many entries as the other, so it never overflows.
	if p.features&featNeeded != featNeeded || p.sqEntries < ringEntries || p.cqEntries < ringEntries {
		return errOld
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*cqeSize)
	if r.rings, err = r.share(offRings, size); err != nil {
		return err
	}
	if r.sqes, err = r.share(offSQEs, p.sqEntries*sqeSize); err != nil {
		return err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[off])) }
	r.sqHead, r.sqTail, r.sqMask = at(p.sq.head), at(p.sq.tail), *at(p.sq.mask)
	r.cqHead, r.cqTail, r.cqMask = at(p.cq.head), at(p.cq.tail), *at(p.cq.mask)
	r.cqes = r.rings[p.cq.cqes:]
	for i := range p.sqEntries {
		*at(p.sq.array + 4*i) = i // entry n is always at place n
	}
	for i := range r.slots {
		r.slots[i].done = make(chan int32, 1)
		r.free = append(r.free, uint16(i))
	}
	if err := unix.SetNonblock(r.fd, true); err != nil { // else os.NewFile would not tell the poller
		return err
	}
	r.file = os.NewFile(uintptr(r.fd), "io_uring")
	if err := r.file.SetReadDeadline(time.Time{}); err != nil {
		return err // the poller does not take it
	}
	r.conn, err = r.file.SyscallConn()
	return err
}

func (r *ring) share(off int64, size uint32) ([]byte, error) {
	b, err := unix.Mmap(r.fd, off, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	return b, os.NewSyscallError("mmap", err)
}

// close frees the ring. No read is in flight.
func (r *ring) close() {
	r.closing.Store(true)
	if r.file != nil {
		_ = r.file.Close() // which ends watch
	} else {
		_ = unix.Close(r.fd)
	}
	<-r.done
	for _, b := range [][]byte{r.rings, r.sqes} {
		if b != nil {
			_ = unix.Munmap(b) // it was mapped; there is nothing else to do with it
		}
	}
}

// read reads into b from off, once: it may return less than there is.
func (r *ring) read(fd int, b []byte, off int64) (int, error) {
	r.listMu.Lock()
	last := len(r.free) - 1
	if last < 0 || r.deaf {
		r.listMu.Unlock()
		return 0, errBusy
	}
	id := r.free[last]
	r.free = r.free[:last]
	s := &r.slots[id]
	s.fd, s.off, s.b = fd, off, b
	r.list = append(r.list, id)
	// With much in flight some will come soon, and who sees it looks at the list after that.
	mine := !r.told && (r.flying.Load() < much || len(r.list) >= enough)
	r.told = r.told || mine
	r.listMu.Unlock()
	if mine {
		// Whoever else can run now will soon want something too, and one call for all costs the device's driver one notice.
		runtime.Gosched()
		r.submit()
	}
	n := <-s.done
	s.b = nil
	r.listMu.Lock()
	r.free = append(r.free, id)
	r.listMu.Unlock()
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return int(n), nil
}

// submit tells the kernel of what is on the list, until nothing is.
func (r *ring) submit() {
	for {
		failed := r.submitOnce()
		if some := r.reap(); !some && !failed || !r.left() {
			return
		}
	}
}

// left tells whether there is something on the list that nobody else sees to. If so, the caller must.
func (r *ring) left() bool {
	r.listMu.Lock()
	defer r.listMu.Unlock()
	if len(r.list) == 0 || r.told {
		return false
	}
	r.told = true
	return true
}

// submitOnce tells whether some of it failed.
func (r *ring) submitOnce() (failed bool) {
	r.submitMu.Lock()
	defer r.submitMu.Unlock()
	r.listMu.Lock()
	r.batch, r.list, r.told = r.list, r.batch[:0], false
	r.listMu.Unlock()
	if len(r.batch) == 0 {
		return false
	}
	tail := *r.sqTail // there is room: no more than the slots are ever on their way
	for _, id := range r.batch {
		s := &r.slots[id]
		*(*sqe)(unsafe.Pointer(&r.sqes[(tail&r.sqMask)*sqeSize])) = sqe{
			op: opRead, fd: int32(s.fd), off: uint64(s.off), addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.b)))),
			size: uint32(min(len(s.b), 1<<30)), user: uint64(id),
		}
		tail++
	}
	atomic.StoreUint32(r.sqTail, tail)
	r.flying.Add(int32(len(r.batch))) // before any of it can come
	if err := r.enter(uintptr(len(r.batch)), 0, 0); err != nil {
		// What the kernel has not taken it looks at only when it is entered again. Those who wait for it read otherwise.
		head := atomic.LoadUint32(r.sqHead)
		left := int(tail - head)
		atomic.StoreUint32(r.sqTail, head)
		r.flying.Add(-int32(left))
		for _, id := range r.batch[len(r.batch)-left:] {
			r.slots[id].done <- -int32(unix.EAGAIN)
		}
		failed = true
	}
	return failed
}

func (r *ring) enter(submit, complete, flags uintptr) error {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), submit, complete, flags, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return os.NewSyscallError("io_uring_enter", errno)
		case n < submit:
			return errBusy
		default:
			return nil
		}
	}
}

// watch reaps whenever the poller has news, until the ring is closed.
func (r *ring) watch() {
	defer close(r.done)
	_ = r.conn.Read(func(uintptr) bool {
		if r.reap() {
			runtime.Gosched() // those who were waiting will want the next
		}
		if r.left() {
			r.submit()
		}
		return r.closing.Load()
	})
	if r.closing.Load() {
		return
	}
	// The poller has let us down. Who waits already gets what is theirs; nobody else comes.
	for all := false; !all; time.Sleep(time.Millisecond) {
		if r.reap(); r.left() {
			r.submit()
		}
		r.listMu.Lock()
		r.deaf = true
		all = len(r.free) == ringEntries
		r.listMu.Unlock()
	}
}

// news tells whether there is something to reap. It is for those who come by.
func (r *ring) news() bool { return atomic.LoadUint32(r.cqTail) != atomic.LoadUint32(r.cqHead) }

// comeBy is for readers who have something else to do here.
func (r *ring) comeBy() {
	if r.news() && r.reap() && r.left() {
		r.submit()
	}
}

// reap hands out what has come, unless somebody else is at it: who looks again once they are done, so that nothing is left behind.
// Who has reaped must look whether something is left.
func (r *ring) reap() (some bool) {
	for r.news() && r.reapMu.TryLock() {
		some = true
		r.reapLocked()
		r.reapMu.Unlock()
	}
	return some
}

func (r *ring) reapLocked() {
	head := *r.cqHead
	for tail := atomic.LoadUint32(r.cqTail); head != tail; head++ {
		c := (*cqe)(unsafe.Pointer(&r.cqes[(head&r.cqMask)*cqeSize]))
		r.flying.Add(-1)
		r.slots[c.user].done <- c.res
	}
	atomic.StoreUint32(r.cqHead, head)
}

// readCached reads what the page cache has, without waiting for the device. wait: not all of it is there.
func readCached(fd int, b []byte, off int64) (n int, wait bool) {
	n, err := unix.Preadv2(fd, [][]byte{b}, off, unix.RWF_NOWAIT)
	return n, err != nil || n < len(b)
}
