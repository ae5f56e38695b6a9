package tier

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// The parsers are internal, so their fuzz targets are here and not in package fuzz.

// allocates fails if fn takes much more memory than the input's size accounts for.
func allocates(t *testing.T, input int, fn func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if n, most := after.TotalAlloc-before.TotalAlloc, uint64(10*input+64<<10); n > most {
		t.Fatalf("%d bytes of input made it allocate %d", input, n)
	}
}

func fuzzSealer(f *testing.F) *crypto.Sealer {
	f.Helper()
	_, s, err := crypto.NewStageKey("s").NewSegment(1)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// FuzzRecordHeader: what is read as a record's header is exactly what writing it gives; no payload opens that was not sealed with
// that header.
func FuzzRecordHeader(f *testing.F) {
	s, stranger := fuzzSealer(f), fuzzSealer(f)
	for _, h := range []recordHeader{{}, {plain: true, codec: 255, hash: hashOf(1), seq: 1<<64 - 1, stamp: 7, expires: -1}, {blobSize: maxBlob}} {
		b, err := sealRecord(nil, s, &h, []byte("payload"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:recordHeaderSize])
		f.Add(b[:recordHeaderSize-1])
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{255}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h recordHeader
		var err error
		allocates(t, len(b), func() { h, err = parseRecordHeader(b) })
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if got := h.append(nil); !bytes.Equal(got, b[:recordHeaderSize]) {
			t.Fatalf("%x came back as %x", b[:recordHeaderSize], got)
		}
		allocates(t, len(b), func() {
			if out, err := openRecord([]byte("dst"), stranger, &h, b); err == nil || string(out) != "dst" {
				t.Fatalf("%x opened under a key that sealed nothing", b)
			}
		})
		if len(b) > recordHeaderSize && len(b) < 1<<16 {
			made, err := sealRecord(nil, s, &h, b[recordHeaderSize:])
			if errors.Is(err, crypto.ErrSealLimit) {
				return // a long run has used up this segment's key
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseRecordHeader(made)
			if err != nil || again != h {
				t.Fatalf("%+v came back as %+v, %v", h, again, err)
			}
			if out, err := openRecord(nil, s, &again, made); err != nil || !bytes.Equal(out, b[recordHeaderSize:]) {
				t.Fatalf("%v", err)
			}
		}
	})
}

// FuzzBatchIndex: what is read as an index comes back the same when it is written and read again.
func FuzzBatchIndex(f *testing.F) {
	x := &batchIndex{mark: 1000}
	f.Add(x.append(nil))
	x.entries = []indexEntry{{hashOf(1), 5, 3, 2000, 100, 50}, {hashOf(2), 4, 1 << 63, -5, maxBlob, 0}, {hashOf(3), 1<<64 - 1, 0, 1 << 62, 0, 1}}
	x.tombs = []tombstone{{hashOf(4), 9, 1 << 40}, {hashOf(5), 1<<64 - 1, -1}}
	x.labels.add(7, 1)
	x.labels.add(1<<64-1, 1<<32-1)
	x.labels.other = 3
	f.Add(x.append(nil))
	f.Add(x.append(nil)[:40])
	f.Add([]byte{batchVersion, 0, 255, 255, 255, 255, 255, 255, 255, 255, 127})
	f.Add([]byte{})
	used := &batchIndex{} // a loader reads one after another into it
	f.Fuzz(func(t *testing.T, b []byte) {
		var x, y batchIndex
		var err error
		allocates(t, len(b), func() { err = x.parse(b) })
		if uerr := used.parse(b); (uerr == nil) != (err == nil) {
			t.Fatalf("%v, and into a used one %v", err, uerr)
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if err := y.parse(x.append(nil)); err != nil {
			t.Fatalf("%+v does not come back: %v", x, err)
		}
		if !sameIndex(&x, &y) || !sameIndex(&x, used) {
			t.Fatalf("%+v came back as %+v, in a used one as %+v", x, y, used)
		}
	})
}

func sameIndex(x, y *batchIndex) bool {
	return x.mark == y.mark && x.labels.other == y.labels.other && len(x.entries) == len(y.entries) && len(x.tombs) == len(y.tombs) &&
		(len(x.entries) == 0 || reflect.DeepEqual(x.entries, y.entries)) && (len(x.tombs) == 0 || reflect.DeepEqual(x.tombs, y.tombs)) &&
		(len(x.labels.n) == 0 && len(y.labels.n) == 0 || reflect.DeepEqual(x.labels.n, y.labels.n))
}

// FuzzFooter: as FuzzBatchIndex, and no batch that it lists lies before the file's beginning or has an index outside of itself.
func FuzzFooter(f *testing.F) {
	t := totals{records: 3, dataBytes: 1000, rawBytes: 5000, maxExpiry: 1 << 50, minStamp: 1, maxStamp: 1 << 63, maxSeq: 1<<64 - 1, mark: -1}
	f.Add(appendFooter(nil, nil, &t))
	t.labels.add(1, 2)
	f.Add(appendFooter(nil, []batchRef{{1, 4096, 5000, 8000, 500}, {1 << 60, 1 << 40, 1 << 30, 1<<40 + 100, 1 << 20}}, &t))
	f.Add([]byte{footerVersion, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 1, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var refs []batchRef
		var sum totals
		var err error
		allocates(t, len(b), func() { refs, sum, err = parseFooter(b) })
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for _, r := range refs {
			if r.off < 0 || r.size < 0 || r.indexOff < r.off || r.indexSize < 0 || r.indexOff+r.indexSize > r.off+r.size || r.off+r.size < 0 {
				t.Fatalf("%+v passed", r)
			}
		}
		again, sumAgain, err := parseFooter(appendFooter(nil, refs, &sum))
		if err != nil || !reflect.DeepEqual(refs, again) || !reflect.DeepEqual(sum, sumAgain) {
			t.Fatalf("%+v %+v came back as %+v %+v, %v", refs, sum, again, sumAgain, err)
		}
	})
}

// FuzzBatchTrailer: an index that a trailer names lies within the batch, and before the trailer.
func FuzzBatchTrailer(f *testing.F) {
	s := fuzzSealer(f)
	b, err := finishBatch(make([]byte, 3000), s, 1, &batchIndex{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[len(b)-batchTrailer:], int64(len(b)))
	f.Add(b[len(b)-batchTrailer:], int64(20))
	f.Add([]byte{255, 255, 255, 255, 83, 67, 66, 49}, int64(1<<40))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, trailer []byte, total int64) {
		if total < 0 {
			return // no length of anything
		}
		off, size, err := batchIndexRange(trailer, total)
		if err == nil && (off < 0 || size < crypto.Overhead || off+size != total-batchTrailer) {
			t.Fatalf("%d bytes at %d of %d", size, off, total)
		}
	})
}

// FuzzSegmentName: a name that is read as a segment's is the one name of that segment.
func FuzzSegmentName(f *testing.F) {
	for _, s := range []string{segmentName(0), segmentName(1<<64 - 1), "seg-00000000000000AB.db", "seg-+000000000000001.db", "seg-0x00000000000001.db", "purges.db", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := parseSegmentName(s); ok && segmentName(id) != s {
			t.Fatalf("%q is read as %d, whose name is %q", s, id, segmentName(id))
		}
	})
}

