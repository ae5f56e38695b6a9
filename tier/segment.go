package tier

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// segmentPageSize is bbolt's page size in a segment. Batches are single large values, so the page size costs nothing in
// reading; the smaller it is, the less a tiny commit writes.
const segmentPageSize = 4096

var (
	bucketMeta   = []byte("meta")
	bucketFooter = []byte("footer")
	keyHeader    = []byte("header")
	keyValue     = []byte("v")
)

// batchName is a batch's bucket: they sort by number.
func batchName(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte("batch-"), number) }

func parseBatchName(name []byte) (uint64, bool) {
	if len(name) != 14 || string(name[:6]) != "batch-" {
		return 0, false
	}
	return binary.BigEndian.Uint64(name[6:]), true
}

type segmentState int32

const (
	stateActive  segmentState = iota // the writer appends to it
	stateSealed                      // never changes again
	stateDamaged                     // sealed, and something in it did not open: first to be evicted
	stateDead                        // unlinked
)

// segment is one file. Reads take the read lock, so that closing waits for them; nothing else shares it.
type segment struct {
	fs     vfs.FS
	id     uint64
	slot   uint16
	stream int
	path   string
	sealer *crypto.Sealer

	state     atomic.Int32
	suspect   atomic.Bool  // something in it did not open while it was active
	left      atomic.Bool  // dead, but its file could not be removed yet
	maxExpiry atomic.Int64 // grows while active
	fileBytes atomic.Int64 // as du counts
	live      atomic.Int64 // records the index points to
	liveBytes atomic.Int64 // their size

	mu      sync.RWMutex // guards file; held for reading by every pread
	file    *os.File     // nil: closed for want of use, opened again when needed
	direct  *os.File     // the same, for reads past the page cache; nil: there are none
	gone    bool         // unlinked: never opened again
	files   *openFiles   // nil: nobody counts
	touched atomic.Bool  // read since the last round of closing

	// Fixed once the segment is sealed; until then the writer owns them under metaMu.
	metaMu  sync.Mutex
	batches []batchRef
	totals  totals
	born    time.Duration // engine uptime of the first commit, for the age at which it is sealed

	copies atomic.Pointer[copies] // what it may hold that the index does not know; nil: nothing, see leaveCopies

	dictionary       atomic.Pointer[dictionary] // nil: it has none, yet. It never changes from then on
	dictionaryStored bool                       // the writer's: it is in the file

	// db is the writer's, and open only while the segment is active. Reading through it (relocate) is safe beside the writer.
	dbMu sync.RWMutex
	db   *bolt.DB
}

func (s *segment) is(st segmentState) bool { return segmentState(s.state.Load()) == st }

// isGone tells whether the file is no more.
func (s *segment) isGone() bool { return s.is(stateDead) && !s.left.Load() }

func (s *segment) setState(st segmentState) { s.state.Store(int32(st)) }

func boltOptions(fs vfs.FS, readOnly bool, mmap int) *bolt.Options {
	return &bolt.Options{
		ReadOnly:        readOnly,
		PageSize:        segmentPageSize,
		FreelistType:    bolt.FreelistMapType,
		NoStatistics:    true,
		InitialMmapSize: mmap, // address space only: no commit waits for readers to let go of a map
		OpenFile:        fs.OpenFile,
		Timeout:         time.Second,
		// The free list is kept in the file (NoFreelistSync is off): without it, opening a damaged file for writing makes
		// bbolt walk its pages in a goroutine of its own, where a panic cannot be caught. It is one page here.
	}
}

// readAt reads into b from off. At the end of the file it may return less.
func (s *segment) readAt(b []byte, off int64) (int, error) { return s.readFrom(b, off, false) }

