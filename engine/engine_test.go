package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/clock"
)

// rig is one store under test with everything that can be changed from outside.
type rig struct {
	t     testing.TB
	dir   string
	o     Options
	clock *clock.Fake
	s     *Store
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "stage"), clock: c, o: Options{Key: crypto.NewRootKey(), Capacity: 64 << 20, Memory: MinMemory, Clock: c}}
	if change != nil {
		change(&r.o)
	}
	r.open()
	t.Cleanup(func() {
		if r.s != nil {
			r.close()
		}
	})
	return r
}

func (r *rig) open() {
	r.t.Helper()
	s, err := Open(r.dir, r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	<-s.Ready()
	r.s = s
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.s.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
	r.s = nil
}

func (r *rig) reopen() { r.t.Helper(); r.close(); r.open() }

func (r *rig) lease(key string) *Lease {
	r.t.Helper()
	l, err := r.s.Lease(context.Background(), []byte(key), LeaseOptions{Refresh: true})
	if err != nil || !l.Held {
		r.t.Fatalf("lease of %s: %+v, %v", key, l, err)
	}
	return l
}

func (r *rig) put(key, value string, m Meta) {
	r.t.Helper()
	if err := r.lease(key).Put([]byte(value), m); err != nil {
		r.t.Fatalf("put %s: %v", key, err)
	}
}

// want checks what a Get answers; "" stands for a miss.
func (r *rig) want(key, value string) Entry {
	r.t.Helper()
	e, err := r.s.Get([]byte("dst"), []byte(key))
	if value == "" {
		if !errors.Is(err, ErrMiss) {
			r.t.Fatalf("%s: got %q, %v; want a miss", key, e.Value, err)
		}
		return e
	}
	if err != nil || string(e.Value) != value {
		r.t.Fatalf("%s: got %q, %v; want %q", key, e.Value, err, value)
	}
	return e
}

func (r *rig) sync() {
	r.t.Helper()
	if err := r.s.Sync(); err != nil {
		r.t.Fatal(err)
	}
}

func minute(path string, tags ...string) Meta { return Meta{TTL: time.Minute, Path: path, Tags: tags} }

func TestEntryComesBackFromEveryTier(t *testing.T) {
	r := newRig(t, nil)
	big := strings.Repeat("large value ", 20_000)
	r.put("a", "one", minute("/a"))
	r.put("b", big, minute("/b"))
	if e := r.want("a", "one"); e.Tier != Memory || e.Stale || e.Plain {
		t.Fatalf("%+v", e)
	}
	r.want("b", big)
	r.want("c", "")
	r.reopen()
	if e := r.want("a", "one"); e.Tier != Disk {
		t.Fatalf("after a restart: %+v", e)
	}
	if e := r.want("a", "one"); e.Tier != Memory {
		t.Fatalf("not promoted: %+v", e)
	}
	r.want("b", big)
	st := r.s.Stats()
	if st.DiskBytes >= st.LogicalBytes || st.Entries != 2 {
		t.Fatalf("%+v", st)
	}
}

func TestNothingReadableOnDisk(t *testing.T) {
	r := newRig(t, nil)
	for i := range 50 {
		r.put(fmt.Sprintf("MARK-key-%d", i), strings.Repeat(fmt.Sprintf("MARK-value-%d ", i), 50), minute("/MARK-path", "MARK-tag"))
	}
	for _, target := range []Target{Tag("MARK-other"), Path("/MARK-x"), Prefix("/MARK-y"), Pattern("/MARK/*/z"), Key([]byte("MARK-k"))} {
		if _, err := r.s.Purge(context.Background(), target, Hard); err != nil {
			t.Fatal(err)
		}
	}
	r.sync()
	check := func() {
		t.Helper()
		n := 0
		filepath.WalkDir(r.dir, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if bytes.Contains(b, []byte("MARK")) {
				t.Errorf("plaintext in %s", p)
			}
			n++
			return nil
		})
		if n < 4 {
			t.Errorf("only %d files were looked at", n)
		}
	}
	check()
	r.reopen()
	check()
	r.want("MARK-key-7", strings.Repeat("MARK-value-7 ", 50))
}

