package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/need"
	"stagecache/internal/vfs"
)

// The rule of this file is that of crash_test.go, with processes that are killed for real, at a moment that nobody chose, while many
// goroutines put, purge, flush, sync and compact. The parent keeps what is to be expected, by what its child has told before and after
// each step.

const (
	killDir    = "STAGECACHE_TEST_KILL"
	killSeed   = "STAGECACHE_TEST_KILL_SEED"
	killRoot   = "root.key"
	killMarker = "neverInTheClear" // in every key, path, tag and value
	killKeys   = 40                // of each worker
	killers    = 4                 // workers
	killCold   = 1500              // of each worker: keys beyond the others, where there is an entrance
)

// killOptions are the same in parent and child. The small capacity makes the store evict all the time.
func killOptions(dir string) (Options, error) {
	o := Options{Name: "stage", Capacity: 64 << 20, Memory: MinMemory, Block: true}
	switch {
	case strings.HasSuffix(dir, "small"):
		o.Capacity = MinCapacity
	case killEntrance(dir):
		o.Memory = 0 // so that the disk is asked
		withEntrance(&o)
	}
	var err error
	o.Key, err = crypto.ReadKeyFile(filepath.Join(dir, killRoot))
	return o, err
}

func killEntrance(dir string) bool { return strings.HasSuffix(dir, "entrance") }

// killTTL is longer than any test. Where there is an entrance, the order in which entries expire is not that in which they are put.
func killTTL(dir string, k, version int) time.Duration {
	if killEntrance(dir) {
		return 24*time.Hour + time.Duration((k*31+version*17)%100)*time.Minute
	}
	return 24 * time.Hour
}

// Of a key's number follow its name, path and tag.
func killKey(k int) string  { return fmt.Sprint(killMarker, "-key-", k) }
func killPath(k int) string { return fmt.Sprint("/", killMarker, "/", k%5, "/", k) }
func killTag(k int) string  { return fmt.Sprint(killMarker, "-tag-", k%killKeys%7) }

// killValue tells key and version, and is as long as they say.
func killValue(k, version int) string {
	head := fmt.Sprint(killMarker, " ", k, " ", version, " ")
	return head + string(noise(k<<20+version, (k*7919+version*104729)%12_000))
}

// A killPurge goes by its number.
func killTarget(n int) (t Target, mode PurgeMode, hits func(k int) bool) {
	if n%5 == 4 {
		mode = Soft
	}
	switch k := n / 5 % (killers * killKeys); n % 3 {
	case 0:
		return Key([]byte(killKey(k))), mode, func(o int) bool { return o == k }
	case 1:
		return Tag(killTag(k)), mode, func(o int) bool { return killTag(o) == killTag(k) }
	default:
		return Prefix(fmt.Sprint("/", killMarker, "/", k%5, "/")), mode, func(o int) bool { return o%5 == k%5 }
	}
}

