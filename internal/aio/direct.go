package aio

import (
	"os"
	"sync"
	"unsafe"
)

const (
	// directBlock is what reads past the page cache begin and end at: the largest that devices and file systems ask for.
	directBlock = 4096
	// directMost is how long a read may be to go past the page cache. What is longer would be copied once more.
	directMost = 32 << 10
)

// rooms are buffers that begin at a directBlock.
var rooms = sync.Pool{New: func() any {
	b := make([]byte, directMost+3*directBlock)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (directBlock - 1)
	b = b[skip : skip+directMost+2*directBlock : skip+directMost+2*directBlock]
	return &b
}}

// readDirect reads into b from off through a descriptor that is open with Direct: it reads the blocks around b elsewhere, and
// copies.
func (r *ring) readDirect(f *os.File, b []byte, off int64) (int, error) {
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	start := off &^ (directBlock - 1)
	skip := int(off - start)
	size := (skip + len(b) + directBlock - 1) &^ (directBlock - 1)
	n, err := r.read(int(f.Fd()), (*room)[:size], start)
	if err != nil || n < skip {
		return 0, err
	}
	return copy(b, (*room)[skip:n]), nil
}
