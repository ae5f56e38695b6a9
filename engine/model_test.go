package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// The rule of this file: a store answers like a plain map with clocks, whatever is done to it and in whatever order.

// modelEntry is what a plain map knows of an entry.
type modelEntry struct {
	value         string
	path          string
	tags          []string
	fresh, retain time.Time
	onDisk        bool // else it lives in memory alone, and a restart loses it
	soft          bool
}

// modelPurge is one purge or flush; what was filled before it is gone.
type modelPurge struct {
	at      int
	mode    PurgeMode
	matches func(key string, e *modelEntry) bool
}

// modelLease is a fill in progress.
type modelLease struct {
	l     *Lease
	key   string
	began int
}

type storeModel struct {
	*rig
	r      *rand.Rand
	m      map[string]*modelEntry
	purges []modelPurge
	leases []modelLease
	tick   int
	hits   int
	stale  int
	log    []string
	// Set for a store that evicts from its entrance: more keys, larger values, less of what leaves nothing to evict, and crashes.
	entrance bool
	dead     *atomic.Bool // no operation on the disk takes effect
	seen     entranceSeen
}

var modelPaths = []string{"/", "/a", "/a/", "/a/1", "/a/2", "/a/2/x", "/b/1", "/b/2/x", "/ab", ""}

func (m *storeModel) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf("%d ", m.tick)+fmt.Sprintf(format, args...))
}

func (m *storeModel) fatal(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(m.log[max(0, len(m.log)-60):], "\n"))
}

func (m *storeModel) randomKey() string {
	if m.entrance && m.r.IntN(2) == 0 {
		return fmt.Sprint("key ", m.r.IntN(modelCold))
	}
	return fmt.Sprint("key ", m.r.IntN(25))
}

// modelCold is how many keys there are where there is an entrance: more than the store has room for.
const modelCold = 800

// refused tells whether a fill that began then may not land any more.
func (m *storeModel) refused(key string, began int, e *modelEntry) bool {
	for _, p := range m.purges {
		if p.at > began && p.matches(key, e) {
			return true
		}
	}
	return false
}

func (m *storeModel) begin() {
	key := m.randomKey()
	for _, f := range m.leases {
		if f.key == key {
			return // it is being filled
		}
	}
	l, err := m.s.Lease(context.Background(), []byte(key), LeaseOptions{Refresh: true})
	if err != nil || !l.Held {
		m.fatal("lease of %s: %+v, %v", key, l, err)
	}
	m.leases = append(m.leases, modelLease{l, key, m.tick})
	m.note("fill of %s begins", key)
}

func (m *storeModel) end() {
	if len(m.leases) == 0 {
		return
	}
	i := m.r.IntN(len(m.leases))
	f := m.leases[i]
	m.leases = append(m.leases[:i], m.leases[i+1:]...)
	switch m.r.IntN(12) {
	case 0:
		f.l.Abandon(nil)
		m.note("fill of %s is abandoned", f.key)
		return
	case 1:
		f.l.Forget()
		f.l.Abandon(nil)
		m.note("%s is forgotten", f.key)
		delete(m.m, f.key)
		return
	}
	now := m.clock.Wall()
	e := &modelEntry{path: modelPaths[m.r.IntN(len(modelPaths))]}
	for range m.r.IntN(3) {
		e.tags = append(e.tags, fmt.Sprint("tag ", m.r.IntN(4)))
	}
	ttl := []time.Duration{time.Second, 8 * time.Second, 30 * time.Second, time.Minute, 10 * time.Minute, 2 * time.Hour}[m.r.IntN(6)]
	retain := []time.Duration{0, time.Second, time.Minute}[m.r.IntN(3)]
	e.fresh, e.retain = now.Add(ttl), now.Add(ttl+retain)
	e.onDisk = m.o.Memory == 0 || ttl+retain >= shortLived
	e.value = fmt.Sprintf("%s at %d %s", f.key, m.tick, strings.Repeat("text ", m.r.IntN(400)))
	if m.entrance {
		e.value += string(noise(m.tick, m.r.IntN(12_000)))
	}
	err := f.l.Put([]byte(e.value), Meta{TTL: ttl, Retain: retain, Path: e.path, Tags: e.tags, Plain: m.r.IntN(3) == 0})
	m.note("%s is put: %v %v %q, for %v and %v: %v", f.key, e.path, e.tags, e.value[:12], ttl, retain, err)
	if m.refused(f.key, f.began, e) {
		if !errors.Is(err, ErrPurged) {
			m.fatal("%s: a fill that began before a purge landed: %v", f.key, err)
		}
		return
	}
	if err != nil {
		m.fatal("%s: put: %v", f.key, err)
	}
	m.m[f.key] = e
}

