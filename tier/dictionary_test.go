package tier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// commonCodec packs with dictionaries, and counts how often it does.
type commonCodec struct {
	plainCodec
	made, used *atomic.Int64
}

func newCommonCodec() commonCodec {
	return commonCodec{made: new(atomic.Int64), used: new(atomic.Int64)}
}

func (c commonCodec) NewDictionary(content []byte) Dictionary {
	c.made.Add(1)
	return commonDictionary{s2.MakeDict(content, nil), c.used}
}

type commonDictionary struct {
	d    *s2.Dict
	used *atomic.Int64
}

func (c commonDictionary) Encode(dst, src []byte) []byte {
	c.used.Add(1)
	return append(dst, c.d.Encode(nil, src)...)
}

func (c commonDictionary) Decode(dst, src []byte, size int) ([]byte, error) {
	out, err := c.d.Decode(nil, src)
	if err != nil || len(out) != size {
		return dst, errors.Join(ErrDamaged, err)
	}
	return append(dst, out...), nil
}

// alike are blobs of one kind with little in common inside each; two kinds have nothing in common.
func alike(kind, n int) []byte {
	r := rand.New(rand.NewPCG(uint64(kind), 7))
	var b []byte
	for i := range 30 {
		b = fmt.Appendf(b, "%x:%d,", r.Uint64(), (n*(i+3))%97)
	}
	return b
}

// putAlike puts records from up to to, and says what they are.
func putAlike(l *life, kind, from, to int) {
	l.t.Helper()
	for n := from; n < to; n++ {
		r := Record{Hash: hashOf(n), Seq: uint64(n + 1), Expires: l.now.Load() + 3_000_000, Plain: n%16 == 5, Blob: alike(kind, n)}
		if err := l.d.Put(r); err != nil {
			l.t.Fatalf("put %d: %v", n, err)
		}
		if n%100 == 99 {
			l.sync()
		}
	}
	l.sync()
}

// wantAlike checks that they are there, and how many of them are packed with a dictionary.
func wantAlike(l *life, kind, from, to int) (packed int) {
	l.t.Helper()
	for n := from; n < to; n++ {
		h := hashOf(n)
		got, f, err := l.d.Get(nil, h)
		if err != nil || !bytes.Equal(got, alike(kind, n)) {
			l.t.Fatalf("record %d: %d bytes, %v", n, len(got), err)
		}
		if head := l.header(f.at); head.codec == codecDictionary {
			packed++
			if head.plain {
				l.t.Fatalf("record %d lies open and is packed with what others contain", n)
			}
		}
	}
	return packed
}

func (l *life) header(at loc) recordHeader {
	l.t.Helper()
	b := make([]byte, recordHeaderSize)
	if _, err := l.d.segs[at.seg].Load().readAt(b, int64(at.off)); err != nil {
		l.t.Fatal(err)
	}
	h, err := parseRecordHeader(b)
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

func withDictionaries(o *DiskOptions) {
	o.Codec, o.Block, o.QueueBytes, o.SegmentSize = newCommonCodec(), true, 512<<10, 1<<20
}

const trained = 3000 // records of alike after which there is a dictionary, and segments that have it

func TestSegmentsCarryTheirDictionary(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, 2*trained)
	if packed := wantAlike(l, 1, trained, 2*trained); packed < trained*8/10 {
		t.Fatalf("%d of %d records are packed with a dictionary", packed, trained)
	}
	if n := l.d.dictionaryBytes(); n != 2*dictionarySize {
		t.Errorf("dictionaries take %d bytes, want those of one", n)
	}
	l.reopen()
	if packed := wantAlike(l, 1, trained, 2*trained); packed < trained*8/10 {
		t.Fatalf("%d of %d records are packed with a dictionary after a start", packed, trained)
	}
	if n := l.d.dictionaryBytes(); n != 2*dictionarySize {
		t.Errorf("dictionaries take %d bytes after a start, want those of one: segments share it", n)
	}
	made := l.d.o.Codec.(commonCodec).made.Load()
	putAlike(l, 1, 2*trained, 3*trained)
	if packed := wantAlike(l, 1, 2*trained, 3*trained); packed < trained*8/10 {
		t.Errorf("%d of %d records are packed with the dictionary that was there at the start", packed, trained)
	}
	l.crash() // what is active has its dictionary as well
	l.open()
	wantAlike(l, 1, 0, 3*trained)
	if again := l.d.o.Codec.(commonCodec).made.Load(); again > 2+made {
		t.Errorf("%d dictionaries made, %d before: not shared", again, made)
	}

	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	c, err := Verify(l.dir, l.keys, newCommonCodec())
	if err != nil || len(c.Damaged) > 0 || c.Records < 3*trained {
		t.Errorf("verify: %d records, %v, %v", c.Records, c.Damaged, err)
	}
}

