package tier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"stagecache/internal/vfs"
)

// bbolt follows what is written in a file's pages without asking: a page that leads back to itself makes it recurse until
// the process dies, and neither a recover nor a read-only mode helps. So a file's pages are looked at before bbolt sees them.
//
// A page begins with its own number (8 bytes), flags (2), count of elements (2) and overflow, the pages that follow on (4).
// Elements come next, 16 bytes each, with the distances to their keys and values.
const (
	boltHeader  = 16
	boltElement = 16
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	boltMeta    = 64 // bytes of a meta page that its checksum covers

	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltFreelist = 0x10
	boltBucket   = 0x01 // flag of a leaf's element
)

// boltPages is one file under inspection.
type boltPages struct {
	file    *os.File
	pages   uint64 // in the file
	used    uint64 // up to where bbolt has used it
	free    uint64 // page of the list of free pages
	seen    map[uint64]bool
	roots   map[string]uint64 // of the buckets of the top level that have pages of their own
	suspect bool              // one of the two meta pages does not prove itself: the newest commit may be missing
}

// errNeverHad is a file in which nothing was ever committed.
var errNeverHad = errors.New("nothing was committed yet")

// openBolt is bolt.Open for a file whose pages were looked at. Should it panic all the same, the file is closed, and with it
// bbolt's lock on it is gone.
func openBolt(path string, o *bolt.Options) (*bolt.DB, error) {
	var file *os.File
	open := o.OpenFile
	o.OpenFile = func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
		file, err = open(name, flag, perm)
		return file, err
	}
	done := false
	defer func() {
		if !done && file != nil {
			_ = file.Close() // the panic goes on
		}
	}()
	db, err := bolt.Open(path, 0o600, o)
	done = true
	return db, err
}

// CheckPages looks at all pages of a bbolt file, so that bbolt can be let loose on it (still under recover: this is thorough
// about what would kill the process, not about what is merely wrong).
func CheckPages(fsys vfs.FS, path string) error {
	p, err := openPages(fsys, path)
	if errors.Is(err, errNeverHad) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.close()
	for name := range p.roots {
		if err := p.check([]byte(name)); err != nil {
			return err
		}
	}
	return p.checkFree()
}

