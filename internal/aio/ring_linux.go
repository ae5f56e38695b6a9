package aio

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringEntries is how many reads may be in flight; one more goes without the ring.
const ringEntries = 256

// ring is an io_uring for reads. Nobody runs in the background: of those who wait for a read, one at a time (the leader) waits
// for the ring to have news, and hands out to all what is theirs.
type ring struct {
	fd   int
	file *os.File // the same descriptor, known to Go's poller
	conn syscall.RawConn

	rings, sqes []byte // memory shared with the kernel

	submitMu sync.Mutex // guards the submission side and free
	sqTail   *uint32
	sqMask   uint32
	free     []uint16

	slots [ringEntries]slot

	lead           chan struct{} // holds a token while there is a leader; what follows is the leader's
	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []byte
}

// slot is a read in flight.
type slot struct {
	b    []byte     // what the kernel writes to, held here so that it stays
	done chan int32 // bytes read or a negative errno; never blocks who sends
}

var (
	errBusy = errors.New("io_uring: no room")
	errOld  = errors.New("io_uring: the kernel is too old")
)

func newRing() (*ring, error) {
	p := ringParams{flags: setupClamp}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, ringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &ring{fd: int(fd), lead: make(chan struct{}, 1)}
	if err := r.prepare(&p); err != nil {
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
	r.sqTail, r.sqMask = at(p.sq.tail), *at(p.sq.mask)
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
	for _, b := range [][]byte{r.rings, r.sqes} {
		if b != nil {
			_ = unix.Munmap(b) // it was mapped; there is nothing else to do with it
		}
	}
	if r.file == nil {
		_ = unix.Close(r.fd)
		return
	}
	_ = r.file.Close()
}

// read reads into b from off, once: it may return less than there is.
func (r *ring) read(fd int, b []byte, off int64) (int, error) {
	id, err := r.submit(fd, b, off)
	if err != nil {
		return 0, err
	}
	s := &r.slots[id]
	n := r.wait(s)
	s.b = nil
	r.submitMu.Lock()
	r.free = append(r.free, id)
	r.submitMu.Unlock()
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return int(n), nil
}

func (r *ring) submit(fd int, b []byte, off int64) (id uint16, err error) {
	r.submitMu.Lock()
	defer r.submitMu.Unlock()
	last := len(r.free) - 1
	if last < 0 {
		return 0, errBusy
	}
	id = r.free[last]
	r.slots[id].b = b
	tail := *r.sqTail
	*(*sqe)(unsafe.Pointer(&r.sqes[(tail&r.sqMask)*sqeSize])) = sqe{
		op: opRead, fd: int32(fd), off: uint64(off), addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))),
		size: uint32(min(len(b), 1<<30)), user: uint64(id),
	}
	atomic.StoreUint32(r.sqTail, tail+1)
	if err := r.enter(1, 0, 0); err != nil {
		atomic.StoreUint32(r.sqTail, tail) // the kernel looks at it only when it is entered
		r.slots[id].b = nil
		return 0, err
	}
	r.free = r.free[:last]
	return id, nil
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

// wait waits for the read of s.
func (r *ring) wait(s *slot) (n int32) {
	select {
	case n = <-s.done:
		return n
	case r.lead <- struct{}{}:
	}
	defer func() { <-r.lead }()
	// The poller asks the kernel whether there is news, and news that somebody else had taken meanwhile would be none: the
	// leader, who alone takes any, is woken for all that came after its last look.
	err := r.conn.Read(func(uintptr) (mine bool) {
		r.reap()
		select {
		case n = <-s.done:
			return true
		default:
			return false
		}
	})
	for err != nil { // the poller has let us down: wait in the kernel
		_ = r.enter(0, 1, enterGetEvents) // what has come is reaped in any case
		r.reap()
		select {
		case n = <-s.done:
			return n
		default:
		}
	}
	return n
}

// reap hands out what has come. The caller is the leader.
func (r *ring) reap() {
	head := *r.cqHead
	for tail := atomic.LoadUint32(r.cqTail); head != tail; head++ {
		c := (*cqe)(unsafe.Pointer(&r.cqes[(head&r.cqMask)*cqeSize]))
		r.slots[c.user].done <- c.res
	}
	atomic.StoreUint32(r.cqHead, head)
}

// readCached reads what the page cache has, without waiting for the device. wait: not all of it is there.
func readCached(fd int, b []byte, off int64) (n int, wait bool) {
	n, err := unix.Preadv2(fd, [][]byte{b}, off, unix.RWF_NOWAIT)
	return n, err != nil || n < len(b)
}
