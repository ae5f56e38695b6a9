package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file: with a disk that fails, memory goes on serving, what cannot be made durable is not acknowledged, and when
// the disk works again so does everything.

// faultyRig is a rig whose file system asks fail, if there is one.
func faultyRig(t *testing.T, change func(*Options)) (*rig, *atomic.Pointer[func(op, name string) vfs.Verdict]) {
	var fail atomic.Pointer[func(op, name string) vfs.Verdict]
	fs := &vfs.Faulty{FS: vfs.OS, Hook: func(_ int64, op, name string) vfs.Verdict {
		if f := fail.Load(); f != nil {
			return (*f)(op, name)
		}
		return vfs.Pass
	}}
	r := newScratchRig(t, func(o *Options) {
		o.FS = fs
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() { fail.Store(nil) }) // before the store is closed
	return r, &fail
}

func TestMemoryServesWhileTheDiskFails(t *testing.T) {
	r, fail := faultyRig(t, nil)
	value := strings.Repeat("v", 500)
	for i := range 20 {
		r.put(fmt.Sprint("before", i), value, Meta{TTL: time.Hour})
	}
	r.sync()
	nothing := func(string, string) vfs.Verdict { return vfs.Fail }
	fail.Store(&nothing)
	for i := range 20 {
		r.put(fmt.Sprint("during", i), value, Meta{TTL: time.Hour, Path: "/d"})
		r.put(fmt.Sprint("before", i/2), "replaced", Meta{TTL: time.Hour})
		if i%5 == 0 {
			if err := r.s.Sync(); err == nil {
				t.Fatal("nothing can be written, and all is well")
			}
			r.clock.Advance(2 * time.Second)
		}
	}
	for i := range 20 {
		r.want(fmt.Sprint("during", i), value)
	}
	r.want("before0", "replaced")
	r.want("before15", value)
	if st := r.s.Stats(); st.SpillDropped < 20 || st.Quarantined > 5 {
		t.Errorf("%+v", st)
	}
	// What is not durable is not acknowledged, and not done by halves.
	if _, err := r.s.Purge(context.Background(), Path("/d"), Hard); !errors.Is(err, vfs.ErrInjected) {
		t.Fatalf("purge: %v", err)
	}
	r.want("during3", value)
	if _, err := r.s.Flush(context.Background()); !errors.Is(err, vfs.ErrInjected) {
		t.Fatalf("flush: %v", err)
	}
	r.want("during3", value)
	fail.Store(nil)
	r.clock.Advance(2 * time.Second)
	r.put("after", value, Meta{TTL: time.Hour})
	r.sync()
	r.purge(Path("/d"), Hard)
	r.want("during3", "")
	r.reopen()
	r.want("after", value)
	r.want("during3", "")
	r.want("before15", value)
	for i := range 10 {
		if e, err := r.s.Get(nil, fmt.Append(nil, "before", i)); err == nil && string(e.Value) != "replaced" {
			t.Errorf("before%d: an old version came back", i)
		}
	}
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.want("after", "")
}

// A flush that failed after its file was replaced has not happened: what is stored and acknowledged afterwards is there after
// the next start.
func TestFlushThatFailedAndTookEffect(t *testing.T) {
	for _, op := range []string{"rename", "syncdir", "write", "sync"} {
		for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
			t.Run(fmt.Sprint(op, " ", verdict), func(t *testing.T) {
				r, fail := faultyRig(t, nil)
				r.put("before", "v", Meta{TTL: time.Hour})
				var once atomic.Bool
				strike := func(what, name string) vfs.Verdict {
					// The key file's own write, sync and rename, and the sync of its directory after that.
					mine := strings.HasPrefix(filepath.Base(name), stageKeyFile) || what == "syncdir" && name == r.dir && once.Load()
					if what == "rename" && mine {
						defer once.Store(true)
					}
					if what == op && mine && (op != "rename" || !once.Load()) {
						if op == "syncdir" {
							once.Store(false)
						}
						return verdict
					}
					return vfs.Pass
				}
				fail.Store(&strike)
				_, err := r.s.Flush(context.Background())
				fail.Store(nil)
				if err == nil {
					t.Fatal("acknowledged")
				}
				r.put("after", "v", Meta{TTL: time.Hour})
				r.sync()
				r.purge(Path("/x"), Hard)
				r.reopen()
				r.want("after", "v")
				r.want("before", "v")
				if q := r.s.Stats().Quarantined; q != 0 {
					t.Errorf("quarantined: %d", q)
				}
			})
		}
	}
}

// A purge that failed may be done or not. The next one is whole either way.
func TestPurgeThatFailed(t *testing.T) {
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
		r, fail := faultyRig(t, func(o *Options) { o.Memory = 0 })
		r.put("a", "v", minute("/a"))
		r.put("b", "v", minute("/b"))
		r.put("c", "v", minute("/c"))
		commits := func(op, name string) vfs.Verdict {
			if op == "commit" && filepath.Base(name) == purgeFile {
				return verdict
			}
			return vfs.Pass
		}
		fail.Store(&commits)
		if _, err := r.s.Purge(context.Background(), Path("/a"), Hard); err == nil {
			t.Fatal("acknowledged")
		}
		fail.Store(nil)
		r.want("a", "v") // not in this process
		r.purge(Path("/b"), Hard)
		r.put("d", "v", minute("/d"))
		r.reopen()
		r.want("b", "")
		r.want("c", "v")
		r.want("d", "v")
		if e, err := r.s.Get(nil, []byte("a")); err == nil && string(e.Value) != "v" {
			t.Errorf("%q", e.Value)
		}
	}
}