func TestExpiryIsExact(t *testing.T) {
	for _, memory := range []int64{MinMemory, 0} {
		r := newRig(t, func(o *Options) { o.Memory = memory })
		r.put("a", "v", Meta{TTL: time.Minute, Retain: time.Minute})
		r.clock.Advance(time.Minute - time.Millisecond)
		if r.want("a", "v").Stale {
			t.Fatal("stale too early")
		}
		r.clock.Advance(time.Millisecond)
		if !r.want("a", "v").Stale {
			t.Fatal("not stale at its end")
		}
		r.clock.Advance(time.Minute)
		r.want("a", "")
		r.reopen()
		r.want("a", "")
	}
}

func TestClockJumpsReviveNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", "v", minute("/a"))
	r.clock.Jump(-time.Hour) // the wall clock alone: monotonic time has not moved
	r.want("a", "v")
	r.clock.Advance(time.Minute)
	r.want("a", "")
	r.put("b", "v", minute("/b"))
	r.sync()
	// Back by five minutes across a restart: the mark on disk keeps time from going back.
	r.clock.Jump(2 * time.Hour)
	r.put("c", "v", minute("/c"))
	r.sync()
	r.close()
	r.clock.Jump(-5 * time.Minute)
	r.open()
	r.want("b", "")
	r.want("c", "v")
	r.clock.Advance(time.Minute)
	r.want("c", "")
}

// A clock that is set forward while the store is closed takes life from entries, and setting it back gives none.
func TestAClockSetForwardAcrossARestart(t *testing.T) {
	r := newRig(t, nil)
	r.put("short", "v", Meta{TTL: 20 * time.Minute})
	r.put("long", "v", Meta{TTL: 40 * time.Minute})
	r.close()
	r.clock.Jump(30 * time.Minute)
	r.open()
	r.want("short", "")
	r.want("long", "v")
	r.put("mark", "v", Meta{TTL: time.Hour})
	r.close()
	r.clock.Jump(-9 * time.Minute)
	r.open()
	r.want("short", "")
	r.want("long", "v")
	r.clock.Advance(10 * time.Minute)
	r.want("long", "")
}

func TestMarkFarAheadBeginsNewGeneration(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", "v", Meta{TTL: 24 * time.Hour})
	r.close()
	r.clock.Jump(-11 * time.Minute)
	var events []string
	r.o.Report = func(event, _ string, _ error) { events = append(events, event) }
	r.open()
	r.want("a", "")
	if len(events) == 0 || r.s.Stats().Quarantined != 1 {
		t.Fatalf("not reported: %q, %+v", events, r.s.Stats())
	}
	r.put("a", "new", minute("/"))
	r.want("a", "new")
}

func TestPurges(t *testing.T) {
	type entry struct {
		key, path string
		tags      []string
	}
	entries := []entry{
		{"k1", "/products/1", []string{"p1", "all"}},
		{"k2", "/products/2", []string{"p2", "all"}},
		{"k2q", "/products/2", nil},
		{"k3", "/products/2/reviews", nil},
		{"k4", "/productsets", nil},
		{"k5", "/", nil},
		{"k6", "", nil},
	}
	cases := []struct {
		name   string
		target Target
		gone   string
	}{
		{"key", Key([]byte("k1")), "k1"},
		{"tag", Tag("all"), "k1 k2"},
		{"path", Path("/products/2"), "k2 k2q"},
		{"prefix", Prefix("/products/"), "k1 k2 k2q k3"},
		{"prefix within a segment", Prefix("/products"), "k1 k2 k2q k3 k4"},
		{"everything with a path", Prefix("/"), "k1 k2 k2q k3 k4 k5"},
		{"pattern", Pattern("/*/2"), "k2 k2q"},
		{"pattern with any rest", Pattern("/*/2*"), "k2 k2q k3"},
		{"pattern with a segment in between", Pattern("/products/*/reviews"), "k3"},
		{"nothing", Tag("none"), ""},
	}
	for _, mode := range []PurgeMode{Hard, Soft} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/%d", c.name, mode), func(t *testing.T) {
				r := newRig(t, nil)
				for _, e := range entries {
					r.put(e.key, "v", minute(e.path, e.tags...))
				}
				res, err := r.s.Purge(context.Background(), c.target, mode)
				if err != nil {
					t.Fatal(err)
				}
				gone := strings.Fields(c.gone)
				if res.AtMost < int64(len(gone)) {
					t.Errorf("says at most %d, hit %d", res.AtMost, len(gone))
				}
				check := func(when string) {
					for _, e := range entries {
						hit := strings.Contains(" "+c.gone+" ", " "+e.key+" ")
						got, err := r.s.Get(nil, []byte(e.key))
						switch {
						case hit && mode == Hard:
							if !errors.Is(err, ErrMiss) {
								t.Errorf("%s: %s was purged, got %v", when, e.key, err)
							}
						case err != nil:
							t.Errorf("%s: %s: %v", when, e.key, err)
						case got.Stale != hit:
							t.Errorf("%s: %s: stale is %v", when, e.key, got.Stale)
						}
					}
				}
				check("at once")
				r.reopen()
				check("after a restart")
				for _, e := range entries {
					r.put(e.key, "new", minute(e.path, e.tags...))
					if r.want(e.key, "new").Stale {
						t.Errorf("%s: put after the purge and stale", e.key)
					}
				}
			})
		}
	}
}

