package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stagecache/internal/clock"
	"stagecache/internal/vfs"

	"stagecache/crypto"
)

// The rule of this file: wherever a process dies, a purge or flush that was acknowledged stays done, what a Sync acknowledged is
// there, and the next start needs nobody's help. A purge or flush that returned an error is done or not, and nothing else.

// long reports whether the long variants of the tests are wanted.
func long() bool { return os.Getenv("STAGECACHE_LONG") != "" }

// rounds is how often a randomized test repeats itself.
func rounds(short, usual, longRun int) int {
	switch {
	case long():
		return longRun
	case testing.Short() || raceDetector:
		return short
	}
	return usual
}

// fate is what is known of one version of a key.
type fate struct {
	value string
	path  string
	tag   string
	sure  bool // a Sync acknowledged it
	maybe bool // something that failed may have hit it
	gone  bool // purged or flushed, acknowledged
	soft  bool
}

type crashRun struct {
	t    *testing.T
	s    *Store
	keys map[string][]*fate // the newest last
}

func (c *crashRun) put(key, value, path, tag string) {
	l, err := c.s.Lease(context.Background(), []byte(key), LeaseOptions{Refresh: true})
	if err != nil || !l.Held {
		c.t.Fatalf("lease of %s: %+v, %v", key, l, err)
	}
	err = l.Put([]byte(value), Meta{TTL: time.Hour, Path: path, Tags: []string{tag}})
	c.keys[key] = append(c.keys[key], &fate{value: value, path: path, tag: tag, maybe: err != nil})
}

func (c *crashRun) sync() {
	if c.s.Sync() == nil {
		c.acknowledge()
	}
}

func (c *crashRun) acknowledge() {
	for _, versions := range c.keys {
		for _, f := range versions {
			f.sure = true
		}
	}
}

func (c *crashRun) hit(matches func(string, *fate) bool, err error, mode PurgeMode) {
	for k, versions := range c.keys {
		for _, f := range versions {
			switch {
			case !matches(k, f):
			case err != nil:
				f.maybe = true
			case mode == Soft:
				f.soft = true
			default:
				f.gone = true
			}
		}
	}
}

func (c *crashRun) purge(t Target, mode PurgeMode, matches func(string, *fate) bool) {
	_, err := c.s.Purge(context.Background(), t, mode)
	c.hit(matches, err, mode)
}

func (c *crashRun) flush() {
	_, err := c.s.Flush(context.Background())
	c.hit(func(string, *fate) bool { return true }, err, Hard)
}

func (c *crashRun) script() {
	all := strings.Repeat("some text that compresses ", 40)
	for i := range 12 {
		c.put(fmt.Sprint("a", i), fmt.Sprint("one ", i, all), fmt.Sprint("/a/", i), fmt.Sprint("t", i%3))
	}
	c.sync()
	c.purge(Tag("t1"), Hard, func(_ string, f *fate) bool { return f.tag == "t1" })
	c.purge(Path("/a/3"), Soft, func(_ string, f *fate) bool { return f.path == "/a/3" })
	c.put("a1", "new after the purge", "/a/1", "t1")
	c.sync()
	c.flush()
	for i := range 8 {
		c.put(fmt.Sprint("b", i), fmt.Sprint("two ", i, all), fmt.Sprint("/b/", i), "u")
	}
	c.put("a2", "new after the flush", "/a/2", "t1")
	c.sync()
	c.purge(Key([]byte("b3")), Hard, func(k string, _ *fate) bool { return k == "b3" })
	c.purge(Prefix("/b/4"), Hard, func(_ string, f *fate) bool { return f.path == "/b/4" })
	c.purge(Pattern("/*/5"), Hard, func(_ string, f *fate) bool { return f.path == "/b/5" })
	_, _ = c.s.Compact(context.Background(), nil)
	c.put("b3", "again", "/b/3", "u")
	c.sync()
	c.flush()
	c.flush()
	c.put("c", "last", "/c", "v")
	if c.s.Close() == nil {
		c.acknowledge()
	}
}

