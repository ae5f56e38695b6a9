package control

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/internal/dirlock"
)

// testConfig is a configuration of one stage, prod, in a fresh directory.
func testConfig(t *testing.T) (*config.Config, Keys) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "stagecache.yaml")
	keys := Keys{Root: crypto.NewRootKey()}
	if err := crypto.CreateKeyFile(filepath.Join(dir, "root.key"), keys.Root); err != nil {
		t.Fatal(err)
	}
	text := `
data_dir: ./data
encryption: {key_file: ./root.key}
backends:
  shop: {url: "http://127.0.0.1:9000"}
stages:
  prod:
    cache: {enabled: true, capacity: 500MB, memory: 64MB, ttl: 120s}
    methods:
      "GET /products/{id}": {ttl: 60s, key: {headers: [Accept-Language]}}
    routes:
      - {path: "/{proxy+}", backend: shop}
`
	cfg, err := config.Parse(file, []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, keys
}

func offline(t *testing.T, cfg *config.Config, keys Keys) *Offline {
	t.Helper()
	off, err := OpenOffline(cfg, func() (Keys, error) { return keys, nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return off
}

// fill makes the store of prod and puts entries into it.
func fill(t *testing.T, cfg *config.Config, keys Keys, paths ...string) {
	t.Helper()
	dir := StageDir(cfg.DataDir, "prod")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	st, err := engine.Open(dir, StoreOptions(cfg.Stages[0], keys, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		l, err := st.Lease(t.Context(), []byte(path), engine.LeaseOptions{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Put([]byte("the value of "+path), engine.Meta{TTL: time.Hour, Path: path, Tags: []string{"all"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOfflineAdministersWhatAGatewayLeft(t *testing.T) {
	cfg, keys := testConfig(t)
	fill(t, cfg, keys, "/a/1", "/a/2", "/b/1")
	ctx := t.Context()

	off := offline(t, cfg, keys)
	s, err := off.Stats(ctx, "prod")
	if err != nil || s.Entries != 3 || s.DiskBytes == 0 || s.CapacityBytes != 500e6 || s.UptimeSeconds != 0 {
		t.Fatalf("stats: %+v, %v", s, err)
	}
	p, err := off.Purge(ctx, "prod", PurgeRequest{Path: "/a/*"})
	if err != nil || p.AtMost < 2 {
		t.Errorf("purge: %+v, %v; want at most 2 or more", p, err)
	}
	if c, err := off.Compact(ctx, "prod", nil); err != nil || !c.Done || c.Stage != "prod" {
		t.Errorf("compact: %+v, %v", c, err)
	}
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}

	off = offline(t, cfg, keys)
	st, err := off.src.Store(ctx, "prod")
	if err != nil {
		t.Fatal(err)
	}
	for path, there := range map[string]bool{"/a/1": false, "/a/2": false, "/b/1": true} {
		if _, err := st.Get(nil, []byte(path)); (err == nil) != there {
			t.Errorf("after the purge, %s: %v", path, err)
		}
	}
	f, err := off.Flush(ctx, "prod")
	if err != nil || f.Entries < 1 {
		t.Errorf("flush: %+v, %v", f, err)
	}
	if _, err := st.Get(nil, []byte("/b/1")); !errors.Is(err, engine.ErrMiss) {
		t.Errorf("after the flush: %v", err)
	}
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}
	// The lock is free again.
	lock, err := dirlock.Acquire(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
}

func TestADirectoryThatWasNeverUsedIsEmptyAndNotMade(t *testing.T) {
	cfg, _ := testConfig(t)
	off, err := OpenOffline(cfg, func() (Keys, error) { return Keys{}, errors.New("a key was asked for") }, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if f, err := off.Flush(ctx, "prod"); err != nil || f != (FlushResult{Stage: "prod"}) {
		t.Errorf("flush: %+v, %v", f, err)
	}
	if p, err := off.Purge(ctx, "prod", PurgeRequest{Tag: "x"}); err != nil || p.AtMost != 0 {
		t.Errorf("purge: %+v, %v", p, err)
	}
	if c, err := off.Compact(ctx, "prod", nil); err != nil || !c.Done {
		t.Errorf("compact: %+v, %v", c, err)
	}
	if l, err := off.AllStats(ctx); err != nil || len(l) != 1 || l[0].Entries != 0 || l[0].CapacityBytes != 500e6 {
		t.Errorf("stats: %+v, %v", l, err)
	}
	if err := off.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.DataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestAWrongKeyIsTypedAndChangesNothing(t *testing.T) {
	cfg, keys := testConfig(t)
	fill(t, cfg, keys, "/a")
	off := offline(t, cfg, Keys{Root: crypto.NewRootKey()})
	_, err := off.Flush(t.Context(), "prod")
	var wrong *crypto.WrongKeyError
	if !errors.As(err, &wrong) || wrong.Want != keys.Root.ID() || !strings.Contains(err.Error(), "stage prod") {
		t.Errorf("flush with another key: %v", err)
	}
	off.Close()
	off = offline(t, cfg, keys)
	defer off.Close()
	if s, err := off.Stats(t.Context(), "prod"); err != nil || s.Entries != 1 {
		t.Errorf("with the right key: %+v, %v", s, err)
	}
}

func TestUnknownStagesAreNamedWithTheKnownOnes(t *testing.T) {
	cfg, keys := testConfig(t)
	off := offline(t, cfg, keys)
	defer off.Close()
	ctx := t.Context()
	_, statsErr := off.Stats(ctx, "prdo")
	_, flushErr := off.Flush(ctx, "prdo")
	_, purgeErr := off.Purge(ctx, "prdo", PurgeRequest{Tag: "x"})
	_, compactErr := off.Compact(ctx, "prdo", nil)
	_, stageErr := off.Stage(ctx, "prdo")
	for _, err := range []error{statsErr, flushErr, purgeErr, compactErr, stageErr} {
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusNotFound || e.Hint() != "the stages are: prod" {
			t.Errorf("%v, hint %q", err, hintText(err))
		}
	}
}

func TestOrphansAreListedAndRemovedOnRequestOnly(t *testing.T) {
	cfg, keys := testConfig(t)
	fill(t, cfg, keys, "/a")
	gone := StageDir(cfg.DataDir, "gone")
	if err := os.MkdirAll(filepath.Join(gone, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(gone, "deep", "f"), make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	// What could be mistaken for a stage's directory, or for a way out.
	outside := filepath.Join(filepath.Dir(cfg.DataDir), "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, StageDir(cfg.DataDir, "link")); err != nil {
		t.Fatal(err)
	}

	off := offline(t, cfg, keys)
	defer off.Close()
	ctx := t.Context()
	list, err := off.Stages(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if o := list[0]; o.Stage != "gone" || !o.Orphaned || o.DiskBytes < 100_000 || o.Dir != gone {
		t.Errorf("the orphan: %+v", o)
	}
	if s := list[1]; s.Stage != "prod" || s.Orphaned || !s.CacheEnabled || s.BasePath != "/prod" || s.DiskBytes == 0 {
		t.Errorf("the stage: %+v", s)
	}

	if _, err := off.RemoveStage(ctx, "prod"); statusOf(err) != http.StatusConflict || !strings.Contains(hintText(err), cfg.File) {
		t.Errorf("a configured stage: %v, hint %q", err, hintText(err))
	}
	for _, name := range []string{"", ".", "..", "../..", "gone/deep", "link", "no", gone} {
		if _, err := off.RemoveStage(ctx, name); statusOf(err) != http.StatusNotFound {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	r, err := off.RemoveStage(ctx, "gone")
	if err != nil || r.DiskBytes < 100_000 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if s, err := off.Stats(ctx, "prod"); err != nil || s.Entries != 1 {
		t.Errorf("the neighbour: %+v, %v", s, err)
	}
}

func TestSettingsSayWhereTheyComeFrom(t *testing.T) {
	cfg, keys := testConfig(t)
	off := offline(t, cfg, keys)
	defer off.Close()
	d, err := off.Stage(t.Context(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if d.BasePath != "/prod" || d.Mode != config.ModeAPIGateway || len(d.Routes) != 1 || d.Cache.CapacityBytes != 500e6 {
		t.Errorf("%+v", d)
	}
	if len(d.Methods) != 2 || d.Methods[0].Method != "*" || d.Methods[1].Method != "GET /products/{id}" {
		t.Fatalf("methods: %+v", d.Methods)
	}
	find := func(m MethodSettings, name string) Setting {
		for _, s := range m.Settings {
			if s.Name == name {
				return s
			}
		}
		t.Errorf("%s has no %s", m.Method, name)
		return Setting{}
	}
	file := cfg.File
	for _, c := range []struct {
		method       int
		name         string
		value, where string
	}{
		{0, "ttl", "120s", file + ":7 stage"},
		{0, "negative_ttl", "0s", "default"},
		{0, "key.mode", "full", "default"},
		{1, "ttl", "60s", file + ":10 method"},
		{1, "negative_ttl", "0s", "default"},
		{1, "key.mode", "full", "default"},
	} {
		if s := find(d.Methods[c.method], c.name); s.Value != c.value || s.Origin != c.where {
			t.Errorf("%s %s: %v from %s, want %s from %s", d.Methods[c.method].Method, c.name, s.Value, s.Origin, c.value, c.where)
		}
	}
	if s := find(d.Methods[1], "key.headers"); s.Origin != file+":10 method" {
		t.Errorf("key.headers: %+v", s)
	}
}

func TestConnectFollowsTheLock(t *testing.T) {
	cfg, keys := testConfig(t)
	fill(t, cfg, keys, "/a")
	o := ConnectOptions{Config: cfg, Keys: func() (Keys, error) { return keys, nil }, Wait: time.Nanosecond}

	conn, err := Connect(t.Context(), o)
	if err != nil || !conn.Offline {
		t.Fatalf("free: %+v, %v", conn, err)
	}
	// Held by ourselves now, without a socket.
	_, err = Connect(t.Context(), o)
	if !IsUnreachable(err) || hintText(err) == "" || !strings.Contains(err.Error(), cfg.Admin.Socket) {
		t.Errorf("held without an answer: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}

	lock, err := dirlock.Acquire(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	l, err := ListenSocket(cfg.Admin.Socket, lock)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: Handler(&fake{}, HandlerOptions{})}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	defer func() { srv.Close(); <-done }()
	conn, err = Connect(t.Context(), o)
	if err != nil || conn.Offline {
		t.Fatalf("held by a gateway: %+v, %v", conn, err)
	}
	if s, err := conn.Stats(t.Context(), "prod"); err != nil || s.Hits != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// closed is a Source whose stores were closed.
type closed struct{ Source }

func (closed) Store(context.Context, string) (*engine.Store, error) { return nil, engine.ErrClosed }

func TestAStoreThatAReloadClosedSaysSo(t *testing.T) {
	cfg, _ := testConfig(t)
	src := &offlineSource{}
	src.cfg.Store(cfg)
	_, err := NewLocal(closed{src}).Flush(t.Context(), "prod")
	if statusOf(err) != http.StatusConflict || !strings.Contains(err.Error(), "closed or reconfigured") {
		t.Errorf("%v", err)
	}
}

func TestOneCompactionOfAStageAtATime(t *testing.T) {
	l := NewLocal(nil)
	if !l.beginCompaction("prod") || l.beginCompaction("prod") || !l.beginCompaction("dev") {
		t.Error("compactions of one stage overlap, or those of two do not")
	}
	l.endCompaction("prod")
	if !l.beginCompaction("prod") {
		t.Error("a compaction that has ended is in the way of the next")
	}
}

func TestHitRatio(t *testing.T) {
	if s := newStats("s", 1, engine.Stats{}, RequestStats{}, 0); s.HitRatio != 0 || s.CapacityBytes != 1 {
		t.Errorf("before the first request: %+v", s)
	}
	if s := newStats("s", 1, engine.Stats{CapacityBytes: 2}, RequestStats{Hits: 3, Misses: 1, Bypasses: 9}, 90*time.Second); s.HitRatio != 0.75 || s.UptimeSeconds != 90 || s.CapacityBytes != 2 {
		t.Errorf("%+v", s)
	}
}