// A lease whose key is only a name for those who wait together depends on the entry that it is about.
func TestFillUnderAnotherNameDoesNotLandAfterAPurge(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, nil)
	o := LeaseOptions{About: []byte("a")}
	early, err := r.s.Lease(ctx, []byte("class"), o)
	if err != nil || !early.Held {
		t.Fatalf("%+v, %v", early, err)
	}
	if _, err := r.s.Purge(ctx, Key([]byte("a")), Hard); err != nil {
		t.Fatal(err)
	}
	late, err := r.s.Lease(ctx, []byte("class"), o)
	if err != nil || !late.Held {
		t.Fatalf("a lease after the purge joined the old fill: %+v, %v", late, err)
	}
	if err := early.PutKey([]byte("variant of a"), []byte("old"), minute("/x/y")); !errors.Is(err, ErrPurged) {
		t.Fatalf("the early fill landed: %v", err)
	}
	r.want("variant of a", "")
	if err := late.PutKey([]byte("variant of a"), []byte("new"), minute("/x/y")); err != nil {
		t.Fatal(err)
	}
	r.want("variant of a", "new")
}

func TestFillThatBeganBeforeAPurgeDoesNotLand(t *testing.T) {
	ctx := context.Background()
	ways := map[string]func(*Store) error{
		"key":    func(s *Store) error { _, err := s.Purge(ctx, Key([]byte("a")), Hard); return err },
		"tag":    func(s *Store) error { _, err := s.Purge(ctx, Tag("t"), Hard); return err },
		"prefix": func(s *Store) error { _, err := s.Purge(ctx, Prefix("/x"), Hard); return err },
		"soft":   func(s *Store) error { _, err := s.Purge(ctx, Path("/x/y"), Soft); return err },
		"flush":  func(s *Store) error { _, err := s.Flush(ctx); return err },
	}
	for name, purge := range ways {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			early := r.lease("a")
			waiter, err := r.s.Lease(ctx, []byte("a"), LeaseOptions{Path: "/x/y"})
			if err != nil || waiter.Held {
				t.Fatalf("%+v, %v", waiter, err)
			}
			if err := purge(r.s); err != nil {
				t.Fatal(err)
			}
			// Whoever comes after the purge must not wait for what was asked before it.
			late, err := r.s.Lease(ctx, []byte("a"), LeaseOptions{Path: "/x/y"})
			if err != nil || !late.Held {
				t.Fatalf("a lease after the purge joined the old fill: %+v, %v", late, err)
			}
			if err := early.Put([]byte("old"), minute("/x/y", "t")); !errors.Is(err, ErrPurged) {
				t.Fatalf("the early fill landed: %v", err)
			}
			r.want("a", "")
			if err := late.Put([]byte("new"), minute("/x/y", "t")); err != nil {
				t.Fatal(err)
			}
			r.want("a", "new")
			r.reopen()
			r.want("a", "new")
			if _, err := waiter.Wait(ctx); !errors.Is(err, ErrPurged) {
				t.Fatalf("the early waiter got %v", err)
			}
		})
	}
}