func TestCrashAtEveryOperation(t *testing.T) {
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter}[:rounds(1, 2, 2)] {
		for k := int64(1); ; k++ {
			if crashOnce(t, k, verdict) {
				t.Logf("verdict %d: %d operations", verdict, k-1)
				if k < 60 {
					t.Fatalf("only %d operations: the script does not reach the disk", k-1)
				}
				break
			}
			if t.Failed() {
				return
			}
		}
	}
}

// crashOnce crashes a run at operation k and checks the next start; true: the run ended before that.
func crashOnce(t *testing.T, k int64, verdict vfs.Verdict) (done bool) {
	t.Helper()
	dir := filepath.Join(scratch(t), "stage")
	defer os.RemoveAll(dir)
	fs := &vfs.Faulty{FS: vfs.OS, Hook: vfs.CrashAt(k, verdict)}
	o := Options{Key: crypto.NewRootKey(), Capacity: 16 << 20, Clock: clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), FS: fs}
	c := &crashRun{t: t, keys: make(map[string][]*fate)}
	s, err := Open(dir, o)
	if err == nil {
		<-s.Ready()
		c.s = s
		c.script()
		_ = s.Close() // nothing takes effect any more; the lock is given back
	}
	done = fs.Operations() < k
	if done && err != nil {
		t.Fatalf("the first start: %v", err)
	}

	r := &rig{t: t, dir: dir, o: o}
	r.o.FS = vfs.OS
	r.open()
	check := func(when string) {
		t.Helper()
		for key, versions := range c.keys {
			newest := versions[len(versions)-1]
			e, err := r.s.Get(nil, []byte(key))
			if err != nil {
				if !errors.Is(err, ErrMiss) {
					t.Fatalf("operation %d, %s: %s: %v", k, when, key, err)
				}
				if newest.sure && !newest.gone && !newest.maybe {
					t.Fatalf("operation %d, %s: %s was acknowledged and is gone", k, when, key)
				}
				continue
			}
			i := slices.IndexFunc(versions, func(f *fate) bool { return f.value == string(e.Value) })
			switch {
			case i < 0:
				t.Fatalf("operation %d, %s: %s: got %q", k, when, key, e.Value)
			case versions[i].gone:
				t.Fatalf("operation %d, %s: %s: version %d is back, its purge or flush was acknowledged", k, when, key, i)
			case versions[i].soft && !e.Stale:
				t.Fatalf("operation %d, %s: %s: version %d is fresh again, its soft purge was acknowledged", k, when, key, i)
			case versions[i] != newest && newest.sure:
				t.Fatalf("operation %d, %s: %s: version %d is back, its successor was acknowledged", k, when, key, i)
			}
		}
	}
	check("at once")
	r.put("x", "works", minute("/x", "w"))
	for key, versions := range c.keys {
		if strings.HasPrefix(key, "b") {
			if _, err := r.s.Purge(context.Background(), Key([]byte(key)), Hard); err != nil {
				t.Fatalf("operation %d: purge: %v", k, err)
			}
			for _, f := range versions {
				f.gone = true
			}
		}
	}
	r.reopen()
	r.want("x", "works")
	check("after another start")
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatalf("operation %d: flush: %v", k, err)
	}
	r.want("x", "")
	r.close()
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range left {
		base := filepath.Base(name)
		if base != "LOCK" && base != stageKeyFile && base != asideKeyFile && !strings.HasPrefix(base, genPrefix) {
			t.Fatalf("operation %d: %s was left behind", k, base)
		}
	}
	if gens, _ := filepath.Glob(filepath.Join(dir, genPrefix+"*")); len(gens) != 1 {
		t.Fatalf("operation %d: %d generations are left", k, len(gens))
	}
	return done
}

// scratch is a directory for a test in which a crash is not a loss of power: in memory where there is such a place, for then a
// sync costs nothing.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stagecache-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// newScratchRig is newRig in a scratch directory.
func newScratchRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	dir := scratch(t) // removed after the store is closed
	r := newRig(t, change)
	r.close()
	r.dir = filepath.Join(dir, "stage")
	r.open()
	return r
}
