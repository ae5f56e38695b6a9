package tier

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// A store that is opened with less capacity than it holds gives up what is worth least, and goes on.
func TestLessCapacityThanIsStored(t *testing.T) {
	l := newLife(t, nil)
	for n := range 2000 {
		l.mustPut(n, uint64(n+1), 2000, time.Hour)
		if n%50 == 49 {
			l.sync()
		}
	}
	before := l.d.Stats().DiskBytes
	change := l.change
	l.change = func(o *DiskOptions) {
		if change != nil {
			change(o)
		}
		o.Capacity = before / 4
	}
	l.reopen()
	l.house()
	if st := l.d.Stats(); st.DiskBytes > before/4 || st.Evicted == 0 {
		t.Errorf("%d bytes of %d stayed, the capacity is %d; %d entries evicted", st.DiskBytes, before, before/4, st.Evicted)
	}
	l.wantSeq(1999, 2000, "the newest")
	l.mustPut(5000, 5000, 2000, time.Hour)
	l.sync()
	l.wantSeq(5000, 5000, "put after it")
	l.wantSeq(0, 0, "the oldest")
}

// sharedDisk is a file system of which somebody else takes so much that commits fail where the tier's files pass the quota.
type sharedDisk struct {
	vfs.FS
	dir   string
	quota int64
}

func (f *sharedDisk) Commit(name string, tx func() error) error {
	if vfs.TreeUsage(f.FS, f.dir) > f.quota {
		return syscall.ENOSPC
	}
	return f.FS.Commit(name, tx)
}

// A disk that others have filled: what is stored is served, what is worth least gives way, and puts find room again without help.
func TestAFullDiskRecoversByItself(t *testing.T) {
	var fs *sharedDisk
	l := newLife(t, func(o *DiskOptions) {
		if fs == nil {
			fs = &sharedDisk{FS: o.FS, quota: 1 << 40}
		}
		o.FS = fs
	})
	fs.dir = l.dir
	for n := range 2000 {
		l.mustPut(n, uint64(n+1), 2000, time.Hour)
		if n%50 == 49 {
			l.sync()
		}
	}
	fs.quota = l.d.Stats().DiskBytes * 2 / 3
	const key, first = 5000, 10_000
	tries := 0
	for ; tries < 100; tries++ {
		_ = l.put(key, uint64(first+tries), 2000, time.Hour) // dropped while the disk is left alone
		if l.d.Sync() == nil && l.seqOf(key) == uint64(first+tries) {
			break
		}
		l.wantSeq(1800, 1801, "while the disk is full")
		l.now.Add(retryAfter.Milliseconds())
	}
	if tries == 0 || tries == 100 {
		t.Fatalf("the disk took a record again after %d tries", tries)
	}
	if used := l.d.Stats().DiskBytes; used > fs.quota*11/10 {
		t.Errorf("%d bytes are used where %d are left", used, fs.quota)
	}
	l.reopen()
	l.wantSeq(key, uint64(first+tries), "after a restart")
	l.wantSeq(1800, 1801, "after a restart")
}

// Two hashes that agree in the bits the index keeps: the read of the wrong one is a miss, counted, and no sign of damage; and
// neither is ever answered with the other's bytes.
func TestAFalseMatchIsNeverAWrongAnswer(t *testing.T) {
	l := newLife(t, nil)
	one := hashOf(1)
	for _, other := range []func(h *Hash){func(h *Hash) { h[5] ^= 1 }, func(h *Hash) { h[15] ^= 0x80 }, func(h *Hash) { h[8] ^= 1; h[4] ^= 3 }} {
		two := one
		other(&two)
		a, b := shardAndPrint(&one)
		if c, d := shardAndPrint(&two); a != c || b != d || one == two {
			t.Fatalf("%x and %x do not meet in the index", one, two)
		}
		put := func(h Hash, seq uint64) {
			t.Helper()
			if err := l.d.Put(Record{Hash: h, Seq: seq, Expires: l.now.Load() + 3_600_000, Blob: blobOf(int(seq), 1000)}); err != nil {
				t.Fatal(err)
			}
			l.sync()
		}
		want := func(h Hash, seq uint64) {
			t.Helper()
			blob, f, err := l.d.Get(nil, h)
			if seq == 0 {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("got version %d, %v; want none", f.Seq, err)
				}
			} else if err != nil || f.Seq != seq || !bytes.Equal(blob, blobOf(int(seq), 1000)) {
				t.Fatalf("got version %d, %v; want %d", f.Seq, err, seq)
			}
		}
		put(one, l.d.loadedSeq+1)
		first := l.d.loadedSeq + 1
		before := l.d.Stats().FalseMatches
		want(two, 0)
		if n := l.d.Stats().FalseMatches - before; n != 1 {
			t.Errorf("%d false matches are counted, want 1", n)
		}
		want(one, first)
		put(two, first+1)
		want(two, first+1)
		want(one, 0) // it gave its place
		l.reopen()
		want(two, first+1)
		want(one, 0)
		if st := l.d.Stats(); st.Quarantined != 0 {
			t.Errorf("taken for damage: %+v", st)
		}
	}
}