// killChild works until it is killed. Each step is a line before it begins and one when it has ended well; a put that was refused is one
// too.
func killChild(dir string) {
	var seed uint64
	if _, err := fmt.Sscan(os.Getenv(killSeed), &seed); err != nil {
		panic(err)
	}
	say := func(format string, args ...any) { // a short write to a pipe is whole or not at all
		_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n") // who does not listen any more is about to kill
	}
	say("begun")
	o, err := killOptions(dir)
	if err != nil {
		panic(err)
	}
	s, err := Open(filepath.Join(dir, "stage"), o)
	if err != nil {
		panic(err)
	}
	say("open")
	entrance := killEntrance(dir)
	ctx := context.Background()
	var versions atomic.Int64
	versions.Store(int64(seed << 16))
	for w := range killers {
		go func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			var cold []int // put last
			for {
				k, v := w*killKeys+r.IntN(killKeys), int(versions.Add(1))
				if entrance && r.IntN(3) > 0 {
					k = killers*killKeys + w*killCold + r.IntN(killCold)
					cold = append(cold, k)
				}
				say("put %d %d", k, v)
				l, err := s.Lease(ctx, []byte(killKey(k)), LeaseOptions{Refresh: true})
				if err == nil {
					err = l.Put([]byte(killValue(k, v)), Meta{TTL: killTTL(dir, k, v), Path: killPath(k), Tags: []string{killTag(k)}})
				}
				switch {
				case err == nil:
					say("stored %d %d", k, v)
				case errors.Is(err, ErrPurged):
					say("refused %d %d", k, v)
				default:
					panic(err)
				}
				asked := r.IntN(killers * killKeys)
				if len(cold) > 8 && r.IntN(2) == 0 {
					asked = cold[r.IntN(8)] // on the disk by now, and in the entrance
					cold = cold[len(cold)-8:]
				}
				if _, err := s.Get(nil, []byte(killKey(asked))); err != nil && !errors.Is(err, ErrMiss) {
					panic(err)
				}
			}
		}()
	}
	r := rand.New(rand.NewPCG(seed, 99))
	for n := 0; ; n++ {
		var err error
		what, number := "sync", r.IntN(1<<20)
		switch i := r.IntN(20); {
		case i < 8:
			what = "purge"
		case i == 8:
			what = "flush"
		case i == 9:
			what = "compact"
		}
		if entrance && (what == "flush" || (what == "compact" || what == "purge" && number%3 != 0) && r.IntN(30) > 0) {
			what = "sync" // those leave little to evict; and until what was flushed is gone from so small a disk, nothing can be put
		}
		say("%s %d", what, number)
		switch what {
		case "sync":
			err = s.Sync()
		case "purge":
			t, mode, _ := killTarget(number)
			_, err = s.Purge(ctx, t, mode)
		case "flush":
			_, err = s.Flush(ctx)
		case "compact":
			_, err = s.Compact(ctx, nil)
		}
		if err != nil {
			panic(err)
		}
		say("%s-done %d", what, number)
		if entrance {
			e := entranceOf(s)
			say("entrance %d %d %d", e.evicted, e.moved, e.fell)
		}
	}
}

// killFate is what is known of one version.
type killFate struct {
	stored, sure, maybe, gone, soft bool
}

// lose says that it was not there after a kill: no later Sync acknowledges it, and it does not come back.
func (f *killFate) lose() { f.gone, f.stored = true, false }

// killStep is a step of the child that has begun.
type killStep struct {
	hits func(k int) bool
	mode PurgeMode
	was  []*killFate // stored before it began
}

// killModel is what the parent knows: the fates by key and version.
type killModel struct {
	keys map[int]map[int]*killFate
	open map[string]*killStep
	seen entranceSeen // of the generation that the child was at work on last
}

func (m *killModel) each(hits func(k int) bool, fn func(*killFate)) {
	for k, versions := range m.keys {
		if hits == nil || hits(k) {
			for _, f := range versions {
				fn(f)
			}
		}
	}
}

// hear takes a line of the child.
func (m *killModel) hear(line string) error {
	what, rest, _ := strings.Cut(line, " ")
	var k, v int
	switch what {
	case "begun", "open":
	case "---": // it panics, and says why elsewhere
	case "entrance":
		_, err := fmt.Sscan(rest, &m.seen.evicted, &m.seen.moved, &m.seen.fell)
		return err
	case "put":
		if _, err := fmt.Sscan(rest, &k, &v); err != nil {
			return err
		}
		if m.keys[k] == nil {
			m.keys[k] = make(map[int]*killFate)
		}
		f := &killFate{}
		for _, s := range m.open {
			f.maybe = f.maybe || s.hits != nil && s.hits(k)
		}
		m.keys[k][v] = f
	case "stored", "refused":
		if _, err := fmt.Sscan(rest, &k, &v); err != nil {
			return err
		}
		f := m.keys[k][v]
		f.stored, f.gone = what == "stored", what == "refused"
	case "sync", "purge", "flush", "compact":
		s := &killStep{}
		switch what {
		case "purge":
			if _, err := fmt.Sscan(rest, &k); err != nil {
				return err
			}
			_, s.mode, s.hits = killTarget(k)
		case "flush":
			s.hits, s.mode = func(int) bool { return true }, Hard
		}
		m.each(s.hits, func(f *killFate) {
			f.maybe = f.maybe || s.hits != nil
			if f.stored {
				s.was = append(s.was, f)
			}
		})
		m.open[what] = s
	case "sync-done", "purge-done", "flush-done", "compact-done":
		what = strings.TrimSuffix(what, "-done")
		s := m.open[what]
		delete(m.open, what)
		for _, f := range s.was {
			switch {
			case what == "sync":
				f.sure = true
			case s.hits == nil:
			case s.mode == Soft:
				f.soft = true
			default:
				f.gone = true
			}
		}
	default:
		return fmt.Errorf("the child said %q", line)
	}
	return nil
}