func TestLeaseIsSharedAndEnds(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, nil)
	holder, err := r.s.Lease(ctx, []byte("a"), LeaseOptions{Data: func() any { return "shared" }})
	if err != nil || !holder.Held {
		t.Fatalf("%+v, %v", holder, err)
	}
	results := make(chan string, 20)
	for range 20 {
		l, err := r.s.Lease(ctx, []byte("a"), LeaseOptions{Data: func() any { return "mine" }})
		if err != nil || l.Held || l.Found != nil || l.Data() != "shared" {
			t.Fatalf("%+v, %v", l, err)
		}
		go func() {
			e, err := l.Wait(ctx)
			results <- fmt.Sprint(string(e.Value), err)
		}()
	}
	if err := holder.Put([]byte("v"), minute("/")); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := <-results; got != "v<nil>" {
			t.Fatalf("waiter got %s", got)
		}
	}
	if l, _ := r.s.Lease(ctx, []byte("a"), LeaseOptions{}); l.Found == nil || string(l.Found.Value) != "v" {
		t.Fatalf("%+v", l)
	}
	// Abandoned: the reason reaches the waiters, and the key is free.
	why := errors.New("backend said no")
	l := r.lease("b")
	w, _ := r.s.Lease(ctx, []byte("b"), LeaseOptions{})
	l.Abandon(why)
	if _, err := w.Wait(ctx); !errors.Is(err, why) {
		t.Fatal(err)
	}
	if err := l.Put([]byte("late"), minute("/")); !errors.Is(err, why) {
		t.Fatalf("put after abandon: %v", err)
	}
	r.lease("b").Abandon(nil)
}

func TestFlush(t *testing.T) {
	r := newRig(t, nil)
	for i := range 200 {
		r.put(fmt.Sprint("k", i), strings.Repeat("v", 1000), minute("/x"))
	}
	r.sync()
	res, err := r.s.Flush(context.Background())
	if err != nil || res.Entries != 200 {
		t.Fatalf("%+v, %v", res, err)
	}
	for i := range 200 {
		r.want(fmt.Sprint("k", i), "")
	}
	r.put("k1", "new", minute("/x"))
	r.reopen()
	r.want("k1", "new")
	r.want("k2", "")
	if dirs, _ := filepath.Glob(filepath.Join(r.dir, "gen-*")); len(dirs) != 1 {
		t.Fatalf("left behind: %v", dirs)
	}
}

func TestOldVersionStaysDead(t *testing.T) {
	long, short := Meta{TTL: time.Hour}, Meta{TTL: 30 * time.Second}
	t.Run("replaced by one that expires sooner", func(t *testing.T) {
		r := newRig(t, nil)
		r.put("a", "old", long)
		r.sync()
		r.put("a", "new", short)
		r.reopen()
		r.want("a", "new")
		r.clock.Advance(time.Minute)
		r.want("a", "")
		r.reopen()
		r.want("a", "")
	})
	t.Run("replaced by one that lives in memory alone", func(t *testing.T) {
		r := newRig(t, nil)
		r.put("a", "old", long)
		r.sync()
		r.put("a", "new", Meta{TTL: time.Second})
		r.want("a", "new")
		r.reopen()
		r.want("a", "")
	})
	t.Run("replaced by one whose disk copy was dropped", func(t *testing.T) {
		r := newRig(t, nil)
		r.put("a", "old", long)
		r.sync()
		r.s.gen.Load().disk.FailForTest(true)
		r.put("a", "new", long)
		r.s.gen.Load().disk.FailForTest(false)
		r.want("a", "new")
		r.reopen()
		r.want("a", "")
	})
	t.Run("removed because its successor may not be stored", func(t *testing.T) {
		r := newRig(t, nil)
		r.put("a", "old", long)
		r.sync()
		l := r.lease("a")
		l.Forget()
		l.Abandon(nil)
		r.want("a", "")
		r.reopen()
		r.want("a", "")
	})
}

func TestWrongKeyTouchesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", "v", minute("/"))
	r.close()
	right := r.o.Key
	before := snapshot(t, r.dir)
	r.o.Key = crypto.NewRootKey()
	_, err := Open(r.dir, r.o)
	var wrong *crypto.WrongKeyError
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	if after := snapshot(t, r.dir); after != before {
		t.Fatalf("changed on disk:\n%s\n%s", before, after)
	}
	r.o.Key, r.o.OldKeys = crypto.NewRootKey(), []*crypto.RootKey{right}
	r.open() // re-wrapped
	r.want("a", "v")
	r.close()
	r.o.OldKeys = nil
	r.open()
	r.want("a", "v")
	r.close()
	r.o.Key = right
	if _, err := Open(r.dir, r.o); !errors.As(err, &wrong) {
		t.Fatalf("the old key still opens: %v", err)
	}
}

// snapshot is the names, sizes and contents' lengths below dir, without the lock file.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "LOCK" {
			data, _ := os.ReadFile(p)
			fmt.Fprintf(&b, "%s %x\n", p, crypto.NewStageKey("x").Stage()+fmt.Sprint(len(data), bytes.Count(data, []byte{0})))
		}
		return nil
	})
	return b.String()
}

func TestDamagedKeyOrPurgeListBeginsNewGeneration(t *testing.T) {
	for _, file := range []string{"stage.key", "gen-*/purges.db"} {
		for _, how := range []string{"flipped", "emptied", "removed"} {
			t.Run(file+" "+how, func(t *testing.T) {
				r := newRig(t, nil)
				r.put("a", "v", minute("/a", "t"))
				if _, err := r.s.Purge(context.Background(), Tag("u"), Hard); err != nil {
					t.Fatal(err)
				}
				r.put("b", "v", minute("/b", "t"))
				r.close()
				paths, _ := filepath.Glob(filepath.Join(r.dir, file))
				if len(paths) != 1 {
					t.Fatalf("%v", paths)
				}
				data, _ := os.ReadFile(paths[0])
				switch how {
				case "flipped":
					for i := range data {
						data[i] ^= 0x10
					}
					os.WriteFile(paths[0], data, 0o600)
				case "emptied":
					os.WriteFile(paths[0], nil, 0o600)
				case "removed":
					os.Remove(paths[0])
				}
				r.open()
				r.want("a", "")
				if got := r.s.Stats().Quarantined; got != 1 {
					t.Errorf("quarantined: %d", got)
				}
				r.put("a", "new", minute("/a"))
				r.reopen()
				r.want("a", "new")
			})
		}
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	r := newRig(t, nil)
	if _, err := Open(r.dir, r.o); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	key := crypto.NewRootKey()
	for name, o := range map[string]Options{
		"no key":         {},
		"both":           {Key: key, Plain: true},
		"small capacity": {Key: key, Capacity: 1 << 20},
		"small memory":   {Key: key, Memory: 1 << 20},
		"huge objects":   {Key: key, MaxObject: 1 << 30},
	} {
		if s, err := Open(t.TempDir(), o); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPlainStore(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Key, o.Plain = nil, true })
	r.put("a", "v", Meta{TTL: time.Minute, Plain: true})
	r.reopen()
	if !r.want("a", "v").Plain {
		t.Fatal("not marked plain")
	}
	// A root key from now on: what was open to anybody is not carried on.
	r.close()
	r.o.Key, r.o.Plain = crypto.NewRootKey(), false
	r.open()
	r.want("a", "")
	r.close()
	r.o.Key, r.o.Plain = nil, true
	if _, err := Open(r.dir, r.o); err == nil {
		t.Fatal("a wrapped store opened without a key")
	}
	r.o.Key, r.o.Plain = crypto.NewRootKey(), false
}

func TestLimits(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxObject = 1000 })
	if err := r.lease("a").Put(make([]byte, 1001), minute("/")); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := r.lease("a").Put(nil, minute("/", make([]string, 129)...)); !errors.Is(err, ErrTooManyTags) {
		t.Error(err)
	}
	if err := r.lease("a").Put(nil, minute("/", strings.Repeat("t", MaxTagBytes+1))); !errors.Is(err, ErrTooManyTags) {
		t.Error(err)
	}
	if _, err := r.s.Get(nil, nil); !errors.Is(err, ErrBadKey) {
		t.Error(err)
	}
	r.put("a", "", minute("/"))
	if e, err := r.s.Get(nil, []byte("a")); err != nil || len(e.Value) != 0 {
		t.Error(e, err)
	}
}

