package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

func TestRewrapWhileOpen(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", "before", minute("/a"))
	r.sync()
	old, next := r.o.Key, crypto.NewRootKey()
	epoch := r.s.gen.Load().keys.Epoch()
	got, err := r.s.Rewrap(next)
	if err != nil || !got.Changed || got.From != old.ID() {
		t.Fatalf("%+v, %v", got, err)
	}
	if now := r.s.gen.Load().keys.Epoch(); now != epoch+1 {
		t.Errorf("segments to come are sealed under epoch %d, as before (%d)", now, epoch)
	}
	if again, err := r.s.Rewrap(next); err != nil || again.Changed || again.From != next.ID() {
		t.Errorf("again: %+v, %v", again, err)
	}
	r.put("b", "after", minute("/b"))
	r.want("a", "before")
	r.want("b", "after")
	r.close()
	var wrong *crypto.WrongKeyError
	if _, err := Open(r.dir, r.o); !errors.As(err, &wrong) {
		t.Fatalf("the old key still opens: %v", err)
	}
	r.o.Key = next
	r.open()
	r.want("a", "before")
	r.want("b", "after")

	// What a flush writes afterwards is wrapped with the new key too.
	third := crypto.NewRootKey()
	if _, err := r.s.Rewrap(third); err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.put("c", "flushed before", minute("/c"))
	r.close()
	r.o.Key = third
	r.open()
	r.want("c", "flushed before")
	s := r.s
	r.close()
	if _, err := s.Rewrap(next); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

func TestRewrapNeedsAKey(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Key, o.Plain = nil, true })
	if _, err := r.s.Rewrap(crypto.NewRootKey()); !errors.Is(err, ErrNoKey) {
		t.Errorf("a store in the clear: %v", err)
	}
	if _, err := Rewrap(r.dir, RewrapOptions{}); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	r = newRig(t, nil)
	if _, err := Rewrap(r.dir, RewrapOptions{Name: r.o.Name, Key: crypto.NewRootKey(), OldKeys: []*crypto.RootKey{r.o.Key}}); !errors.Is(err, ErrLocked) {
		t.Errorf("an open store: %v", err)
	}
	r.close()
	if _, err := Rewrap(t.TempDir(), RewrapOptions{Key: r.o.Key}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no store: %v", err)
	}
	before := snapshot(t, r.dir)
	var wrong *crypto.WrongKeyError
	if _, err := Rewrap(r.dir, RewrapOptions{Name: filepath.Base(r.dir), Key: crypto.NewRootKey()}); !errors.As(err, &wrong) {
		t.Errorf("a wrong key: %v", err)
	}
	got, err := Rewrap(r.dir, RewrapOptions{Name: filepath.Base(r.dir), Key: crypto.NewRootKey(), OldKeys: []*crypto.RootKey{r.o.Key}, Check: true})
	if err != nil || !got.Changed || got.From != r.o.Key.ID() {
		t.Errorf("a check: %+v, %v", got, err)
	}
	if after := snapshot(t, r.dir); after != before {
		t.Errorf("changed on disk:\n%s\n%s", before, after)
	}
}

// A change of keys that is killed at any operation leaves the store under exactly one of the two keys, with all that is in it, and
// another try ends it.
func TestRewrapCrashedAtEveryOperation(t *testing.T) {
	for _, open := range []bool{true, false} {
		for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
			for k := int64(1); ; k++ {
				if done := rewrapCrashedAt(t, open, k, verdict); done || t.Failed() {
					if k < 4 {
						t.Errorf("open %v: only %d operations", open, k-1)
					}
					break
				}
			}
		}
	}
}

// rewrapCrashedAt tells whether the change of keys had ended before operation k.
func rewrapCrashedAt(t *testing.T, open bool, k int64, verdict vfs.Verdict) bool {
	t.Helper()
	var armed, n atomic.Int64
	crash := vfs.CrashAt(k, verdict)
	faulty := &vfs.Faulty{FS: vfs.OS, Hook: func(_ int64, op, name string) vfs.Verdict {
		if armed.Load() == 0 {
			return vfs.Pass
		}
		return crash(n.Add(1), op, name)
	}}
	r := newRig(t, func(o *Options) { o.FS = faulty })
	defer os.RemoveAll(r.dir)
	r.put("a", "v", minute("/a"))
	r.sync()
	old, next := r.o.Key, crypto.NewRootKey()
	var err error
	if open {
		armed.Store(1)
		_, err = r.s.Rewrap(next)
		_ = r.s.Close() // nothing takes effect any more; the lock is given back
	} else {
		r.close()
		armed.Store(1)
		_, err = Rewrap(r.dir, RewrapOptions{Name: filepath.Base(r.dir), Key: next, OldKeys: []*crypto.RootKey{old}, FS: faulty})
	}
	done := n.Load() < k
	if done && err != nil || !done && err == nil && !open {
		t.Fatalf("open %v, operation %d: %v", open, k, err)
	}

	opens := 0
	for _, key := range []*crypto.RootKey{old, next} {
		r.o.Key, r.o.FS = key, vfs.OS
		s, err := Open(r.dir, r.o)
		if wrong := (*crypto.WrongKeyError)(nil); errors.As(err, &wrong) {
			continue
		}
		if err != nil {
			t.Fatalf("open %v, operation %d: %v", open, k, err)
		}
		opens++
		r.s = s
		<-s.Ready()
		r.want("a", "v")
		r.close()
	}
	if opens != 1 {
		t.Fatalf("open %v, operation %d: %d keys open the store", open, k, opens)
	}
	if _, err := Rewrap(r.dir, RewrapOptions{Name: filepath.Base(r.dir), Key: next, OldKeys: []*crypto.RootKey{old}}); err != nil {
		t.Fatalf("open %v, operation %d: another try: %v", open, k, err)
	}
	r.o.Key = next
	r.open()
	r.want("a", "v")
	r.close()
	return done
}
