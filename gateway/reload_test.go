package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/engine"
	"stagecache/gateway/control"
)

func (r *rig) reload() error {
	r.t.Helper()
	cfg, err := r.parse()
	if err != nil {
		return err
	}
	return r.g.Reload(cfg)
}

const second = `
  beta:
    cache: {capacity: 64MB, memory: 0MB}
    routes: [{path: "/{proxy+}", backend: shop}]
`

func TestReload(t *testing.T) {
	r := newRig(t)
	first := r.get("/prod/x")
	store := r.g.Stores()["prod"]

	r.top = second
	r.methods = `"GET /x": {ttl: 10s}`
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x"), 200, first.body, "stagecache; hit")
	if r.g.Stores()["prod"] != store {
		t.Error("the store of an unchanged stage was opened again")
	}
	if a := r.get("/beta/x"); a.status != 200 {
		t.Errorf("the new stage: %d", a.status)
	}

	// Other sizes: opened again, with what was in it.
	r.stage = "cache: {capacity: 80MB, memory: 48MB}"
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	if r.g.Stores()["prod"] == store {
		t.Error("a change of capacity did not open the store again")
	}
	<-r.g.Stores()["prod"].Ready()
	r.want(r.get("/prod/x"), 200, first.body, "stagecache; hit")

	// A stage that is gone is closed, and its directory kept.
	beta := r.g.Stores()["beta"]
	r.top = ""
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := beta.Get(nil, []byte("k")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("the store of a removed stage: %v", err)
	}
	if a := r.get("/beta/x"); a.status != 404 {
		t.Errorf("the removed stage: %d", a.status)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "stages", "beta")); err != nil {
		t.Errorf("the directory of a removed stage: %v", err)
	}
	if !strings.Contains(r.log.String(), "stage=beta") {
		t.Errorf("no warning about the directory:\n%s", r.log)
	}
	r.top = second
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	<-r.g.Stores()["beta"].Ready()
	if a := r.get("/beta/x"); !strings.Contains(a.cache(), "hit") {
		t.Errorf("a stage that came back: %q", a.cache())
	}
	if err := r.g.WaitReady(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReloadSwitchesTheCacheOffAndOn: off, the store is closed, so that its directory is free; on, what was in it answers again.
func TestReloadSwitchesTheCacheOffAndOn(t *testing.T) {
	r := newRig(t)
	first := r.get("/prod/x")
	store := r.g.Stores()["prod"]
	on := r.stage
	r.stage = "cache: {enabled: false, capacity: 64MB, memory: 48MB}"
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(nil, []byte("k")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("the store of a stage whose cache is off: %v", err)
	}
	if a := r.get("/prod/x"); a.body == first.body || a.cache() != "stagecache; fwd=bypass" {
		t.Errorf("off: %q, %q", a.body, a.cache())
	}
	r.stage = on
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	<-r.g.Stores()["prod"].Ready()
	r.want(r.get("/prod/x"), 200, first.body, "stagecache; hit")
}

func TestReloadOfSomethingWrong(t *testing.T) {
	r := newRig(t, withTop(second))
	first := r.get("/prod/x")
	good := *r.g.Config()
	stores := r.g.Stores()

	// A directory that another process holds: the new stage cannot be opened.
	held, err := engine.Open(control.StageDir(r.dir, "gamma"), engine.Options{Plain: true, Capacity: 64e6})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	r.top = second + strings.ReplaceAll(second, "beta", "gamma")
	if err := r.reload(); !errors.Is(err, engine.ErrLocked) {
		t.Errorf("a directory in use: %v", err)
	}
	// The same with a change of another stage's sizes, which must be undone; alpha is opened before gamma fails.
	r.top = second + strings.ReplaceAll(second, "beta", "alpha")
	cfg := r.config()
	for _, s := range cfg.Stages {
		switch s.Name {
		case "beta":
			s.Cache.Capacity = 80_000_000
		case "prod":
			s.Cache.Capacity = 1 // the store refuses that
		}
	}
	if err := r.g.Reload(cfg); err == nil || !strings.Contains(err.Error(), "prod") {
		t.Errorf("a store that cannot be opened: %v", err)
	}
	if a := r.get("/alpha/x"); a.status != 404 {
		t.Errorf("a stage of the refused configuration answers %d", a.status)
	}
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"listen", func() { cfg.Listen = "127.0.0.1:1" }},
		{"data_dir", func() { cfg.DataDir = "/elsewhere" }},
		{"admin", func() { cfg.Admin.Socket = "/elsewhere" }},
		{"encryption", func() { cfg.Encryption.KeyEnv = "OTHER" }},
		{"tls", func() { cfg.TLS.CertFile, cfg.TLS.KeyFile = "c", "k" }},
		{"access log", func() { cfg.AccessLog.Path = filepath.Join(r.dir, "no", "such", "dir") }},
		{"tls.ca", func() { cfg.Backends["shop"].TLS.CA = filepath.Join(r.dir, "none.pem") }},
		{"prod", func() { cfg.Stages[len(cfg.Stages)-1].Routes[0].Backend = "nobody" }},
	} {
		r.top = second
		cfg = r.config()
		c.change()
		if err := r.g.Reload(cfg); err == nil || !strings.Contains(err.Error(), c.name) {
			t.Errorf("a change of %s: %v", c.name, err)
		}
	}
	if r.g.Config().Listen != good.Listen || r.g.Config().Stages[1].Cache.Capacity != 64_000_000 {
		t.Error("the configuration has changed")
	}
	if err := r.g.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x"), 200, first.body, "stagecache; hit")
	if got := r.g.Stores(); len(got) != 2 || got["beta"] == stores["beta"] {
		t.Errorf("stores %v; want beta opened again with its old sizes", got)
	}
	if a := r.get("/beta/x"); !strings.Contains(a.cache(), "stored") {
		t.Errorf("beta: %d %q", a.status, a.cache())
	}
	r.wantAsked(2)
	if r.g.state.Load().stages[0].budget.total.Load() != budgetOf(48e6, 1e6) {
		t.Error("the budget is not the old configuration's")
	}
}

