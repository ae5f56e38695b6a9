package gateway

import (
	"path/filepath"
	"strings"
	"testing"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/internal/dirlock"
)

// A change of keys that fails half way leaves stages under either key: they are served and opened again all the same, and
// another try ends it.
func TestKeysThatChangeHalfWay(t *testing.T) {
	r := newRig(t)
	first := r.get("/prod/a")
	old, next := r.g.o.Root, crypto.NewRootKey()
	zone := filepath.Join(r.dir, "stages", "zone")
	s, err := engine.Open(zone, engine.Options{Key: old, Name: "zone", Capacity: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lock, err := dirlock.Acquire(zone)
	if err != nil {
		t.Fatal(err)
	}
	keys := control.Keys{Root: next, Old: []*crypto.RootKey{old}}
	if _, err := r.g.RotateKeys(config.Encryption{KeyFile: "next"}, keys); err == nil || !strings.Contains(err.Error(), "zone") {
		t.Fatalf("a stage that is in use: %v", err)
	}
	reopen := func(capacity string) {
		t.Helper()
		r.stage = "cache: {capacity: " + capacity + ", memory: 48MB}"
		cfg, err := r.parse()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Encryption = r.g.Config().Encryption
		if err := r.g.Reload(cfg); err != nil {
			t.Fatal(err)
		}
		<-r.g.Stores()["prod"].Ready()
		r.want(r.get("/prod/a"), 200, first.body, "stagecache; hit")
	}
	reopen("80MB")
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	got, err := r.g.RotateKeys(config.Encryption{KeyFile: "next"}, keys)
	if err != nil || len(got.Stages) != 2 || got.Stages[1].State != control.Rewrapped || got.KeyID != next.ID().String() {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := r.g.Config().Encryption; e.KeyFile != "next" {
		t.Errorf("the configuration at work has %+v", e)
	}
	reopen("96MB")

	// Nothing is changed for keys that do not open every stage.
	third := crypto.NewRootKey()
	if _, err := r.g.RotateKeys(config.Encryption{}, control.Keys{Root: third}); err == nil || !strings.Contains(err.Error(), next.ID().String()) {
		t.Errorf("without the old key: %v", err)
	}
	reopen("64MB")
	for name, k := range map[string]control.Keys{"no key": {}, "another key": {Root: third, Old: []*crypto.RootKey{old}}} {
		if _, err := r.g.RotateKeys(config.Encryption{}, k); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
