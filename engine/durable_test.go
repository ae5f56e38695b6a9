package engine

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// ledgerFS keeps account of what a loss of power could still take back: bytes that no fsync has followed, and names whose directory was
// not synced since. A process that dies loses neither, so no test with a crash would notice.
type ledgerFS struct {
	vfs.FS
	mu     sync.Mutex
	bytes  map[string]bool // guarded by mu: files written to since their last fsync
	names  map[string]bool // guarded by mu: made or renamed since their directory's last fsync
	faults []string        // guarded by mu
}

func (l *ledgerFS) set(m map[string]bool, name string, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if on {
		m[name] = true
	} else {
		delete(m, name)
	}
}

func (l *ledgerFS) MkdirAll(dir string) error {
	// Without its own directory a store is empty: nothing that was purged can come back with it.
	if _, err := os.Stat(dir); err != nil && filepath.Base(dir) != "stage" {
		l.set(l.names, dir, true)
	}
	return l.FS.MkdirAll(dir)
}

func (l *ledgerFS) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if _, err := os.Stat(name); err != nil && flag&os.O_CREATE != 0 {
		l.set(l.names, name, true)
	}
	return l.FS.OpenFile(name, flag, perm)
}

func (l *ledgerFS) Write(f *os.File, data []byte) error {
	l.set(l.bytes, f.Name(), true)
	return l.FS.Write(f, data)
}

func (l *ledgerFS) Sync(f *os.File) error {
	err := l.FS.Sync(f)
	if err == nil {
		l.set(l.bytes, f.Name(), false)
	}
	return err
}

func (l *ledgerFS) Rename(from, to string) error {
	l.mu.Lock()
	if l.bytes[from] { // after a crash the new name might stand over an empty file
		l.faults = append(l.faults, "renamed before its bytes were synced: "+filepath.Base(to))
	}
	delete(l.names, from)
	if filepath.Base(to) == stageKeyFile {
		for name := range l.names { // the key file is what names a generation
			l.faults = append(l.faults, "the keys name a generation before there is for sure "+filepath.Base(name))
		}
	}
	l.names[to] = true
	l.mu.Unlock()
	return l.FS.Rename(from, to)
}

func (l *ledgerFS) Remove(name string) error {
	err := l.FS.Remove(name)
	if err == nil {
		l.set(l.names, name, false)
		l.set(l.bytes, name, false)
	}
	return err
}

func (l *ledgerFS) SyncDir(dir string) error {
	err := l.FS.SyncDir(dir)
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.names {
		if err == nil && filepath.Dir(name) == dir {
			delete(l.names, name)
		}
	}
	return err
}

// owed lists what is not durable.
func (l *ledgerFS) owed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.faults)
	for name := range l.bytes {
		out = append(out, "bytes of "+filepath.Base(name))
	}
	for name := range l.names {
		out = append(out, "the name "+filepath.Base(name))
	}
	slices.Sort(out)
	return out
}

// Whatever is acknowledged survives a loss of power: nothing it stands on is in a file that was not synced, or under a name that is
// only in memory.
func TestWhatIsAcknowledgedIsDurable(t *testing.T) {
	ledger := &ledgerFS{FS: vfs.OS, bytes: make(map[string]bool), names: make(map[string]bool)}
	r := newScratchRig(t, func(o *Options) { o.FS = ledger })
	durable := func(what string) {
		t.Helper()
		if owed := ledger.owed(); len(owed) > 0 {
			t.Errorf("after %s a loss of power may take back: %q", what, owed)
		}
		// bbolt syncs its files by itself, unless it is told not to.
		if l := r.s.gen.Load().purges; l.db.NoSync || l.db.NoGrowSync {
			t.Errorf("after %s: purges are committed without a sync", what)
		}
	}
	durable("opening a new store")
	ctx := context.Background()
	for _, ttl := range []time.Duration{50 * time.Second, 4 * time.Minute, time.Hour, 5 * time.Hour} {
		r.put(ttl.String(), "v", Meta{TTL: ttl, Path: "/p", Tags: []string{"t"}})
		r.sync()
		durable("a sync of a new segment")
	}
	for _, target := range []Target{Tag("t"), Key([]byte("k")), Prefix("/p"), Pattern("/*/x")} {
		r.purge(target, Hard)
		durable("a purge")
	}
	if _, err := r.s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	durable("a flush")
	r.put("after", "v", Meta{TTL: time.Hour})
	r.sync()
	durable("a sync after a flush")
	next := crypto.NewRootKey()
	if _, err := r.s.Rewrap(next); err != nil {
		t.Fatal(err)
	}
	r.o.Key = next
	durable("a change of keys")
	if _, err := r.s.Compact(ctx, nil); err != nil {
		t.Fatal(err)
	}
	durable("a compaction")
	r.reopen()
	durable("another start")
	r.want("after", "v")
}
