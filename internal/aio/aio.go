package aio

import (
	"io"
	"os"
	"sync"
)

// Reader reads from any number of files. The zero value is ready to use. All methods may be called from many goroutines.
type Reader struct {
	once sync.Once
	ring *ring // nil: plain reads
}

// ReadAt is f.ReadAt. f must not be closed, nor the Reader, before it returns.
func (r *Reader) ReadAt(f *os.File, b []byte, off int64) (int, error) {
	if len(b) == 0 || off < 0 {
		return f.ReadAt(b, off) // nothing to wait for
	}
	fd := int(f.Fd())
	n, wait := readCached(fd, b, off)
	if !wait {
		return r.rest(f, b, n, off)
	}
	r.once.Do(func() { r.ring, _ = newRing() }) // without one, reads are plain
	if r.ring == nil {
		return f.ReadAt(b, off)
	}
	n, err := r.ring.read(fd, b, off)
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
	if r.ring != nil {
		r.ring.close()
		r.ring = nil
	}
}