func TestRequestsFinishWithTheirConfiguration(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) { <-release; io.WriteString(w, "done") })
		m := r.many(3, "/prod/x", nil)
		synctest.Wait()
		r.stage = "cache: {capacity: 80MB, memory: 48MB}"
		if err := r.reload(); err != nil {
			t.Fatal(err)
		}
		close(release)
		for _, a := range m.wait(t) {
			r.want(a, 200, "done", "stagecache; fwd=uri-miss") // the store it was to go to is closed
		}
	})
}

func TestShutdownDrains(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) { <-release; io.WriteString(w, "done") })
		m := r.many(3, "/prod/x", nil)
		synctest.Wait()
		down := make(chan error)
		go func() { down <- r.g.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-down:
			t.Fatalf("shut down with requests under way: %v", err)
		default:
		}
		close(release)
		for _, a := range m.wait(t) {
			r.want(a, 200, "done", "stagecache; fwd=uri-miss; stored")
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
		if _, err := r.try(t.Context(), "GET", "/prod/x", ""); err == nil {
			t.Error("a request after the shutdown was answered")
		}
		if err := r.reload(); err == nil {
			t.Error("a reload after the shutdown")
		}

		// What was stored is there after a start.
		g, err := New(Options{Config: r.config(), Root: r.g.o.Root, Clock: r.clock})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Shutdown(t.Context())
		if err := g.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := g.Stores()["prod"].Stats(); s.Entries != 1 {
			t.Errorf("%d entries after a restart, want 1", s.Entries)
		}
	})
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			<-q.Context().Done()
		})
		resp := r.open("/prod/events")
		line := make([]byte, 9)
		if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != "data: 1\n\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		if err := r.g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it took %s", took)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the stream has a clean end")
		}
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.g.Serve(ctx, ln) }()
	resp, err := r.client.Get("http://" + ln.Addr().String() + "/prod/x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if store := r.g.Stores()["prod"]; store != nil {
		t.Error("the store is still open")
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	r := newRig(t)
	cfg := r.config() // the same data directory as the running gateway's
	if _, err := New(Options{Config: cfg, Root: r.g.o.Root}); !errors.Is(err, engine.ErrLocked) || !strings.Contains(fmt.Sprint(err), "stage prod") {
		t.Errorf("a data directory in use: %v", err)
	}
	if _, err := New(Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), "cachectl key generate") {
		t.Errorf("no root key: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no configuration was accepted")
	}
}