func TestVariantUnderALease(t *testing.T) {
	r := newRig(t, nil)
	l := r.lease("a")
	if err := l.PutKey([]byte("a\x00gzip"), []byte("variant"), minute("/a")); err != nil {
		t.Fatal(err)
	}
	if err := l.Put([]byte("marker"), minute("/a")); err != nil {
		t.Fatal(err)
	}
	r.want("a\x00gzip", "variant")
	if err := l.PutKey([]byte("a\x00br"), []byte("late"), minute("/a")); err == nil {
		t.Fatal("put under a lease that has ended")
	}
	l = r.lease("a")
	if _, err := r.s.Purge(context.Background(), Key([]byte("a")), Hard); err != nil {
		t.Fatal(err)
	}
	if err := l.PutKey([]byte("a\x00gzip"), []byte("old"), minute("/a")); !errors.Is(err, ErrPurged) {
		t.Fatalf("the leased key was purged: %v", err)
	}
	l.Abandon(nil)
}

func TestMemoryHitDoesNotAllocate(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", strings.Repeat("v", 1000), minute("/products/1", "t"))
	key, dst := []byte("a"), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.s.Get(dst, key); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestCompactShrinksAndKeepsWhatLives(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Block = true })
	for i := range 4000 {
		tag := "dead"
		if i%10 == 0 {
			tag = "live"
		}
		r.put(fmt.Sprint("k", i), string(noise(i, 2000)), Meta{TTL: time.Hour, Path: "/x", Tags: []string{tag}})
	}
	r.sync()
	if _, err := r.s.Purge(context.Background(), Tag("dead"), Hard); err != nil {
		t.Fatal(err)
	}
	before := r.s.Stats().DiskBytes
	p, err := r.s.Compact(context.Background(), nil)
	if err != nil || !p.Done || p.EntriesMoved != 400 {
		t.Fatalf("%+v, %v", p, err)
	}
	after := r.s.Stats().DiskBytes
	if after > before/5 || before-after != p.BytesReclaimed {
		t.Fatalf("%d bytes before, %d after, said to be reclaimed %d", before, after, p.BytesReclaimed)
	}
	check := func() {
		t.Helper()
		for i := range 4000 {
			if i%10 == 0 {
				r.want(fmt.Sprint("k", i), string(noise(i, 2000)))
			} else {
				r.want(fmt.Sprint("k", i), "")
			}
		}
	}
	check()
	r.reopen()
	check()
	if rep, err := verifyClosed(r); err != nil || len(rep.Damaged) != 0 || rep.Records != 400 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func verifyClosed(r *rig) (VerifyReport, error) {
	r.close()
	defer r.open()
	return Verify(r.dir, VerifyOptions{Key: r.o.Key})
}

func noise(seed, n int) []byte {
	b := make([]byte, n)
	x := uint64(seed)*2862933555777941757 + 3037000493
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 32)
	}
	return b
}

// TestWhatIsAskedForStaysInMemory guards against plain first-in-first-out: an entry that is read all the time outlives many
// times the memory's size of others.
func TestWhatIsAskedForStaysInMemory(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Block = true })
	r.put("hot", "v", minute("/"))
	r.put("cold", "v", minute("/"))
	other := string(noise(1, 100_000))
	for i := range 1500 { // 150 MB through 32 MiB
		r.put(fmt.Sprint("other", i), other, Meta{TTL: time.Second})
		r.want("hot", "v")
	}
	if e := r.want("hot", "v"); e.Tier != Memory {
		t.Error("the entry that was read all the time fell out of memory")
	}
	if e := r.want("cold", "v"); e.Tier != Disk {
		t.Error("nothing ever falls out of memory, so this test shows nothing")
	}
}
