package tier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file: no old version ever comes back. What a Get returns is the newest version, or, after a crash alone, one
// that was the newest at some moment since the last Sync that succeeded; or nothing.

// A modelVersion is one Put, or a Supersede (no blob).
type modelVersion struct {
	seq     uint64
	expires int64
	size    int  // of the blob; -1: none
	dead    bool // dropped by its owner: purged or expired, so that the owner refuses it wherever it turns up
}

type modelKey struct {
	versions []modelVersion
	floor    uint64 // what may be answered is at or above this sequence
	synced   uint64 // the floor as of the last Sync
}

func (k *modelKey) newest() *modelVersion {
	if len(k.versions) == 0 {
		return nil
	}
	return &k.versions[len(k.versions)-1]
}

func (k *modelKey) bySeq(seq uint64) *modelVersion {
	for i := range k.versions {
		if k.versions[i].seq == seq {
			return &k.versions[i]
		}
	}
	return nil
}

type supersedeModel struct {
	*life
	r        *rand.Rand
	keys     [60]modelKey
	seq      uint64
	complete bool // nothing is evicted and nothing fails: what must be there is there
	log      []string
	hits     int
}

func (m *supersedeModel) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf("%6.1fs ", float64(m.now.Load()-lifeBegins)/1000)+fmt.Sprintf(format, args...))
}

// fatal shows what happened to one key.
func (m *supersedeModel) fatal(n int, format string, args ...any) {
	m.t.Helper()
	var story string
	for _, line := range m.log {
		if bytes.Contains([]byte(line), fmt.Appendf(nil, "key %d ", n)) || !bytes.Contains([]byte(line), []byte("key ")) {
			story += line + "\n"
		}
	}
	m.t.Fatalf("key %d: %s\n%s", n, fmt.Sprintf(format, args...), story)
}

var modelTTLs = []time.Duration{500 * time.Millisecond, 5 * time.Second, 30 * time.Second, 59 * time.Second, time.Minute,
	2 * time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour, 5 * time.Hour}

func (m *supersedeModel) putOne() {
	n := m.r.IntN(len(m.keys))
	k := &m.keys[n]
	m.seq++
	size := m.r.IntN(2000)
	if m.r.IntN(10) == 0 {
		size = m.r.IntN(60 << 10)
	}
	expires := m.now.Load() + modelTTLs[m.r.IntN(len(modelTTLs))].Milliseconds()
	if m.r.IntN(2) == 0 {
		expires = (expires/10_000 + 1) * 10_000 // many records that expire in the same millisecond
	}
	h := hashOf(n)
	v := modelVersion{seq: m.seq, expires: expires, size: size}
	if m.r.IntN(15) == 0 {
		v.size = -1
		m.d.Supersede(h, m.seq)
	} else if err := m.d.Put(Record{Hash: h, Seq: m.seq, Expires: expires, Labels: []uint64{uint64(n)}, Blob: blobOf(int(m.seq), size)}); err != nil {
		if !errors.Is(err, ErrDropped) || m.complete {
			m.fatal(n, "put: %v", err)
		}
		v.size = -1
	}
	m.note("key %d version %d size %d expires %.1fs", n, v.seq, v.size, float64(v.expires-lifeBegins)/1000)
	k.versions = append(k.versions, v)
	k.floor = m.seq
}

func (m *supersedeModel) getOne(n int) (Found, bool) {
	m.t.Helper()
	k := &m.keys[n]
	now := m.now.Load()
	blob, f, err := m.d.Get(nil, hashOf(n))
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			m.fatal(n, "get: %v", err)
		}
		if v := k.newest(); m.complete && v != nil && v.size >= 0 && !v.dead && v.expires > now && v.seq == k.synced {
			m.fatal(n, "version %d is gone", v.seq)
		}
		return f, false
	}
	v := k.bySeq(f.Seq)
	if v == nil || v.size < 0 || f.Expires != v.expires || !bytes.Equal(blob, blobOf(int(v.seq), v.size)) {
		m.fatal(n, "got what was never put: %+v", f)
	}
	if v.dead || f.Expires <= now {
		return f, false
	}
	if f.Seq < k.floor {
		m.fatal(n, "version %d came back, it was superseded by %d", f.Seq, k.floor)
	}
	m.hits++
	return f, true
}

func (m *supersedeModel) getAll() {
	m.t.Helper()
	for n := range m.keys {
		if f, ok := m.getOne(n); ok {
			m.keys[n].floor = f.Seq // what is served now is the newest there is
		}
	}
}

func (m *supersedeModel) syncAll() {
	if err := m.d.Sync(); err != nil {
		if m.complete {
			m.t.Fatalf("sync: %v", err)
		}
		m.note("sync failed")
		return
	}
	m.note("sync")
	for n := range m.keys {
		m.keys[n].synced = m.keys[n].floor
	}
}

func (m *supersedeModel) restart(crash bool) {
	m.t.Helper()
	m.faults(nil)
	if crash {
		m.note("crash")
		m.crash()
	} else if err := m.close(); err != nil {
		m.note("close failed: %v", err)
		crash = true
	} else {
		m.note("restart")
	}
	for n := range m.keys {
		k := &m.keys[n]
		if crash {
			k.floor = k.synced
		} else {
			k.synced = k.floor
		}
	}
	m.open()
	m.getAll()
}

func (m *supersedeModel) compactSome() {
	share := m.r.IntN(3)
	judge := func(_ []byte, f Found) ([]uint64, bool) {
		for n := range m.keys {
			if v := m.keys[n].bySeq(f.Seq); v != nil {
				return []uint64{uint64(n)}, !v.dead
			}
		}
		return nil, false
	}
	_, err := m.d.Compact(context.Background(), func(SegmentInfo) bool { return m.r.IntN(3) <= share }, judge, nil)
	if err != nil && m.complete {
		m.t.Fatalf("compact: %v", err)
	}
	m.note("compact: %v", err)
}