// Starts do not make a dictionary younger: what it is made of would be handed on for ever.
func TestADictionaryAgesAcrossStarts(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, trained)
	if l.d.dictionary.Load() == nil {
		t.Fatal("no dictionary")
	}
	for minutes := time.Duration(20); minutes <= 40; minutes += 20 {
		l.now.Add((20 * time.Minute).Milliseconds())
		l.reopen()
		dict := l.d.dictionary.Load()
		if dict == nil {
			t.Fatal("the dictionary is not handed on")
		}
		if age := l.d.uptime() - dict.born; age < minutes*time.Minute || age >= (minutes+1)*time.Minute {
			t.Errorf("it counts as %v old after %d minutes", age, minutes)
		}
	}
}

// Nothing of a dictionary lies open: there is no plain record here that could show it.
func TestADictionaryIsSealed(t *testing.T) {
	l := newLife(t, withDictionaries)
	for n := range trained {
		if err := l.d.Put(Record{Hash: hashOf(n), Seq: uint64(n + 1), Expires: l.now.Load() + 3_000_000, Blob: alike(1, n)}); err != nil {
			t.Fatal(err)
		}
	}
	l.sync()
	if packed := wantAlike(l, 1, 0, trained); packed == 0 {
		t.Fatal("no dictionary is used")
	}
	marker := alike(1, 0)[:16]
	for _, f := range segmentFiles(t, l.dir) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, marker) {
			t.Errorf("%s shows a piece of a record", f)
		}
	}
}

// A tenth better is what a dictionary must be; blobs that have nothing in common get none.
func TestNoDictionaryWhereItDoesNotPay(t *testing.T) {
	l := newLife(t, withDictionaries)
	for n := range trained {
		l.mustPut(n, uint64(n+1), 700, time.Hour)
	}
	l.sync()
	if l.d.dictionary.Load() != nil {
		t.Error("noise has a dictionary")
	}
	for _, s := range l.d.segments() {
		if s.dictionary.Load() != nil {
			t.Error("a segment has one")
		}
	}
	if l.d.o.Codec.(commonCodec).made.Load() == 0 {
		t.Error("none was tried")
	}
}

// What was packed with one dictionary and comes into a segment with another one, or with none, is packed again.
func TestRecordsMoveBetweenDictionaries(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, 2*trained)
	first := l.d.dictionary.Load()
	if first == nil {
		t.Fatal("no dictionary")
	}
	for _, next := range []*dictionary{nil, l.d.newDictionary(bytes.Repeat(alike(2, 0), 20))} {
		l.d.dictionary.Store(next)
		l.d.writerMu.Lock()
		l.d.sealAll()
		l.d.writerMu.Unlock()
		if _, err := l.d.Compact(context.Background(), func(SegmentInfo) bool { return true }, keepAll, nil); err != nil {
			t.Fatal(err)
		}
		wantAlike(l, 1, 0, 2*trained)
		for _, s := range l.d.segments() {
			if s.dictionary.Load() == first {
				t.Fatal("a segment still has the first dictionary: nothing moved")
			}
		}
	}
	l.reopen()
	wantAlike(l, 1, 0, 2*trained)
}

// Records wait, packed with a dictionary, while it is replaced.
func TestADictionaryChangesUnderTheQueue(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, trained)
	for round := range 4 {
		from := trained + round*200
		for n := from; n < from+200; n++ {
			if err := l.d.Put(Record{Hash: hashOf(n), Seq: uint64(n + 1), Expires: l.now.Load() + 3_000_000, Blob: alike(1, n)}); err != nil {
				t.Fatal(err)
			}
		}
		l.d.dictionary.Store(l.d.newDictionary(bytes.Repeat(alike(1+round%2, round), 30)))
		l.d.writerMu.Lock()
		l.d.sealAll()
		l.d.writerMu.Unlock()
		l.sync()
	}
	wantAlike(l, 1, 0, trained+800)
	l.crash()
	l.open()
	wantAlike(l, 1, 0, trained+800)
}