// FuzzPages: a file whose pages pass can be walked by bbolt, which neither hangs nor dies of it; what is opened as a segment gives
// none but its records.
func FuzzPages(f *testing.F) {
	keys := crypto.NewStageKey("s")
	dir := f.TempDir()
	d, err := OpenDisk(dir, DiskOptions{Keys: keys, Capacity: 1 << 30, Now: func() int64 { return 1000 }, MaxAge: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 3 {
		if err := d.Put(Record{Hash: hashOf(n), Seq: uint64(n + 1), Expires: 1 << 40, Blob: blobOf(n, 100)}); err != nil {
			f.Fatal(err)
		}
		if err := d.Sync(); err != nil {
			f.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		f.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(16), []byte{0})                        // a meta page
	f.Add(uint16(2*segmentPageSize), []byte{2, 0})      // a page's number
	f.Add(uint16(2*segmentPageSize+8), []byte{1, 0, 9}) // kind and count
	f.Add(uint16(3*segmentPageSize+16), bytes.Repeat([]byte{255}, 64))
	f.Fuzz(func(t *testing.T, at uint16, change []byte) {
		b := bytes.Clone(file)
		copy(b[min(int(at), len(b)):], change)
		to := t.TempDir()
		path := filepath.Join(to, segmentName(1))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if CheckPages(vfs.OS, path) == nil {
			_ = guard(func() error {
				db, err := openBolt(path, boltOptions(vfs.OS, true, 0))
				if err != nil {
					return err
				}
				defer db.Close()
				return db.View(func(tx *bolt.Tx) error {
					return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
						return b.ForEach(func(k, v []byte) error { return nil })
					})
				})
			})
		}
		d, err := OpenDisk(to, DiskOptions{Keys: keys, Capacity: 1 << 30, Now: func() int64 { return 1000 }, MaxAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Discard()
		<-d.Loaded()
		missing := 0
		for n := range 3 {
			blob, _, err := d.Get(nil, hashOf(n))
			if err == nil && !bytes.Equal(blob, blobOf(n, 100)) {
				t.Fatalf("record %d: other bytes", n)
			}
			if err != nil {
				missing++
			}
		}
		if missing > 0 && d.Stats().Quarantined == 0 {
			t.Fatalf("%d records are missing and nothing is counted", missing)
		}
	})
}