func (m *storeModel) get(key string) {
	m.t.Helper()
	got, err := m.s.Get(nil, []byte(key))
	e, now := m.m[key], m.clock.Wall()
	if m.entrance && errors.Is(err, ErrMiss) {
		return // Evicted. Or its segment is, and it waits to be written to another: then it is there again later.
	}
	if e == nil || !now.Before(e.retain) {
		if !errors.Is(err, ErrMiss) {
			m.fatal("%s: got %.30q, %v; want a miss", key, got.Value, err)
		}
		return
	}
	if err != nil || string(got.Value) != e.value {
		m.fatal("%s: got %.30q, %v; want %.30q", key, got.Value, err, e.value)
	}
	stale := e.soft || !now.Before(e.fresh)
	if got.Stale != stale || !got.Expires.Equal(e.fresh) || !got.Retain.Equal(e.retain) {
		m.fatal("%s: stale %v until %v and %v; want %v, %v, %v", key, got.Stale, got.Expires, got.Retain, stale, e.fresh, e.retain)
	}
	if m.hits++; stale {
		m.stale++
	}
}

func (m *storeModel) purge() {
	mode := PurgeMode(m.r.IntN(2))
	p := modelPurge{mode: mode}
	var t Target
	what := m.r.IntN(5)
	if m.rare() {
		what = 0
	}
	switch what {
	case 0:
		key := m.randomKey()
		t, p.matches = Key([]byte(key)), func(k string, _ *modelEntry) bool { return k == key }
	case 1:
		tag := fmt.Sprint("tag ", m.r.IntN(4))
		t, p.matches = Tag(tag), func(_ string, e *modelEntry) bool { return strings.Contains(strings.Join(e.tags, ",")+",", tag+",") }
	case 2:
		path := modelPaths[m.r.IntN(len(modelPaths)-1)]
		t, p.matches = Path(path), func(_ string, e *modelEntry) bool { return e.path == path }
	case 3:
		prefix := modelPaths[m.r.IntN(len(modelPaths)-1)]
		t, p.matches = Prefix(prefix), func(_ string, e *modelEntry) bool { return e.path != "" && strings.HasPrefix(e.path, prefix) }
	case 4:
		pattern := []string{"/*/1", "/a/*/x", "/*/2*", "/a/*", "/*", "/b/*/x"}[m.r.IntN(6)]
		// A star stands for one segment that is not empty, at the end for any rest.
		expr := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(pattern, "*")), `\*`, "[^/]+")
		if strings.HasSuffix(pattern, "*") {
			expr += ".*"
		}
		re := regexp.MustCompile("^" + expr + "$")
		t, p.matches = Pattern(pattern), func(_ string, e *modelEntry) bool { return e.path != "" && re.MatchString(e.path) }
	}
	hit := 0
	for k, e := range m.m {
		if p.matches(k, e) && m.clock.Wall().Before(e.retain) {
			hit++
		}
	}
	res, err := m.s.Purge(context.Background(), t, mode)
	if err != nil {
		m.fatal("purge: %v", err)
	}
	m.note("purge of %+v, mode %d", t, mode)
	if res.AtMost < int64(hit) && !m.entrance { // some of what it hit may be evicted already
		m.fatal("it says at most %d, and hit %d", res.AtMost, hit)
	}
	m.apply(p)
}

func (m *storeModel) apply(p modelPurge) {
	m.tick++
	p.at = m.tick
	m.purges = append(m.purges, p)
	for k, e := range m.m {
		switch {
		case !p.matches(k, e):
		case p.mode == Soft:
			e.soft = true
		default:
			delete(m.m, k)
		}
	}
}

func (m *storeModel) restart(rotate bool) {
	old := m.o.Key
	if rotate {
		m.o.Key, m.o.OldKeys = crypto.NewRootKey(), []*crypto.RootKey{old}
	} else {
		m.o.OldKeys = nil
	}
	m.note("restart, rotate %v", rotate)
	if m.entrance && m.r.IntN(2) == 0 {
		m.crash()
	} else {
		m.reopen()
	}
	for _, f := range m.leases {
		if err := f.l.Put([]byte("late"), Meta{TTL: time.Minute}); !errors.Is(err, ErrClosed) {
			m.fatal("a fill landed in a store that was closed: %v", err)
		}
	}
	m.leases = nil
	for k, e := range m.m {
		if !e.onDisk {
			delete(m.m, k)
		}
	}
}

