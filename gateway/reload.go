package gateway

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"stagecache/engine"
	"stagecache/gateway/config"
)

// Reload replaces the configuration. Requests that run finish with the old one. Everything new is made ready before anything
// old is touched: if it returns an error, the old configuration goes on serving as if nothing had been.
//
// Stores stay open, and keep their entries, unless the stage's capacity, memory or max_object changed: those are closed
// and opened again, and for that moment the stage's requests pass by the cache. The store of a stage that is gone is closed;
// its directory is kept. The access log is opened anew, the certificate of the data port read again.
//
// What only a restart can change is refused: listen, data_dir, tls on or off, admin; and encryption, which is RotateKeys' business.
func (g *Gateway) Reload(cfg *config.Config) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("the gateway is shutting down")
	}
	old := g.state.Load()
	if err := restartNeeded(old.cfg, cfg); err != nil {
		return err
	}
	log, err := openLog(cfg.AccessLog)
	if err != nil {
		return err
	}
	var cert certificate
	if err := cert.load(cfg.TLS); err != nil {
		log.close()
		return err
	}
	next, opened, err := g.build(cfg, old)
	if err == nil {
		if err = g.reopen(old, next); err != nil {
			opened = make(map[*site]*engine.Store) // those of stages that the old configuration does not have
			for _, st := range next.stages {
				if store := st.store.Load(); store != nil && old.stage(st.name) == nil {
					opened[st.site] = store
				}
			}
			resize(old)
		}
	}
	if err != nil {
		log.close()
		closeStores(opened)
		return err
	}

	g.cert.take(&cert)
	g.state.Store(next)
	g.access.turn(log)
	for _, st := range old.stages {
		if now := next.stage(st.name); now != nil && now.cfg.Cache.Enabled {
			continue
		}
		if store := st.store.Swap(nil); store != nil {
			st.counters.closing(store)
			if err := store.Close(); err != nil {
				g.log.Warn("closing the store of a stage that has none any more", "stage", st.name, "error", err)
			}
		}
	}
	for name, b := range old.backends {
		if next.backends[name] != b {
			b.close()
		}
	}
	g.warnOrphans(cfg)
	return nil
}

func (s *state) stage(name string) *stage {
	for _, st := range s.stages {
		if st.name == name {
			return st
		}
	}
	return nil
}

// restartNeeded names the first change that a running gateway cannot make.
func restartNeeded(old, new *config.Config) error {
	for _, c := range []struct {
		name    string
		changed bool
	}{
		{"listen", old.Listen != new.Listen},
		{"data_dir", old.DataDir != new.DataDir},
		{"tls (on or off)", (old.TLS.CertFile == "") != (new.TLS.CertFile == "")},
		{"admin", !reflect.DeepEqual(old.Admin, new.Admin)},
	} {
		if c.changed {
			return fmt.Errorf("%s has changed, which needs a restart; the old configuration keeps serving", c.name)
		}
	}
	if !sameKeys(old.Encryption, new.Encryption) {
		return errors.New("encryption has changed, which needs cachectl key rotate or a restart; the old configuration keeps serving")
	}
	return nil
}

// sameKeys tells whether a configuration needs no other root keys than those at hand. To leave out former keys, when no stage is
// wrapped with them any more, is no change.
func sameKeys(old, new config.Encryption) bool {
	for _, path := range new.OldKeyFiles {
		if !slices.Contains(old.OldKeyFiles, path) {
			return false
		}
	}
	old.OldKeyFiles, new.OldKeyFiles = nil, nil
	return reflect.DeepEqual(old, new)
}

// reopen gives stages whose store has other sizes now a store with those. Two stores cannot have one directory, so the old one
// is closed first. If one cannot be opened, those that were are put back to their old sizes.
func (g *Gateway) reopen(old, next *state) error {
	var done []*stage
	for _, st := range next.stages {
		was := old.stage(st.name)
		if was == nil || !st.cfg.Cache.Enabled || st.store.Load() == nil || sameSizes(was.cfg.Cache, st.cfg.Cache) {
			continue // a stage that is switched off has none, one that is switched on has just got its own
		}
		if err := g.swapStore(next.cfg, st); err != nil {
			for _, st := range append(done, st) {
				if back := g.swapStore(old.cfg, old.stage(st.name)); back != nil {
					g.log.Error("a store could not be opened again; its stage serves without a cache until the next reload",
						"stage", st.name, "error", back)
				}
			}
			return err
		}
		done = append(done, st)
	}
	return nil
}

func sameSizes(a, b config.Cache) bool {
	return a.Capacity == b.Capacity && a.Memory == b.Memory && a.MaxObject == b.MaxObject
}

// swapStore closes a stage's store, if it is open, and opens it as cfg wants it.
func (g *Gateway) swapStore(cfg *config.Config, st *stage) error {
	if store := st.store.Swap(nil); store != nil {
		st.counters.closing(store)
		if err := store.Close(); err != nil {
			// What it could not write is lost to the cache; the directory is free all the same.
			g.log.Warn("closing a store to open it with other sizes", "stage", st.name, "error", err)
		}
	}
	store, err := g.openStore(cfg, st.cfg)
	if err != nil {
		return err
	}
	st.store.Store(store)
	return nil
}

// resize brings the budgets to a configuration's sizes.
func resize(s *state) {
	for _, st := range s.stages {
		st.budget.resize(budgetOf(st.cfg.Cache.Memory, st.cfg.Cache.MaxObject))
	}
}