func (m *supersedeModel) breakDisk() {
	odds := m.r.Float64() * 0.5
	verdict := vfs.Fail
	if m.r.IntN(2) == 0 {
		verdict = vfs.FailAfter
	}
	seed := m.r.Uint64()
	m.note("faults from here: %d, odds %.2f", verdict, odds)
	m.faults(func(n int64, op, name string) vfs.Verdict {
		if rand.New(rand.NewPCG(seed, uint64(n))).Float64() < odds {
			return verdict
		}
		return vfs.Pass
	})
}

func (m *supersedeModel) step(faulty bool) {
	switch x := m.r.IntN(200); {
	case x < 120:
		m.putOne()
	case x < 150:
		m.getOne(m.r.IntN(len(m.keys)))
	case x < 156:
		n := m.r.IntN(len(m.keys))
		if f, ok := m.getOne(n); ok {
			m.d.Drop(hashOf(n), f)
			m.keys[n].bySeq(f.Seq).dead = true
			m.note("key %d version %d dropped by its owner", n, f.Seq)
		}
	case x < 166:
		m.syncAll()
	case x < 182:
		d := []int64{1, 1000, 10_000, 20_000, 100_000, 1_000_000}[m.r.IntN(6)]
		if m.r.IntN(4) > 0 {
			d /= 10
		}
		m.now.Add(d)
	case x < 190:
		m.house()
	case x < 193:
		m.compactSome()
	case x < 195:
		m.restart(false)
	case x < 197:
		m.restart(true)
	default:
		switch {
		case !faulty:
		case m.hook.Load() == nil:
			m.breakDisk()
		default:
			m.note("the disk works")
			m.faults(nil)
		}
	}
}

func TestNoOldVersionComesBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		capacity int64
		faulty   bool
	}{
		{"room for all", 1 << 30, false},
		{"small capacity", 5 << 20, false},
		{"failing disk", 1 << 30, true},
		{"failing disk, small capacity", 5 << 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hits := 0
			for seed := range rounds(4, 15, 1000) {
				ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					l := newLife(t, func(o *DiskOptions) {
						o.Capacity = c.capacity
						o.SegmentSize = 64 << 10
						o.QueueBytes = 512 << 10
						o.Block = c.capacity == 1<<30 && !c.faulty
					})
					m := &supersedeModel{life: l, r: rand.New(rand.NewPCG(uint64(seed), 7)), complete: c.capacity == 1<<30 && !c.faulty}
					for range 600 {
						m.step(c.faulty)
					}
					m.restart(false)
					// Whatever was kept from coming back by what is on the disk must not depend on what time removes.
					for range 8 {
						m.now.Add(m.r.Int64N(600_000))
						m.house()
						m.restart(m.r.IntN(2) == 0)
					}
					hits += m.hits
				})
				if !ok {
					return
				}
			}
			if hits < 100 {
				t.Fatalf("only %d hits: the test tests nothing", hits)
			}
		})
	}
}

// Two segments that expire in the same millisecond go in the order of their numbers. A newer version, or a tombstone, may lie in
// the one with the lower number; then the order alone does not keep the older version dead.
func TestSegmentsThatExpireTogether(t *testing.T) {
	// begin makes segment 1 of the class up to an hour, which stays active, and a sealed segment 2 with version 1 of key 1.
	begin := func(t *testing.T) (l *life, expires int64) {
		l = newLife(t, func(o *DiskOptions) { o.Capacity = 64 << 20; o.QueueBytes = 4 << 20 })
		l.mustPut(100, 1, 100, 30*time.Minute)
		l.sync()
		expires = l.now.Load() + time.Hour.Milliseconds() + 1000
		for n := range 40 { // past the segment's size
			if err := l.d.Put(Record{Hash: hashOf(1 + n), Seq: uint64(10 + n), Expires: expires, Blob: blobOf(n, 10<<10)}); err != nil {
				t.Fatal(err)
			}
		}
		l.sync()
		l.now.Add(2000) // from here on, what expires together with them is in the other class
		l.house()
		if files := segmentFiles(t, l.dir); len(files) != 2 {
			t.Fatalf("the layout is another one: %v", files)
		}
		return l, expires
	}
	// evict gives up segments until at most n are left.
	evict := func(t *testing.T, l *life, n int) {
		l.d.writerMu.Lock()
		defer l.d.writerMu.Unlock()
		for len(l.d.segments()) > n {
			if !l.d.evictOne() {
				t.Fatal("nothing to evict")
			}
		}
	}
	t.Run("the newer version", func(t *testing.T) {
		l, expires := begin(t)
		if err := l.d.Put(Record{Hash: hashOf(1), Seq: 1000, Expires: expires, Blob: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		l.sync()
		l.wantSeq(1, 1000, "before")
		evict(t, l, 1)
		l.reopen()
		if got := l.seqOf(1); got != 0 && got != 1000 {
			t.Fatalf("version %d came back", got)
		}
	})
	t.Run("what a damaged segment leaves", func(t *testing.T) {
		l, expires := begin(t)
		if err := l.d.Put(Record{Hash: hashOf(1), Seq: 1000, Expires: expires + 3_600_000, Blob: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		l.sync()
		l.d.writerMu.Lock()
		s := l.d.active[3]
		l.d.seal(s)
		l.d.active[3] = nil
		l.d.damage(s, ErrDamaged)
		l.d.writerMu.Unlock()
		evict(t, l, 2)
		evict(t, l, 1)
		l.reopen()
		l.wantSeq(1, 0, "its successor was given up as damaged")
	})
}
