package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/overrides"
	"stagecache/internal/dirlock"
)

// Offline is the Service over a data directory that no gateway uses. It holds the directory's lock until Close.
type Offline struct {
	*Local
	src *offlineSource
}

// OpenOffline takes the lock of cfg.DataDir; held by another process, the error is a *dirlock.HeldError. A data directory
// that does not exist is not created: it has nothing to flush, and its figures are 0. The function keys is called when the
// first store is opened, for a list of stages needs no key; log may be nil.
//
// What was set at run time counts here too: cfg is the file alone.
func OpenOffline(cfg *config.Config, keys func() (Keys, error), log *slog.Logger) (*Offline, error) {
	lock, err := dirlock.Acquire(cfg.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		lock = nil
	case err != nil:
		return nil, err
	}
	src := &offlineSource{keys: sync.OnceValues(keys), log: log, lock: lock, open: make(map[string]*engine.Store)}
	set, err := overrides.Open(cfg.DataDir, log)
	if err != nil {
		return nil, errors.Join(err, src.close())
	}
	src.cfg.Store(set.Use(cfg, func(next *config.Config) error {
		src.cfg.Store(next)
		return nil
	}))
	o := &Offline{Local: NewLocal(src), src: src}
	o.Overrides = set
	o.Rotate = src.rotate
	return o, nil
}

// Close closes what was opened and gives the lock up.
func (o *Offline) Close() error { return o.src.close() }

type offlineSource struct {
	cfg  atomic.Pointer[config.Config]
	keys func() (Keys, error)
	log  *slog.Logger
	lock *dirlock.Lock // nil: there is no data directory

	mu   sync.Mutex // guards open
	open map[string]*engine.Store
}

func (o *offlineSource) Config() *config.Config       { return o.cfg.Load() }
func (o *offlineSource) Requests(string) RequestStats { return RequestStats{} }
func (o *offlineSource) Uptime() time.Duration        { return 0 }

// Store opens the store when it is first asked for, and waits until its index is loaded. What cannot be opened any more is
// reported and left as it is.
func (o *offlineSource) Store(ctx context.Context, stage string) (*engine.Store, error) {
	return o.store(ctx, stage, true)
}

// StoreToFlush is Store for whoever is about to throw everything away: what cannot be opened begins anew.
func (o *offlineSource) StoreToFlush(ctx context.Context, stage string) (*engine.Store, error) {
	return o.store(ctx, stage, false)
}

func (o *offlineSource) store(ctx context.Context, stage string, existing bool) (*engine.Store, error) {
	if o.lock == nil {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if st := o.open[stage]; st != nil {
		return st, nil
	}
	cfg := o.cfg.Load()
	s, dir := findStage(cfg, stage), StageDir(cfg.DataDir, stage)
	if used, err := everUsed(dir); err != nil || !used {
		return nil, err
	}
	k, err := o.keys()
	if err != nil {
		return nil, err
	}
	opts := StoreOptions(s, k, o.log)
	opts.Existing = existing
	st, err := engine.Open(dir, opts)
	if errors.Is(err, engine.ErrNoStore) {
		return nil, unusable(stage, err)
	}
	if err != nil {
		return nil, err
	}
	select {
	case <-st.Ready():
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), st.Close())
	}
	o.open[stage] = st
	return st, nil
}

// rotate wraps all stages; the data directory's lock keeps everybody else from them.
func (o *offlineSource) rotate(context.Context) (RotateResult, error) {
	k, err := o.keys()
	if err != nil {
		return RotateResult{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return Rewrap(o.cfg.Load().DataDir, k, func(stage string) *engine.Store { return o.open[stage] })
}

// everUsed tells whether a store's directory holds anything but what taking its lock leaves there.
func everUsed(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, e := range entries {
		if e.Name() != dirlock.Name && filepath.Ext(e.Name()) != ".tmp" {
			return true, nil
		}
	}
	return false, err
}

func (o *offlineSource) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for name, st := range o.open {
		if err := st.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing stage %s: %w", name, err))
		}
	}
	clear(o.open)
	if o.lock != nil {
		errs = append(errs, o.lock.Release())
		o.lock = nil
	}
	return errors.Join(errs...)
}