// Pieces of old records are not handed on for ever.
func TestADictionaryGrowsOld(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, trained)
	first := l.d.dictionary.Load()
	if first == nil {
		t.Fatal("no dictionary")
	}
	l.now.Add(dictionaryLife.Milliseconds())
	putAlike(l, 1, trained, 2*trained)
	for _, s := range l.d.segments() {
		if s.born >= dictionaryLife && s.dictionary.Load() == first {
			t.Errorf("segment %d got a dictionary of an hour ago", s.id)
		}
	}
	second := l.d.dictionary.Load()
	if second == nil || second == first {
		t.Errorf("there is no new one (%v)", second == first)
	}
	wantAlike(l, 1, trained, 2*trained)
}

// A damaged dictionary costs what was packed with it, counted, and nothing else.
func TestADamagedDictionary(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, trained)
	l.d.writerMu.Lock()
	l.d.sealAll()
	l.d.writerMu.Unlock()
	var victim *segment
	for _, s := range l.d.segments() {
		if s.dictionary.Load() != nil {
			victim = s
		}
	}
	if victim == nil {
		t.Fatal("no segment has a dictionary")
	}
	var off, size int
	if err := victim.view(func(tx *bolt.Tx, base uintptr, _ *boltPages) error {
		v := tx.Bucket(bucketDictionary).Get(keyValue)
		off, size = int(uintptr(unsafe.Pointer(unsafe.SliceData(v)))-base), len(v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	path := victim.path
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := off; at < off+size; at += size / rounds(3, 6, 400) {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l.open()
		if q := l.d.Stats().Quarantined; q == 0 {
			t.Errorf("byte %d of the dictionary: not counted", at-off)
		}
		missing := 0
		for n := range trained {
			got, _, err := l.d.Get(nil, hashOf(n))
			switch {
			case errors.Is(err, ErrNotFound):
				missing++
			case err != nil || !bytes.Equal(got, alike(1, n)):
				t.Fatalf("byte %d of the dictionary: record %d: %d bytes, %v", at-off, n, len(got), err)
			}
		}
		if missing == 0 || missing == trained {
			t.Errorf("byte %d of the dictionary: %d of %d records are missing", at-off, missing, trained)
		}
		l.d.Discard()
		l.d = nil
	}
	b := bytes.Clone(whole)
	b[off+size/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(l.dir, l.keys, newCommonCodec()); err != nil || len(c.Damaged) < 2 {
		t.Errorf("verify: %d findings, %v", len(c.Damaged), err)
	}
}

// A crash at any operation around a dictionary's first use: what is there after it is what was put.
func TestCrashAroundADictionary(t *testing.T) {
	keys := crypto.NewStageKey("s")
	content := bytes.Repeat(alike(1, 0), 30)
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
		for k := int64(1); ; k++ {
			fs := &vfs.Faulty{FS: vfs.OS, Hook: vfs.CrashAt(k, verdict)}
			l := &life{t: t, dir: scratch(t), keys: keys}
			l.change = func(o *DiskOptions) { withDictionaries(o); o.FS = fs }
			l.now.Store(lifeBegins)
			l.open()
			l.d.dictionary.Store(l.d.newDictionary(content))
			const records = 600
			for n := range records {
				_ = l.d.Put(Record{Hash: hashOf(n), Seq: uint64(n + 1), Expires: l.now.Load() + 3_000_000, Blob: alike(1, n)}) // dropped from the crash on
				if n%200 == 199 {
					_ = l.d.Sync()
				}
			}
			done := fs.Operations() < k
			l.d.Discard()
			l.change = func(o *DiskOptions) { withDictionaries(o); o.FS = vfs.OS }
			l.open()
			there := 0
			for n := range records {
				got, _, err := l.d.Get(nil, hashOf(n))
				if err == nil && bytes.Equal(got, alike(1, n)) {
					there++
				} else if !errors.Is(err, ErrNotFound) {
					t.Fatalf("operation %d: record %d: %d bytes, %v", k, n, len(got), err)
				}
			}
			if q := l.d.Stats().Quarantined; q != 0 && verdict == vfs.Fail {
				t.Errorf("operation %d: %d segments damaged", k, q)
			}
			packed := 0
			if done {
				packed = wantAlike(l, 1, 0, records)
			}
			if err := l.close(); err != nil {
				t.Fatal(err)
			}
			if done {
				if packed == 0 || there != records {
					t.Fatalf("without a crash %d records are there, %d packed with the dictionary", there, packed)
				}
				break
			}
		}
	}
}
