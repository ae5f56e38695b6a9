package tier

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// watchedCodec tells what is encoded: every blob of blobOf is told by its beginning.
type watchedCodec struct {
	mu    sync.Mutex
	times map[string]int // guarded by mu
	seen  chan struct{}  // one for each blob, if there is room
}

func newWatchedCodec() *watchedCodec {
	return &watchedCodec{times: make(map[string]int), seen: make(chan struct{}, 10_000)}
}

func (c *watchedCodec) count(blob []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times[string(blob[:32])]
}

// Encode turns a blob round, so that one that was not decoded is not taken for one that was.
func (c *watchedCodec) Encode(dst, src []byte) ([]byte, uint8) {
	c.mu.Lock()
	c.times[string(src[:32])]++
	c.mu.Unlock()
	select {
	case c.seen <- struct{}{}:
	default:
	}
	return turned(dst, src), 1
}

func (c *watchedCodec) Decode(dst, src []byte, how uint8, size int) ([]byte, error) {
	switch {
	case len(src) != size || how > 1:
		return dst, ErrDamaged
	case how == 0:
		return append(dst, src...), nil
	}
	return turned(dst, src), nil
}

func turned(dst, src []byte) []byte {
	for i := len(src) - 1; i >= 0; i-- {
		dst = append(dst, src[i])
	}
	return dst
}

// What waits is encoded while the commit of what came before has not returned.
func TestEncodingBesideACommit(t *testing.T) {
	codec := newWatchedCodec()
	l := newLife(t, func(o *DiskOptions) { o.Codec = codec })
	l.mustPut(0, 1, 1000, time.Hour)
	l.sync() // the segment is there
	<-codec.seen
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l.faults(func(_ int64, op, _ string) vfs.Verdict {
		if op == "commit" {
			once.Do(func() { close(held); <-release })
		}
		return vfs.Pass
	})
	l.mustPut(1, 2, 1000, time.Hour)
	synced := make(chan error, 1)
	go func() { synced <- l.d.Sync() }()
	<-held
	<-codec.seen // the record that is being committed
	const more = 4 * chunkBytes / 1000
	for n := range more {
		l.mustPut(10+n, uint64(10+n), 1000, time.Hour)
	}
	for range 3 * chunkBytes / 1200 { // of full chunks, with what a record counts besides its blob
		<-codec.seen // forever, if the writer alone encoded: it is held
	}
	close(release)
	if err := <-synced; err != nil {
		t.Fatal(err)
	}
	l.reopen()
	for n := range more {
		l.wantSeq(10+n, uint64(10+n), "encoded beside a commit")
	}
}

// However puts, syncs and helpers meet, each record is encoded once and comes back.
func TestRecordsAreEncodedOnce(t *testing.T) {
	codec := newWatchedCodec()
	l := newLife(t, func(o *DiskOptions) { o.Codec, o.Block, o.QueueBytes = codec, true, 512<<10 })
	const each, writers = 300, 4
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				if err := l.put(n, uint64(n+1), 500+n, time.Hour); err != nil {
					t.Errorf("put %d: %v", n, err)
				}
				if i%50 == 49 {
					if err := l.d.Sync(); err != nil {
						t.Errorf("sync: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	l.reopen()
	for n := range each * writers {
		want := blobOf(n+1, 500+n)
		if k := codec.count(want); k != 1 {
			t.Errorf("record %d was encoded %d times", n, k)
		}
		if got, _, err := l.d.Get(nil, hashOf(n)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("record %d came back as %d bytes, %v", n, len(got), err)
		}
	}
}

// What was replaced while it waited costs nothing.
func TestReplacedRecordsAreNotEncoded(t *testing.T) {
	codec := newWatchedCodec()
	l := newLife(t, func(o *DiskOptions) { o.Codec = codec })
	for seq := uint64(1); seq <= 20; seq++ {
		l.mustPut(1, seq, 1000, time.Hour) // all of them in one chunk, which nobody has been given
	}
	l.sync()
	for seq := 1; seq <= 20; seq++ {
		want := 0
		if seq == 20 {
			want = 1
		}
		if got := codec.count(blobOf(seq, 1000)); got != want {
			t.Errorf("version %d was encoded %d times, want %d", seq, got, want)
		}
	}
	l.reopen()
	l.wantSeq(1, 20, "the newest")
}

// Records of one kind reach the disk in the order in which they were put, whatever is encoded when: after a crash at any
// operation, none is there without those before it.
func TestCrashKeepsTheOrderOfCommits(t *testing.T) {
	const records = 60
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
		most := 0
		for k := int64(1); ; k++ {
			fs := &vfs.Faulty{FS: vfs.OS, Hook: vfs.CrashAt(k, verdict)}
			l := &life{t: t, dir: scratch(t), keys: crypto.NewStageKey("s")}
			l.change = func(o *DiskOptions) { o.FS, o.Codec, o.QueueBytes, o.Block = fs, newWatchedCodec(), 256<<10, true }
			l.now.Store(lifeBegins)
			l.open()
			for n := range records {
				_ = l.put(n, uint64(n+1), 16<<10, time.Hour) // dropped from the crash on
			}
			_ = l.d.Sync()
			done := fs.Operations() < k
			l.d.Discard()

			l.change = func(o *DiskOptions) { o.FS, o.Codec = vfs.OS, newWatchedCodec() }
			l.open()
			there := 0
			for n := range records {
				got, _, err := l.d.Get(nil, hashOf(n))
				switch {
				case errors.Is(err, ErrNotFound):
				case err != nil || !bytes.Equal(got, blobOf(n+1, 16<<10)):
					t.Fatalf("operation %d: record %d came back as %d bytes, %v", k, n, len(got), err)
				case there != n:
					t.Fatalf("operation %d: record %d is there, record %d is not", k, n, there)
				default:
					there++
				}
			}
			most = max(most, there)
			if err := l.close(); err != nil {
				t.Fatalf("operation %d: close: %v", k, err)
			}
			if done {
				if k < 8 || most != records {
					t.Fatalf("%d operations, %d records at most: the test does not reach the disk", k, most)
				}
				break
			}
		}
	}
}
