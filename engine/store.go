package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"stagecache/crypto"
	"stagecache/internal/dirlock"
	"stagecache/internal/vfs"
	"stagecache/tier"
)

// Store is one cache: one directory, one capacity, one flush.
type Store struct {
	dir  string
	o    Options
	lock *dirlock.Lock
	time *engineTime

	gen    atomic.Pointer[generation]
	memory atomic.Pointer[tier.Memory] // nil: disk only; see divide
	seq    atomic.Uint64
	leases [leaseStripes]stripe

	flushMu    sync.Mutex      // one flush, re-wrapping or close at a time
	root       *crypto.RootKey // that the stage-key file is wrapped with; guarded by flushMu once the store is open
	background sync.WaitGroup  // removal of old generations
	dying      atomic.Int64    // their bytes
	aside      atomic.Int64    // bytes of what was set aside
	fixed      atomic.Int64    // bytes of directories, keys and purge list
	closed     atomic.Bool
	closing    chan struct{}  // closed when Close begins
	indexRoom  atomic.Int64   // bytes that the index may take; 0: as many as the capacity needs
	grown      chan struct{}  // see divider
	dividing   sync.WaitGroup // the divider
	ready      chan struct{}
	opened     time.Duration // uptime at Open

	memoryHits, diskHits, misses, stores, purgesDone, flushes, quarantined atomic.Uint64
	before                                                                 tierTotals // of generations that were flushed
	short                                                                  shortCount
}

// Open opens or creates the store in dir. It returns as soon as segments are known; Ready tells when the index is complete.
func Open(dir string, o Options) (*Store, error) {
	o, err := o.withDefaults(dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s := &Store{dir: dir, o: o, root: o.Key, ready: make(chan struct{}), closing: make(chan struct{}), grown: make(chan struct{}, 1), opened: o.Clock.Mono(), time: newEngineTime(o.Clock)}
	s.short.time = s.time
	for i := range s.leases {
		s.leases[i].flights = make(map[string]*flight)
	}
	if _, err := o.FS.Usage(filepath.Join(dir, stageKeyFile)); o.Existing && err != nil {
		return nil, fmt.Errorf("open store %s: %w: %w", dir, ErrNoStore, err)
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.lock, err = dirlock.Acquire(dir)
	var held *dirlock.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("open store %s: %w: %w", dir, ErrLocked, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	b := o.budget()
	if o.Memory > 0 {
		s.indexRoom.Store(b.index)
	}
	g, err := s.firstGeneration()
	if err != nil {
		_ = s.lock.Release() // the error that matters is err
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	seq, _, _ := g.disk.AtOpen()
	s.seq.Store(seq)
	s.gen.Store(g)
	if b.cache > 0 {
		s.memory.Store(tier.NewMemory(b.cache))
		s.dividing.Go(s.divider)
	}
	s.clean(g)
	s.measure(g)
	go func() {
		<-g.disk.Loaded()
		close(s.ready)
	}()
	return s, nil
}

// firstGeneration opens the generation that the stage-key file names, or begins a new one where there is none to go on with.
func (s *Store) firstGeneration() (*generation, error) {
	keys, err := s.currentKeys()
	if err == nil && keys != nil {
		var g *generation
		if g, err = s.openGeneration(keys, false); err == nil {
			return g, nil
		}
	}
	var stale errStale
	var plain errPlain
	if s.o.Existing && (err == nil || errors.As(err, &stale) || errors.As(err, &plain)) {
		return nil, fmt.Errorf("%w: %w", ErrNoStore, cmp.Or(err, errors.New("nothing was ever stored here")))
	}
	switch {
	case errors.As(err, &plain):
		s.o.Report("stored in the clear, but there is a root key now: the old data is removed", s.dir, plain.why)
	case errors.As(err, &stale):
		if err := s.setAside(stale.why); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case s.hasData():
		// Data without its stage-key file: nobody can read it any more.
		if err := s.setAside(errors.New(stageKeyFile + " is missing")); err != nil {
			return nil, err
		}
	}
	return s.newGeneration()
}

// hasData tells whether a generation holds more than the beginnings that a crash leaves of one that was never used.
func (s *Store) hasData() bool {
	entries, err := s.o.FS.ReadDir(s.dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), genPrefix) {
			continue
		}
		files, err := s.o.FS.ReadDir(filepath.Join(s.dir, e.Name()))
		if err != nil || slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() != purgeFile }) {
			return true
		}
	}
	return false
}

// clean removes what a crash left behind: other generations' directories and unfinished files.
func (s *Store) clean(current *generation) {
	entries, err := s.o.FS.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), genPrefix) && path != current.dir:
			s.bury(path, nil)
		case strings.HasPrefix(e.Name(), asidePrefix):
			if s.aside.Add(vfs.TreeUsage(s.o.FS, path)); s.quarantined.Load() == 0 {
				s.quarantined.Add(1) // by an earlier start
			}
		case strings.HasSuffix(e.Name(), ".tmp"):
			_ = s.o.FS.Remove(path) // never more than one small file
		}
	}
}

// Ready is closed once the index is loaded. Before that, an entry that is not loaded yet is a miss.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Sync returns when everything that was put before is on disk.
func (s *Store) Sync() error { return s.gen.Load().disk.Sync() }

// Close drains the write-behind queue, so that a warm start follows, and ends all leases.
func (s *Store) Close() error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	close(s.closing)
	s.endLeases()
	g := s.gen.Load()
	err := errors.Join(g.disk.Close(), g.purges.close())
	s.background.Wait()
	s.dividing.Wait()
	if m := s.memory.Load(); m != nil {
		err = errors.Join(err, m.Close())
	}
	return errors.Join(err, s.lock.Release())
}

// FlushResult is what a flush threw away.
type FlushResult struct {
	Entries int64
	Bytes   int64 // on disk
	Elapsed time.Duration
}

// Flush empties the store, whatever its size, by beginning a new generation. When it returns, no entry that was there
// before is answered any more, also not after a crash, and the key that could open them is gone from the disk.
func (s *Store) Flush(ctx context.Context) (FlushResult, error) {
	start := s.o.Clock.Mono()
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	if s.closed.Load() {
		return FlushResult{}, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return FlushResult{}, err
	}
	old := s.gen.Load()
	st := old.disk.Stats()
	g, err := s.newGeneration()
	for err != nil && errors.Is(err, syscall.ENOSPC) && old.disk.Evict() {
		g, err = s.newGeneration() // on a full disk, what is to be flushed makes room for its flush
	}
	if err != nil {
		return FlushResult{}, fmt.Errorf("flush: %w", err)
	}
	s.gen.Store(g)
	s.measure(g)
	s.flushes.Add(1)
	s.before.add(&st)
	s.bury(old.dir, func() {
		s.discard(old) // its writer may be at work on a file just now
		s.reclaim()
	})
	return FlushResult{Entries: st.Entries, Bytes: st.DiskBytes, Elapsed: s.o.Clock.Mono() - start}, nil
}