// crash leaves the disk as it is after a Sync, with whatever is being evicted or moved just then, and starts again.
func (m *storeModel) crash() {
	m.sync()
	m.dead.Store(true)
	_ = m.s.Close() // it cannot write what it should
	m.dead.Store(false)
	m.open()
}

// rare tells whether something is to be left out that would leave nothing to evict.
func (m *storeModel) rare() bool { return m.entrance && m.r.IntN(40) > 0 }

func (m *storeModel) step() {
	m.tick++
	x := m.r.IntN(200)
	if x >= 192 && m.rare() || x == 178 && m.entrance {
		// Not a compaction or restart. Nor a flush: until what was flushed is gone from so small a disk, nothing can be put.
		x = m.r.IntN(165)
	}
	if m.tick%50 == 0 && m.entrance {
		m.seen = m.seen.max(entranceOf(m.s))
	}
	switch {
	case x < 60:
		m.get(m.randomKey())
	case x < 110:
		m.begin()
	case x < 165:
		m.end()
	case x < 178:
		m.purge()
	case x < 179:
		if _, err := m.s.Flush(context.Background()); err != nil {
			m.fatal("flush: %v", err)
		}
		m.note("flush")
		m.apply(modelPurge{mode: Hard, matches: func(string, *modelEntry) bool { return true }})
	case x < 190:
		d := []time.Duration{time.Millisecond, time.Second, 5 * time.Second, 40 * time.Second, 5 * time.Minute}[m.r.IntN(5)]
		if m.rare() {
			d = (d / 10).Truncate(time.Millisecond)
		}
		m.clock.Advance(d)
		m.note("%v pass", d)
	case x < 192:
		m.sync()
	case x < 195:
		if p, err := m.s.Compact(context.Background(), nil); err != nil || !p.Done {
			m.fatal("compact: %+v, %v", p, err)
		}
		m.note("compact")
	case x < 198:
		m.restart(false)
	default:
		m.restart(true)
	}
}

func TestStoreIsAMap(t *testing.T) {
	for _, memory := range []int64{0, MinMemory} {
		t.Run(fmt.Sprint("memory ", memory), func(t *testing.T) {
			var hits, stale int
			for seed := range rounds(3, 12, 1000) {
				r := newScratchRig(t, func(o *Options) { o.Memory, o.Block, o.Capacity = memory, true, 1<<30 })
				m := &storeModel{rig: r, r: rand.New(rand.NewPCG(uint64(seed), uint64(memory))), m: make(map[string]*modelEntry)}
				for range 1500 {
					m.step()
				}
				for n := range 25 {
					m.get(fmt.Sprint("key ", n))
				}
				if st := r.s.Stats(); st.Quarantined != 0 || st.SpillDropped != 0 {
					t.Fatalf("seed %d: %+v", seed, st)
				}
				r.close()
				if rep, err := Verify(r.dir, VerifyOptions{Key: r.o.Key}); err != nil || len(rep.Damaged) > 0 {
					t.Fatalf("seed %d: %+v, %v", seed, rep, err)
				}
				hits, stale = hits+m.hits, stale+m.stale
			}
			if hits < 100 || stale < 10 {
				t.Errorf("%d hits, %d of them stale: the test tests nothing", hits, stale)
			}
		})
	}
}

// The same of a store that evicts all the time, and so may have forgotten what it was given. But it never answers with what came before that,
// whatever restart or crash there was.
func TestStoreThatEvictsIsAMap(t *testing.T) {
	var seen entranceSeen
	hits := 0
	for seed := range rounds(2, 8, 1000) {
		dead := new(atomic.Bool)
		fs := &vfs.Faulty{FS: vfs.OS, Hook: func(int64, string, string) vfs.Verdict {
			if dead.Load() {
				return vfs.Fail
			}
			return vfs.Pass
		}}
		r := newScratchRig(t, func(o *Options) {
			withEntrance(o)
			o.Memory, o.Block, o.FS = int64(seed%2)*MinMemory, true, fs
		})
		m := &storeModel{rig: r, r: rand.New(rand.NewPCG(uint64(seed), 77)), m: make(map[string]*modelEntry), entrance: true, dead: dead}
		for range 12_000 {
			m.step()
		}
		for n := range modelCold {
			m.get(fmt.Sprint("key ", n))
		}
		if st := r.s.Stats(); st.Quarantined != 0 || st.SpillDropped != 0 {
			t.Fatalf("seed %d: %+v", seed, st)
		}
		r.close()
		hits += m.hits
		seen.add(m.seen)
	}
	t.Logf("%d hits, %+v", hits, seen)
	if err := seen.missing(); err != nil || hits < 1000 {
		t.Errorf("%d hits, %v", hits, err)
	}
}

