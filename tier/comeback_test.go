package tier

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// TestNothingOldComesBack tries what supersede.go says: whatever is put, dropped, superseded, moved, judged dead, damaged and evicted, in
// whatever order, with files that fail, a disk that is full, and crashes at any moment, no version is answered that is older than one that
// was, or that was acknowledged.
func TestNothingOldComesBack(t *testing.T) {
	for seed := range uint64(rounds(4, 12, 1000)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { newComeback(t, seed).run(3000) })
	}
}

const (
	comebackKeys    = 200
	comebackSegment = 64 << 10
)

type comeback struct {
	*life
	t     *testing.T
	r     *rand.Rand
	seq   uint64
	least map[int]uint64 // what may be answered from now on
	acked map[int]uint64 // the same after a crash
	full  atomic.Bool    // what fails says that there is no room

	withDamage bool
	judging    atomic.Uint64 // judged by it; 0: all are kept
}

func newComeback(t *testing.T, seed uint64) *comeback {
	c := &comeback{t: t, r: rand.New(rand.NewPCG(seed, 5)), least: make(map[int]uint64), acked: make(map[int]uint64)}
	c.withDamage = c.r.IntN(3) == 0
	c.life = newLife(t, func(o *DiskOptions) {
		o.SegmentSize, o.Capacity, o.QueueBytes = comebackSegment, 24*comebackSegment, 128<<10
		o.Judge, o.FS = c.judge, fullOrNot{noRoom{o.FS}, &c.full}
	})
	if c.r.IntN(2) == 0 {
		c.judging.Store(1)
	}
	return c
}

// judge finds one version in 16 dead, whenever it is asked; which ones changes now and then.
func (c *comeback) judge(_ []byte, f Found) ([]uint64, bool) {
	salt := c.judging.Load()
	return nil, salt == 0 || (f.Seq+salt)*0x9e3779b97f4a7c15>>60 != 0
}

// fullOrNot is a noRoom that can be switched off.
type fullOrNot struct {
	noRoom
	full *atomic.Bool
}

func (f fullOrNot) Commit(name string, tx func() error) error {
	if f.full.Load() {
		return f.noRoom.Commit(name, tx)
	}
	return f.FS.Commit(name, tx)
}

// key is one of a few most of the time.
func (c *comeback) key() int {
	if c.r.IntN(3) > 0 {
		return c.few()
	}
	return c.r.IntN(comebackKeys)
}

func (c *comeback) few() int { return c.r.IntN(comebackKeys / 10) }

func (c *comeback) check(n int) Found {
	c.t.Helper()
	_, f, err := c.d.Get(nil, hashOf(n))
	if err == nil && f.Seq < c.least[n] {
		c.t.Fatalf("key %d: version %d, after %d; %d puts", n, f.Seq, c.least[n], c.seq)
	}
	return f
}

// next is a version of n that is about to supersede all others, whether or not it gets to the disk.
func (c *comeback) next(n int) uint64 {
	c.seq++
	c.least[n] = c.seq
	return c.seq
}

func (c *comeback) putAny(n int) {
	ttl := []time.Duration{15 * time.Second, 30 * time.Second, 200 * time.Second, time.Hour, 5 * time.Hour}[c.r.IntN(5)]
	ttl += time.Duration(c.r.IntN(20_000)) * time.Millisecond
	if c.r.IntN(10) == 0 {
		ttl = time.Duration(c.r.IntN(12_000)) * time.Millisecond
	}
	_ = c.put(n, c.next(n), 200+c.r.IntN(6000), ttl) // one that is dropped supersedes the older ones all the same
}

func (c *comeback) ack() {
	if c.d.Sync() == nil {
		c.acked = maps.Clone(c.least)
	}
}

// settle waits until housekeeping has come to an end.
func (c *comeback) settle() {
	c.house()
	c.d.checkRoom()
	for c.d.makingAhead.Load() {
		runtime.Gosched()
	}
}

func (c *comeback) drop(n int) {
	f := c.check(n)
	if f.Seq == 0 {
		return
	}
	// It may move after it was found. Then it is not the one that was found any more, and its owner finds it again.
	for g := f; g.Seq == f.Seq; g = c.check(n) {
		c.d.Drop(hashOf(n), g)
	}
	c.least[n] = f.Seq + 1
}

