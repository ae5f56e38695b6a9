package aio

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Reader reads from any number of files. The zero value is ready to use. All methods may be called from many goroutines.
type Reader struct {
	once sync.Once
	ring atomic.Pointer[ring] // nil: plain reads
	// cold grows by each read that had to wait for the device, and shrinks by each other. From coldFrom on most of them do, and the page
	// cache is not asked first, which would be a call in vain, but by one in probe. Updates that are lost in a race do no harm.
	cold  atomic.Int32
	count atomic.Uint32
}

const (
	coldFrom = 16
	coldMost = 24
	probe    = 16
)

// ReadAt is f.ReadAt. f must not be closed, nor the Reader, before it returns.
func (r *Reader) ReadAt(f *os.File, b []byte, off int64) (int, error) {
	return r.ReadPast(f, nil, b, off)
}

// ReadPast is ReadAt for what will hardly be read again soon: while most reads have to wait for the device, it is read past the page
// cache, from direct, which is the same file opened with Direct. That is less work for the kernel, and does not push out what
// others read. direct may be nil.
func (r *Reader) ReadPast(f, direct *os.File, b []byte, off int64) (int, error) {
	if len(b) == 0 || off < 0 {
		return f.ReadAt(b, off) // nothing to wait for
	}
	fd := int(f.Fd())
	ring := r.ring.Load()
	if ring != nil {
		ring.comeBy()
	}
	if cold := r.cold.Load(); cold < coldFrom || ring == nil || r.count.Add(1)%probe == 0 {
		n, wait := readCached(fd, b, off)
		if !wait {
			if cold > 0 {
				r.cold.Store(cold - 1)
			}
			return r.rest(f, b, n, off)
		}
		if cold < coldMost {
			r.cold.Store(cold + 1)
		}
		direct = nil // the question alone makes the kernel fetch the page into the cache
	}
	if ring == nil {
		r.once.Do(func() {
			if made, err := newRing(); err == nil { // without one, reads are plain
				r.ring.Store(made)
			}
		})
		if ring = r.ring.Load(); ring == nil {
			return f.ReadAt(b, off)
		}
	}
	if direct != nil && len(b) <= directMost {
		if n, err := ring.readDirect(direct, b, off); err == nil {
			return r.rest(f, b, n, off)
		}
	}
	n, err := ring.read(fd, b, off)
	if err != nil {
		return f.ReadAt(b, off) // no room in the ring, or it fails: the plain read tells what is wrong with the file
	}
	return r.rest(f, b, n, off)
}

// rest reads what is missing after n bytes, or finds out that the file ends there.
func (*Reader) rest(f *os.File, b []byte, n int, off int64) (int, error) {
	if n == len(b) {
		return n, nil
	}
	m, err := f.ReadAt(b[n:], off+int64(n))
	if n+m == len(b) {
		err = nil
	} else if err == nil {
		err = io.ErrUnexpectedEOF // not what an os.File does
	}
	return n + m, err
}

// Close frees the ring. No read may be in progress, and none may follow.
func (r *Reader) Close() {
	r.once.Do(func() {})
	if ring := r.ring.Swap(nil); ring != nil {
		ring.close()
	}
}