// Whoever asks after a purge or flush was acknowledged never sees what was filled before it began, however many fill, purge, flush
// and compact at the same time; and at the end nothing is left running.
func TestNobodySeesWhatWasPurged(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newScratchRig(t, func(o *Options) { o.Capacity = 32 << 20 })
	const groups, keys = 4, 40
	var clock atomic.Int64
	type moments struct{ any, hard int64 } // when the newest purge that is acknowledged began
	var acknowledged [groups]atomic.Pointer[moments]
	for g := range acknowledged {
		acknowledged[g].Store(new(moments))
	}
	raise := func(g int, at int64, mode PurgeMode) {
		for {
			was := acknowledged[g].Load()
			now := *was
			now.any = max(now.any, at)
			if mode == Hard {
				now.hard = max(now.hard, at)
			}
			if acknowledged[g].CompareAndSwap(was, &now) {
				return
			}
		}
	}
	ctx := context.Background()
	var workers sync.WaitGroup
	var hits, fills, refused atomic.Int64
	check := func(n int, since *moments, e Entry) {
		var key int
		var filled int64
		if _, err := fmt.Sscanf(string(e.Value), "%d %d ", &key, &filled); err != nil || key != n {
			t.Errorf("key %d: got %.20q", n, e.Value)
		}
		if filled < since.hard || filled < since.any && !e.Stale {
			t.Errorf("key %d: filled at %d, purged at %+v, stale %v", n, filled, since, e.Stale)
		}
		hits.Add(1)
	}
	steps := rounds(500, 3000, 200_000)
	for w := range 6 {
		workers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 9))
			for range steps {
				n := rnd.IntN(keys)
				g := n % groups
				key := []byte(fmt.Sprint("k", n))
				since := acknowledged[g].Load()
				if e, err := r.s.Get(nil, key); err == nil {
					check(n, since, e)
					if rnd.IntN(4) > 0 {
						continue
					}
				}
				since = acknowledged[g].Load()
				l, err := r.s.Lease(ctx, key, LeaseOptions{Path: fmt.Sprintf("/g%d/%d", g, n), Refresh: rnd.IntN(3) == 0})
				switch {
				case err != nil:
					t.Errorf("lease: %v", err)
				case l.Found != nil:
					check(n, since, *l.Found)
				case !l.Held:
					if e, err := l.Wait(ctx); err == nil {
						check(n, since, e)
					}
				case rnd.IntN(10) == 0:
					l.Abandon(nil)
				default:
					began := clock.Add(1)
					// Some fills take long enough for a purge or two.
					for i, until := 0, clock.Load()+2; rnd.IntN(4) == 0 && i < 200 && clock.Load() < until; i++ {
						runtime.Gosched()
					}
					value := fmt.Sprintf("%d %d %s", n, began, strings.Repeat("x", rnd.IntN(3000)))
					m := Meta{TTL: time.Hour, Path: fmt.Sprintf("/g%d/%d", g, n), Tags: []string{fmt.Sprint("g", g)}}
					if rnd.IntN(5) == 0 {
						m.TTL = time.Second
					}
					switch err := l.Put([]byte(value), m); {
					case errors.Is(err, ErrPurged):
						refused.Add(1)
					case err != nil:
						t.Errorf("put: %v", err)
					default:
						fills.Add(1)
					}
				}
			}
		})
	}
	var helpers sync.WaitGroup
	stop := make(chan struct{})
	again := func(fn func(i int)) {
		helpers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					fn(i)
				}
			}
		})
	}
	again(func(i int) {
		g, began := i%groups, clock.Add(1)
		target := []Target{Tag(fmt.Sprint("g", g)), Prefix(fmt.Sprintf("/g%d/", g)), Pattern(fmt.Sprintf("/g%d/*", g))}[i/groups%3]
		mode := PurgeMode(i / 7 % 2)
		if _, err := r.s.Purge(ctx, target, mode); err != nil {
			t.Errorf("purge: %v", err)
		}
		raise(g, began, mode)
	})
	again(func(i int) {
		began := clock.Add(1)
		if _, err := r.s.Flush(ctx); err != nil {
			t.Errorf("flush: %v", err)
		}
		for g := range groups {
			raise(g, began, Hard)
		}
		for range 20 { // not all the time, or there is never anything to see
			_, _ = r.s.Compact(ctx, nil) // a flush in between ends it
			_ = r.s.Stats()
			_ = r.s.Sync() // likewise
		}
	})
	workers.Wait()
	close(stop)
	helpers.Wait()
	t.Logf("%d hits, %d fills, %d refused", hits.Load(), fills.Load(), refused.Load())
	if hits.Load() < 50 || fills.Load() < 50 || refused.Load() == 0 {
		t.Error("the test tests nothing")
	}
	r.close()
	r.open()
	r.close()
}