// compact compacts one segment in four, is stopped at some time, and has something put meanwhile.
func (c *comeback) compact(stop int) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	pick := c.r.Uint64()
	_, _ = c.d.Compact(ctx, func(SegmentInfo) bool { pick = pick*6364136223846793005 + 1; return pick>>62 == 0 }, c.judge, func(Compaction) {
		if stop--; stop == 0 {
			cancel()
		}
		if c.r.IntN(3) == 0 {
			c.putAny(c.few())
		}
	})
}

// fail has one kind of operation fail for a while: always, or every other time; before it takes effect, or after.
func (c *comeback) fail() {
	bad := []string{"commit", "remove", "sync", "truncate", "syncdir"}[c.r.IntN(5)]
	verdict := []vfs.Verdict{vfs.Fail, vfs.FailAfter}[c.r.IntN(2)]
	always, salt := c.r.IntN(3) == 0, c.r.Uint64()|1
	c.full.Store(c.r.IntN(3) == 0)
	c.faults(func(n int64, op, _ string) vfs.Verdict {
		if op == bad && (always || uint64(n)*salt>>63 == 0) {
			return verdict
		}
		return vfs.Pass
	})
	c.ack()
	c.settle()
	if c.r.IntN(2) == 0 {
		c.now.Add(2 * retryAfter.Milliseconds())
		c.putAny(c.few())
		c.ack()
	}
	c.faults(nil)
	c.full.Store(false)
	c.now.Add(2 * retryAfter.Milliseconds())
}

// started takes what there is after a crash for the least from now on.
func (c *comeback) started() {
	c.open()
	c.least = maps.Clone(c.acked)
	for k := range comebackKeys {
		c.least[k] = max(c.least[k], c.check(k).Seq)
	}
	c.acked = maps.Clone(c.least)
}

// die crashes in the middle of a round, an eviction or a compaction.
func (c *comeback) die() {
	at := int64(1 + c.r.IntN(12))
	var count atomic.Int64
	var dir atomic.Pointer[string]
	c.faults(func(int64, string, string) vfs.Verdict {
		if count.Add(1) == at {
			there := copyDir(c.t, c.dir)
			dir.Store(&there)
		}
		return vfs.Pass
	})
	was := maps.Clone(c.acked)
	switch c.r.IntN(3) {
	case 0:
		c.ack()
	case 1:
		c.settle()
	case 2:
		c.compact(0)
	}
	c.d.writerMu.Lock() // no copy is under way
	c.faults(nil)
	c.d.writerMu.Unlock()
	there := dir.Load()
	if there == nil {
		return // there were not as many operations
	}
	c.d.Discard()
	_ = os.RemoveAll(c.dir)
	c.dir, c.acked = *there, was
	c.started()
}

func (c *comeback) step() {
	n := c.key()
	switch c.r.IntN(44) {
	default:
		c.putAny(n)
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
		c.check(n)
	case 10, 11:
		c.drop(n)
		if c.r.IntN(2) == 0 {
			c.putAny(n) // while the tombstone is owed
		}
	case 12:
		c.d.Supersede(hashOf(n), c.next(n))
		if c.r.IntN(2) == 0 {
			c.putAny(n)
		}
	case 13, 14, 15:
		c.ack()
	case 16:
		c.now.Add(int64(c.r.IntN(60_000)))
		c.house()
	case 17, 18:
		c.compact(1 + c.r.IntN(12))
	case 19:
		c.settle()
	case 20:
		c.d.Evict()
	case 21:
		if c.judging.Load() > 0 {
			c.judging.Add(1)
		}
	case 22:
		if c.r.IntN(3) == 0 {
			c.fail()
		}
	case 23:
		if c.r.IntN(4) > 0 {
			break
		}
		if c.r.IntN(2) == 0 {
			c.ack()
		}
		for range 1 + c.r.IntN(2) { // the second time, soon after the start
			c.crash()
			c.started()
			c.putAny(c.few())
		}
	case 24:
		if c.r.IntN(2) == 0 {
			c.die()
		}
	case 25:
		if c.withDamage && c.r.IntN(4) == 0 {
			c.flip(n)
			c.check(n)
			if c.r.IntN(2) == 0 {
				c.flip(n) // readable again, unless it has been given up
			}
		}
	}
}

func (c *comeback) run(steps int) {
	for range steps {
		c.step()
	}
	c.ack()
	st := c.d.Stats()
	c.t.Logf("%d puts, %d evicted, %d moved since the last start", c.seq, st.Evicted, st.Moved)
	c.reopen()
	c.least = c.acked
	for n := range comebackKeys {
		c.check(n)
	}
}
