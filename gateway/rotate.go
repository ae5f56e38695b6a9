package gateway

import (
	"errors"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// RotateKeys wraps every stage on the disk with another root key while all of them serve, and takes the keys for stores that are
// opened from now on. The keys must open every stage: e is where they come from, so that whoever starts next has them too. A
// stage that has no store open, because its cache is off or nothing names it any more, is wrapped as well: else its key could not be
// given up.
func (g *Gateway) RotateKeys(e config.Encryption, k control.Keys) (control.RotateResult, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return control.RotateResult{}, errors.New("the gateway is shutting down")
	case g.o.Root == nil && k.Root != nil:
		return control.RotateResult{}, errors.New("the gateway works without a root key, and needs a restart to begin with one")
	}
	old := g.state.Load()
	stores := g.Stores()
	r, err := control.Rewrap(old.cfg.DataDir, k, func(stage string) *engine.Store { return stores[stage] })
	if err != nil {
		if k.Root != nil {
			// Some may be wrapped with the new key by now. They are opened with either, until another try ends it.
			g.o.OldKeys = append(append(g.o.OldKeys[:len(g.o.OldKeys):len(g.o.OldKeys)], k.Root), k.Old...)
		}
		return r, err
	}
	g.o.Root, g.o.OldKeys = k.Root, k.Old
	next, cfg := *old, *old.cfg
	cfg.Encryption = e
	next.cfg = &cfg
	g.state.Store(&next)
	return r, nil
}