// openPages looks at the pages of the top level. What is below them is for check. errNeverHad: there is nothing to look at.
func openPages(fsys vfs.FS, path string) (*boltPages, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	p := &boltPages{file: f, seen: make(map[uint64]bool), roots: make(map[string]uint64)}
	info, err := f.Stat()
	if err == nil {
		p.pages = uint64(info.Size()) / segmentPageSize
		var root uint64
		if root, err = p.metas(); err == nil {
			err = p.tree(root, true)
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *boltPages) close() { _ = p.file.Close() } // it was only read

// check looks at the pages of a bucket of the top level; once for each.
func (p *boltPages) check(bucket []byte) error {
	if root, ok := p.roots[string(bucket)]; ok {
		return p.tree(root, false)
	}
	return nil // not there, or it lies in the top level's own page
}

func badPage(n uint64, what string) error { return fmt.Errorf("page %d: %s: %w", n, what, ErrDamaged) }

func (p *boltPages) read(off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := p.file.ReadAt(b, off); err != nil {
		if err == io.EOF {
			err = ErrDamaged
		}
		return nil, err
	}
	return b, nil
}

// metas reads the two meta pages; the good one with the higher transaction counts. It returns the root's page.
func (p *boltPages) metas() (root uint64, err error) {
	var good int
	var newest uint64
	fresh := true
	for n := range 2 {
		b := make([]byte, boltHeader+boltMeta)
		m, err := p.file.ReadAt(b, int64(n)*segmentPageSize)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if allZero(b[:m]) {
			continue
		}
		meta := b[boltHeader:]
		sum := fnv.New64a()
		sum.Write(meta[:boltMeta-8])
		u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
		if m < len(b) || u32(meta) != boltMagic || u32(meta[4:]) != boltVersion || u64(meta[boltMeta-8:]) != sum.Sum64() {
			fresh = false
			continue
		}
		if u32(meta[8:]) != segmentPageSize {
			return 0, badPage(uint64(n), "not our page size")
		}
		tx := u64(meta[48:])
		fresh = fresh && tx <= 1 // what bbolt makes a new file with
		if good++; good == 1 || tx > newest {
			newest = tx
			root, p.free, p.used = u64(meta[16:]), u64(meta[32:]), u64(meta[40:])
		}
	}
	switch {
	case fresh && (good == 2 || p.pages <= 4):
		return 0, errNeverHad
	case good == 0:
		return 0, badPage(0, "no good meta page")
	case p.used > p.pages:
		return 0, fmt.Errorf("file is cut short: %w", ErrDamaged)
	}
	p.suspect = good == 1
	return root, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// page reads the header of page n and marks its pages as used by what is being looked at.
func (p *boltPages) page(n uint64) (flags uint16, count int, size int64, err error) {
	if n < 2 || n >= p.used {
		return 0, 0, 0, badPage(n, "no such page")
	}
	b, err := p.read(int64(n)*segmentPageSize, boltHeader)
	if err != nil {
		return 0, 0, 0, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	if binary.NativeEndian.Uint64(b) != n || overflow >= p.used-n {
		return 0, 0, 0, badPage(n, "header is not its own")
	}
	for i := n; i <= n+overflow; i++ {
		if p.seen[i] {
			return 0, 0, 0, badPage(i, "used twice")
		}
		p.seen[i] = true
	}
	return binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:])), int64(overflow+1) * segmentPageSize, nil
}

func (p *boltPages) tree(n uint64, top bool) error {
	flags, count, size, err := p.page(n)
	if err != nil {
		return err
	}
	at := int64(n) * segmentPageSize
	if flags != boltBranch && flags != boltLeaf || flags == boltBranch && count == 0 || boltHeader+int64(count)*boltElement > size {
		return badPage(n, "neither branch nor leaf")
	}
	elements, err := p.read(at+boltHeader, count*boltElement)
	if err != nil {
		return err
	}
	for i := range count {
		e := elements[i*boltElement:]
		// Distances count from the element.
		from := boltHeader + int64(i)*boltElement
		if flags == boltBranch {
			if pos, ksize := u32at(e, 0), u32at(e, 4); from+pos+ksize > size {
				return badPage(n, "key beyond the page")
			}
			if err := p.tree(binary.NativeEndian.Uint64(e[8:]), top); err != nil {
				return err
			}
			continue
		}
		kind, pos, ksize, vsize := u32at(e, 0), u32at(e, 4), u32at(e, 8), u32at(e, 12)
		if from+pos+ksize+vsize > size {
			return badPage(n, "element beyond the page")
		}
		if kind&boltBucket == 0 {
			continue
		}
		b, err := p.read(at+from+pos, int(ksize+vsize))
		if err != nil {
			return err
		}
		if err := p.bucket(n, b[:ksize], b[ksize:], top); err != nil {
			return err
		}
	}
	return nil
}

func u32at(b []byte, at int) int64 { return int64(binary.NativeEndian.Uint32(b[at:])) }

// bucket looks at a bucket's value: the number of its root page and a counter, and, where that number is 0, a small page in place.
func (p *boltPages) bucket(n uint64, name, value []byte, top bool) error {
	if len(value) < 16 {
		return badPage(n, "bucket is too short")
	}
	root, inline := binary.NativeEndian.Uint64(value), value[16:]
	switch {
	case root != 0 && top:
		p.roots[string(name)] = root
		return nil
	case root != 0:
		return p.tree(root, false)
	}
	if len(inline) < boltHeader || binary.NativeEndian.Uint16(inline[8:]) != boltLeaf {
		return badPage(n, "no page in the bucket")
	}
	count := int(binary.NativeEndian.Uint16(inline[10:]))
	if boltHeader+count*boltElement > len(inline) {
		return badPage(n, "bucket is too short")
	}
	for i := range count {
		from := boltHeader + i*boltElement
		e := inline[from:]
		if int64(from)+u32at(e, 4)+u32at(e, 8)+u32at(e, 12) > int64(len(inline)) || u32at(e, 0)&boltBucket != 0 {
			return badPage(n, "element beyond the bucket")
		}
	}
	return nil
}

// checkFree looks at the list of free pages, after check has seen all buckets: none of them is in use, or bbolt would write
// over what is. Only who writes to the file needs it.
func (p *boltPages) checkFree() error {
	n := p.free
	flags, count, size, err := p.page(n)
	if err != nil {
		return err
	}
	if flags != boltFreelist {
		return badPage(n, "no list of free pages")
	}
	at, skip := int64(n)*segmentPageSize+boltHeader, int64(0)
	if count == 0xFFFF { // the number is too large for its field
		b, err := p.read(at, 8)
		if err != nil {
			return err
		}
		count, skip = int(min(binary.NativeEndian.Uint64(b), 1<<40)), 8
	}
	if boltHeader+skip+int64(count)*8 > size {
		return badPage(n, "free pages beyond the page")
	}
	b, err := p.read(at+skip, count*8)
	if err != nil {
		return err
	}
	for i := range count {
		id := binary.NativeEndian.Uint64(b[8*i:])
		if id < 2 || id >= p.used || p.seen[id] {
			return badPage(n, "a free page is in use")
		}
		p.seen[id] = true
	}
	return nil
}