// A flush under load leaves nothing of the old generation behind.
func TestFlushUnderLoadLeavesNothing(t *testing.T) {
	var mu sync.Mutex
	var events []string
	r := newScratchRig(t, func(o *Options) {
		o.Capacity, o.Memory = 64<<20, 0
		o.Report = func(event, file string, err error) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, fmt.Sprint(event, " ", file, " ", err))
		}
	})
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		workers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				l, err := r.s.Lease(context.Background(), fmt.Append(nil, w, "/", i), LeaseOptions{})
				if err != nil {
					t.Errorf("lease: %v", err)
					return
				}
				// A full queue, or a flush in between: both are refusals.
				_ = l.Put(noise(i, 20_000), Meta{TTL: []time.Duration{30 * time.Second, time.Hour}[i%2]})
			}
		})
	}
	for range rounds(10, 30, 1000) {
		if _, err := r.s.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	workers.Wait()
	r.close()
	mu.Lock()
	defer mu.Unlock()
	if len(events) > 0 {
		t.Errorf("reported: %s", strings.Join(events, "\n"))
	}
	if dirs := glob(t, r.dir, genPrefix+"*"); len(dirs) != 1 {
		t.Errorf("generations left: %v", dirs)
	}
}

// A flush waits for the old generation's writer before it removes the files, or one that the writer is just making stays behind.
func TestFlushRemovesAfterTheLastWrite(t *testing.T) {
	var released atomic.Bool
	var early atomic.Int64
	release, making := make(chan struct{}), make(chan struct{}, 100)
	var old atomic.Pointer[generation]
	fs := &vfs.Faulty{FS: vfs.OS, Hook: func(_ int64, op, name string) vfs.Verdict {
		g := old.Load()
		if g == nil || !strings.HasPrefix(name, g.dir) {
			return vfs.Pass
		}
		switch {
		case op == "open":
			making <- struct{}{}
			<-release
		case op == "remove" && !released.Load():
			early.Add(1)
		}
		return vfs.Pass
	}}
	r := newScratchRig(t, func(o *Options) { o.FS, o.Memory = fs, 0 })
	g := r.s.gen.Load()
	r.put("a", "v", Meta{TTL: time.Hour})
	old.Store(g)
	synced := make(chan error)
	go func() { synced <- g.disk.Sync() }()
	<-making // the writer makes a segment
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		runtime.Gosched() // time for who does not wait
	}
	released.Store(true)
	close(release)
	<-synced
	r.reopen()
	if n := early.Load(); n > 0 {
		t.Errorf("%d files were removed under the writer's hands", n)
	}
	if dirs := glob(t, r.dir, genPrefix+"*"); len(dirs) != 1 {
		t.Errorf("generations left: %v", dirs)
	}
}

// What was read from the disk before a newer version came is not copied to memory after it.
func TestPromotionLooksAgain(t *testing.T) {
	r := newScratchRig(t, nil)
	r.put("a", "old", Meta{TTL: time.Hour})
	r.reopen() // memory is empty
	key := []byte("a")
	g := r.s.gen.Load()
	h := g.hasher.Sum(key)
	blob, f, err := g.disk.Get(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, settle := range []bool{false, true} {
		r.put("a", "new", Meta{TTL: time.Hour})
		if settle {
			r.sync()
		}
		r.s.promote(g, key, h, f, blob)
		r.want("a", "new")
	}
	// Nor is what was there before a flush.
	blob, f, err = g.disk.Get(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.s.promote(g, key, h, f, blob)
	r.want("a", "")
}