// judge asks for every key. What it finds is all that is left: what it does not find must not come back later either.
func (m *killModel) judge(s *Store, evicts bool) error {
	for k, versions := range m.keys {
		newest := 0 // the newest that a Sync acknowledged
		for v, f := range versions {
			if f.sure && v > newest {
				newest = v
			}
		}
		e, err := s.Get(nil, []byte(killKey(k)))
		if errors.Is(err, ErrMiss) {
			// What waits to be written to another segment is missed if its own was evicted meanwhile.
			if err := s.Sync(); err != nil {
				return err
			}
			e, err = s.Get(nil, []byte(killKey(k)))
		}
		if errors.Is(err, ErrMiss) {
			for v, f := range versions {
				if v == newest && !f.maybe && !f.gone && !evicts && !m.later(k, newest) {
					return fmt.Errorf("key %d: version %d was acknowledged and is gone", k, newest)
				}
				f.lose()
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("key %d: %w", k, err)
		}
		var gotKey, got int
		if _, err := fmt.Sscanf(string(e.Value), killMarker+" %d %d ", &gotKey, &got); err != nil || gotKey != k || string(e.Value) != killValue(k, got) {
			return fmt.Errorf("key %d answers with %d bytes that were never put under it", k, len(e.Value))
		}
		f := versions[got]
		switch {
		case f == nil:
			return fmt.Errorf("key %d: version %d was never put", k, got)
		case f.gone:
			return fmt.Errorf("key %d: version %d is back: it was purged, flushed, refused or lost before", k, got)
		case f.soft && !e.Stale:
			return fmt.Errorf("key %d: version %d is fresh again, its soft purge was acknowledged", k, got)
		case got < newest:
			return fmt.Errorf("key %d: version %d is back, version %d was acknowledged", k, got, newest)
		}
		for v, f := range versions {
			if v != got {
				f.lose()
			}
		}
	}
	return nil
}

// later tells whether a version after v was begun.
func (m *killModel) later(k, v int) bool {
	for o := range m.keys[k] {
		if o > v {
			return true
		}
	}
	return false
}

func TestKilledAtAnyMoment(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		killChild(dir)
	}
	exe, err := os.Executable()
	if err != nil {
		need.Missing(t, "the path of the test's own program: %v", err)
	}
	const each = 5 // kills of a store before it is thrown away: it must not evict unless it is small
	var heard, kills int
	var seen entranceSeen
	for run := range rounds(6, 20, 2000) {
		kind := "roomy"
		switch {
		case run%3 == 1:
			kind = "entrance"
		case run%3 == 2 && long():
			kind = "small"
		}
		dir := filepath.Join(scratch(t), kind)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m := &killModel{keys: make(map[int]map[int]*killFate), open: make(map[string]*killStep)}
		for cycle := range each {
			seed := uint64(run*each + cycle + 1)
			n, err := killOnce(exe, dir, seed, m)
			if err != nil {
				t.Fatalf("%s store, run %d, kill %d: %v", kind, run, cycle, err)
			}
			heard += n
			kills++
			seen.add(m.seen)
			m.seen = entranceSeen{}
		}
		noMarker(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d lines heard before them; %+v", kills, heard, seen)
	if err := seen.missing(); err != nil {
		t.Error(err)
	}
	if heard < kills*50 {
		t.Errorf("%d lines heard in %d runs: the children did next to nothing", heard, kills)
	}
}

// killOnce runs a child on dir, kills it, and judges what it left.
func killOnce(exe, dir string, seed uint64, m *killModel) (heard int, err error) {
	r := rand.New(rand.NewPCG(seed, 7))
	root := filepath.Join(dir, killRoot)
	var old []*crypto.RootKey
	if was, err := crypto.ReadKeyFile(root); err == nil && r.IntN(3) == 0 {
		old = append(old, was) // the child does not know the new one's predecessor: the parent has rewrapped by then
		if err := os.Remove(root); err != nil {
			return 0, err
		}
	}
	if err := crypto.CreateKeyFile(root, crypto.NewRootKey()); err != nil && !errors.Is(err, os.ErrExist) {
		return 0, err
	}
	if len(old) > 0 {
		if _, err := killOpen(dir, old, func(*Store, bool) error { return nil }); err != nil {
			return 0, fmt.Errorf("a new root key: %w", err)
		}
	}
	cmd := exec.Command(exe, "-test.run", "^TestKilledAtAnyMoment$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, fmt.Sprint(killSeed, "=", seed))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	until := 1 + r.IntN(3) // while it opens
	if r.IntN(4) > 0 {
		until = 1 + r.IntN(2500)
	}
	killed := sync.OnceFunc(func() { _ = cmd.Process.Kill() }) // one that has ended by itself is found out below
	lines := bufio.NewReader(out)
	for {
		line, rerr := lines.ReadString('\n')
		if rerr != nil {
			if !errors.Is(rerr, io.EOF) {
				err = rerr
			}
			break // a line that was cut tells nothing; lines that came after the kill was sent still count
		}
		if herr := m.hear(strings.TrimSuffix(line, "\n")); herr != nil && err == nil {
			err = herr
		}
		if heard++; heard >= until || err != nil {
			killed()
		}
	}
	_ = cmd.Wait() // killed, as it should be
	clear(m.open)
	if heard < until && err == nil {
		err = errors.New("the child ended by itself")
	}
	if err != nil {
		return heard, fmt.Errorf("%w: %s", err, stderr.String())
	}
	evicts, err := killOpen(dir, nil, m.judge)
	if err == nil {
		err = killLeftovers(dir, evicts)
	}
	return heard, err
}

// killOpen opens the store and asks.
func killOpen(dir string, old []*crypto.RootKey, ask func(s *Store, evicts bool) error) (evicts bool, err error) {
	o, err := killOptions(dir)
	if err != nil {
		return false, err
	}
	o.OldKeys = old
	var said []string
	o.Report = func(event, file string, err error) { said = append(said, fmt.Sprint(event, " ", file, ": ", err)) }
	evicts = o.Capacity == MinCapacity
	s, err := Open(filepath.Join(dir, "stage"), o)
	if err != nil {
		return evicts, fmt.Errorf("the next start: %w", err)
	}
	<-s.Ready()
	err = ask(s, evicts)
	if st := s.Stats(); st.Quarantined > 0 || err != nil && len(said) > 0 {
		err = errors.Join(err, fmt.Errorf("%d are said to be damaged: %v", st.Quarantined, said))
	}
	return evicts, errors.Join(err, s.Close())
}

// killLeftovers looks for what does not belong into a store that was closed, and for more of it than it may have.
func killLeftovers(dir string, evicts bool) error {
	stage := filepath.Join(dir, "stage")
	names, err := filepath.Glob(filepath.Join(stage, "*"))
	if err != nil {
		return err
	}
	gens := 0
	for _, name := range names {
		switch base := filepath.Base(name); {
		case strings.HasPrefix(base, genPrefix):
			gens++
		case base != "LOCK" && base != stageKeyFile:
			return fmt.Errorf("%s was left behind", base)
		}
	}
	if gens != 1 {
		return fmt.Errorf("%d generations are left", gens)
	}
	if used := vfs.TreeUsage(vfs.OS, stage); evicts && used > 2*MinCapacity {
		return fmt.Errorf("%d bytes are on the disk, the capacity is %d and a segment as much", used, MinCapacity)
	}
	return nil
}

// noMarker looks for what should be sealed in all files below dir.
func noMarker(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), killMarker) {
			err = fmt.Errorf("%s has %q in the clear", path, killMarker)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
