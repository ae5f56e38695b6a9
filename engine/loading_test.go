package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file: while a start is loading, an entry that is not loaded yet is a miss, and one that was purged is
// a miss whenever it was, before the start or since.

// gateFS lets a start open one file at a time for loading: each waits for a turn.
type gateFS struct {
	vfs.FS
	turns chan struct{} // closed: as many as there are
}

// newGateFS lets everything pass.
func newGateFS() *gateFS {
	g := &gateFS{FS: vfs.OS, turns: make(chan struct{})}
	close(g.turns)
	return g
}

// openGated opens the store with its loading held up until there are turns.
func (r *rig) openGated(g *gateFS) *Store {
	r.t.Helper()
	g.turns = make(chan struct{})
	s, err := Open(r.dir, r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s = s
	return s
}

func (g *gateFS) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if calledBy("tier.(*Disk).loadBatch") {
		<-g.turns
	}
	return g.FS.OpenFile(name, flag, perm)
}

// calledBy tells whether a function is among those that have led here.
func calledBy(name string) bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

func TestNothingPurgedWhileLoading(t *testing.T) {
	const keys = 80
	name := func(n int) string { return fmt.Sprint("key ", n) }
	value := func(n int) string { return fmt.Sprint("value ", n) }
	lives := []time.Duration{50 * time.Second, 4 * time.Minute, 50 * time.Minute, 5 * time.Hour} // a segment each
	for _, memory := range []int64{0, MinMemory} {
		t.Run(fmt.Sprint("memory ", memory), func(t *testing.T) {
			gate := newGateFS()
			r := newScratchRig(t, func(o *Options) { o.FS, o.Memory = gate, memory })
			for n := range keys {
				r.put(name(n), value(n), Meta{TTL: lives[n/2%4], Path: fmt.Sprint("/p", n%7), Tags: []string{fmt.Sprint("t", n%5)}})
			}
			r.sync()
			gone := make(map[int]string) // and why
			purge := func(target Target, mode PurgeMode, hit func(n int) bool, why string) {
				t.Helper()
				if _, err := r.s.Purge(context.Background(), target, mode); err != nil {
					t.Fatal(err)
				}
				for n := range keys {
					if hit(n) {
						gone[n] = why
					}
				}
			}
			purge(Tag("t0"), Hard, func(n int) bool { return n%5 == 0 }, "its tag was purged before the start")
			r.close()

			s := r.openGated(gate)
			replaced := map[int]bool{}
			check := func(when string) (hits int) {
				t.Helper()
				for n := range keys {
					e, err := s.Get(nil, []byte(name(n)))
					switch {
					case errors.Is(err, ErrMiss):
					case err != nil:
						t.Fatalf("%s: %s: %v", when, name(n), err)
					case replaced[n] && string(e.Value) != "new" || !replaced[n] && string(e.Value) != value(n):
						t.Fatalf("%s: %s answers %q", when, name(n), e.Value)
					case gone[n] != "" && !replaced[n]:
						t.Fatalf("%s: %s answers, though %s", when, name(n), gone[n])
					default:
						hits++
					}
				}
				return hits
			}
			if hits := check("nothing is loaded"); hits != 0 {
				t.Fatalf("%d hits before anything was loaded: nothing is held up", hits)
			}
			steps := []func(){
				func() {
					purge(Tag("t1"), Hard, func(n int) bool { return n%5 == 1 }, "its tag was purged while loading")
				},
				func() {
					purge(Prefix("/p2"), Hard, func(n int) bool { return n%7 == 2 }, "its path was purged while loading")
				},
				func() {
					purge(Key([]byte(name(33))), Hard, func(n int) bool { return n == 33 }, "it was purged while loading")
				},
				func() {
					for _, n := range []int{3, 35, 47} { // 35: of a tag that was purged
						r.put(name(n), "new", Meta{TTL: time.Hour})
						replaced[n] = true
					}
				},
			}
			for i, step := range steps {
				step()
				check(fmt.Sprintf("step %d", i))
				select {
				case <-s.Ready():
					t.Fatalf("step %d: it is said to be loaded", i)
				case gate.turns <- struct{}{}: // one file more
				}
				check(fmt.Sprintf("step %d, one more segment", i))
			}
			close(gate.turns)
			<-s.Ready()
			want := len(replaced)
			for n := range keys {
				if gone[n] == "" && !replaced[n] {
					want++
				}
			}
			if hits := check("all is loaded"); hits != want {
				t.Errorf("%d hits in the end, want %d", hits, want)
			}
		})
	}
}

// A flush while a start is loading leaves nothing to load.
func TestFlushWhileLoading(t *testing.T) {
	gate := newGateFS()
	r := newScratchRig(t, func(o *Options) { o.FS = gate })
	r.put("old", "v", Meta{TTL: time.Hour})
	r.close()
	s := r.openGated(gate)
	if _, err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.want("old", "")
	r.put("new", "v", Meta{TTL: time.Hour})
	close(gate.turns)
	<-s.Ready()
	r.want("old", "")
	r.want("new", "v")
	r.reopen()
	r.want("old", "")
	r.want("new", "v")
}
