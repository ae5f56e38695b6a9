package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/identity"
	"stagecache/gateway/stored"
)

// state is one configuration made ready to serve. It never changes: a reload makes a new one, and requests that began with
// the old one end with it.
type state struct {
	cfg      *config.Config
	stages   []*stage // in the order in which they are tried
	backends map[string]*backend
	identity *identity.Directory
}

// build makes a configuration ready, with the stores of new stages opened and those of old ones (of the state before, which
// may be nil) left alone. On an error it gives what it opened, for the caller to close.
func (g *Gateway) build(cfg *config.Config, old *state) (*state, map[*site]*engine.Store, error) {
	s := &state{cfg: cfg, backends: make(map[string]*backend), identity: identity.New(cfg, g.memory)}
	opened := make(map[*site]*engine.Store)
	for name, b := range cfg.Backends {
		if old != nil {
			if was := old.backends[name]; was != nil && reflect.DeepEqual(was.cfg, b) {
				s.backends[name] = was // and its connections
				continue
			}
		}
		be, err := newBackend(b)
		if err != nil {
			return nil, opened, err
		}
		s.backends[name] = be
	}
	for _, c := range cfg.Stages {
		at := g.sites.get(c.Name)
		if at == nil {
			at = newSite(c.Name, g.now, g.metrics)
		}
		st, err := newStage(c, s.backends, at, g.metrics)
		if err != nil {
			return nil, opened, err
		}
		if g.o.Root == nil && c.Cache.Enabled && st.encrypts() {
			return nil, opened, fmt.Errorf("stage %s is to be encrypted, but there is no root key; cachectl key generate makes one", c.Name)
		}
		s.stages = append(s.stages, st)
	}
	// Only now that all else is right: a store that was opened for nothing would have begun a directory.
	for _, st := range s.stages {
		if st.store.Load() != nil || !st.cfg.Cache.Enabled {
			continue
		}
		store, err := g.openStore(cfg, st.cfg)
		if err != nil {
			return nil, opened, err
		}
		opened[st.site] = store
	}
	for st, store := range opened {
		st.store.Store(store)
	}
	for _, st := range s.stages {
		st.budget.resize(budgetOf(st.cfg.Cache.Memory, st.cfg.Cache.MaxObject))
		g.sites.put(st.site)
	}
	sortStages(s.stages)
	return s, nil, nil
}

func (g *Gateway) openStore(cfg *config.Config, c *config.Stage) (*engine.Store, error) {
	dir := control.StageDir(cfg.DataDir, c.Name)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("stage %s: making its directory: %w", c.Name, err)
	}
	o := control.StoreOptions(c, control.Keys{Root: g.o.Root, Old: g.o.OldKeys}, g.log)
	// max_object is about bodies; what is stored is a body with its header.
	o.Clock = g.o.Clock
	o.MaxObject = c.Cache.MaxObject + stored.MaxHead
	store, err := engine.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", c.Name, err)
	}
	return store, nil
}

func closeStores(stores map[*site]*engine.Store) {
	for st, store := range stores {
		st.store.CompareAndSwap(store, nil)
		store.Close()
	}
}

// warnOrphans tells of directories that no stage names: they take room, and nobody else would notice.
func (g *Gateway) warnOrphans(cfg *config.Config) {
	orphans, err := control.Orphans(cfg)
	if err != nil {
		g.log.Warn("cannot look for directories of removed stages", "error", err)
		return
	}
	for _, o := range orphans {
		g.log.Warn("directory of a stage that is not configured; cachectl stage remove deletes it",
			"stage", o.Stage, "dir", o.Dir, "disk_bytes", o.DiskBytes)
	}
}