// readFrom is readAt; once says that what is read will hardly be read again soon.
func (s *segment) readFrom(b []byte, off int64, once bool) (int, error) {
	s.mu.RLock()
	for s.file == nil {
		if s.gone {
			s.mu.RUnlock()
			return 0, ErrNotFound
		}
		s.mu.RUnlock()
		if err := s.open(); err != nil {
			return 0, err
		}
		s.mu.RLock()
	}
	defer s.mu.RUnlock()
	if !s.touched.Load() { // it nearly always is, and many read it at once
		s.touched.Store(true)
	}
	var n int
	var err error
	if s.files == nil {
		n, err = s.file.ReadAt(b, off)
	} else {
		if s.files.watch != nil {
			s.files.watch()
		}
		direct := s.direct
		if !once {
			direct = nil
		}
		n, err = s.files.reader.ReadPast(s.file, direct, b, off)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// readIndex reads one batch index with one pread.
func (s *segment) readIndex(b batchRef) (*batchIndex, error) {
	x := new(batchIndex)
	return x, s.readIndexInto(x, b)
}

func (s *segment) readIndexInto(x *batchIndex, b batchRef) error {
	sealed := getBuffer(int(b.indexSize))
	defer putBuffer(sealed)
	n, err := s.readAt(*sealed, b.indexOff)
	if err != nil {
		return err
	}
	return x.open(s.sealer, b.number, (*sealed)[:n])
}

// view runs fn in a read transaction on the segment's file: the writer's own handle while it is active (pages is nil then), else
// a fresh read-only one. Everything in it may panic on a damaged file, hence the guard.
func (s *segment) view(fn func(tx *bolt.Tx, base uintptr, pages *boltPages) error) error {
	return guard(func() error {
		s.dbMu.RLock()
		defer s.dbMu.RUnlock()
		db := s.db
		var pages *boltPages
		if db == nil {
			var err error
			if pages, err = openPages(s.fs, s.path); err != nil {
				return err
			}
			defer pages.close()
			if db, err = openBolt(s.path, boltOptions(s.fs, true, 0)); err != nil {
				return err
			}
			defer db.Close()
		}
		base := db.Info().Data
		return db.View(func(tx *bolt.Tx) error { return fn(tx, base, pages) })
	})
}

// bucketIn is a bucket of the top level whose pages were looked at; nil: there is none.
func bucketIn(tx *bolt.Tx, pages *boltPages, name []byte) (*bolt.Bucket, error) {
	if pages != nil {
		if err := pages.check(name); err != nil {
			return nil, err
		}
	}
	return tx.Bucket(name), nil
}

// batchValue is a batch's bytes in the memory map, valid within the transaction, and their offset in the file.
func batchValue(tx *bolt.Tx, base uintptr, pages *boltPages, name []byte) ([]byte, int64, error) {
	b, err := bucketIn(tx, pages, name)
	if err != nil {
		return nil, 0, err
	}
	if b == nil {
		return nil, 0, fmt.Errorf("batch is missing: %w", ErrDamaged)
	}
	v := b.Get(keyValue)
	if len(v) < minBatch {
		return nil, 0, fmt.Errorf("batch is too short: %w", ErrDamaged)
	}
	// bbolt's memory map is the file, so a value's distance from the map's beginning is its offset in the file.
	return v, int64(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - base), nil
}

// locate finds where a committed batch lies.
func (s *segment) locate(number uint64) (ref batchRef, err error) {
	err = s.view(func(tx *bolt.Tx, base uintptr, pages *boltPages) error {
		ref, err = locateIn(tx, base, pages, number)
		return err
	})
	return ref, err
}

func locateIn(tx *bolt.Tx, base uintptr, pages *boltPages, number uint64) (batchRef, error) {
	v, off, err := batchValue(tx, base, pages, batchName(number))
	if err != nil {
		return batchRef{}, err
	}
	at, size, err := batchIndexRange(v[len(v)-batchTrailer:], int64(len(v)))
	if err != nil {
		return batchRef{}, err
	}
	return batchRef{number: number, off: off, size: int64(len(v)), indexOff: off + at, indexSize: size}, nil
}

// relocate reads n bytes that should lie at off again, through bbolt: the way that is right even if pages had moved.
func (s *segment) relocate(off int64, n int) ([]byte, error) {
	s.metaMu.Lock()
	batches := s.batches
	s.metaMu.Unlock()
	for _, ref := range batches {
		if off < ref.off || off >= ref.off+ref.size {
			continue
		}
		var out []byte
		err := s.view(func(tx *bolt.Tx, base uintptr, pages *boltPages) error {
			v, _, err := batchValue(tx, base, pages, batchName(ref.number))
			if err != nil {
				return err
			}
			from := off - ref.off
			if from > int64(len(v)) {
				return ErrDamaged
			}
			out = append(out, v[from:min(from+int64(n), int64(len(v)))]...)
			return nil
		})
		return out, err
	}
	return nil, ErrNotFound
}
