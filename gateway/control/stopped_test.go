package control

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stagecache/engine"
	"stagecache/internal/dirlock"
)

// files is what a directory holds, but for locks: names, sizes and times.
func files(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == dirlock.Name {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(path + " " + string(data) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOnlyAFlushBeginsAnew(t *testing.T) {
	cfg, keys := testConfig(t)
	fill(t, cfg, keys, "/a")
	ctx := t.Context()
	dir := StageDir(cfg.DataDir, "prod")
	key := filepath.Join(dir, "stage.key")
	whole, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"damaged": func() error { return os.WriteFile(key, whole[:len(whole)/2], 0o600) },
		"missing": func() error { return os.Remove(key) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		off := offline(t, cfg, keys)
		_, statsErr := off.Stats(ctx, "prod")
		_, allErr := off.AllStats(ctx)
		_, purgeErr := off.Purge(ctx, "prod", PurgeRequest{Path: "/a"})
		_, compactErr := off.Compact(ctx, "prod", nil)
		for _, err := range []error{statsErr, allErr, purgeErr, compactErr} {
			if !errors.Is(err, engine.ErrNoStore) || !strings.Contains(err.Error(), "stage.key") || !strings.Contains(hintText(err), "cachectl flush --stage prod") {
				t.Errorf("%s: %v, hint %q", name, err, hintText(err))
			}
		}
		if err := off.Close(); err != nil {
			t.Error(err)
		}
		if after := files(t, dir); after != before {
			t.Errorf("%s: looking at it has changed it:\n%q\n%q", name, before, after)
		}
	}
	off := offline(t, cfg, keys)
	if _, err := off.Flush(ctx, "prod"); err != nil {
		t.Errorf("flush: %v", err)
	}
	if s, err := off.Stats(ctx, "prod"); err != nil || s.Entries != 0 {
		t.Errorf("after the flush: %+v, %v", s, err)
	}
	if err := off.Close(); err != nil { // what a flush threw away is removed in the background
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*aside*")); len(left) > 0 {
		t.Errorf("after the flush there is still %v", left)
	}
}

func TestACacheThatIsOffHasNoStore(t *testing.T) {
	cfg, keys := testConfig(t)
	cfg.Stages[0].Cache.Enabled = false
	ctx := t.Context()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	off, err := OpenOffline(cfg, func() (Keys, error) { return Keys{}, errors.New("a key was asked for") }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	dir := StageDir(cfg.DataDir, "prod")
	nothing := func() {
		t.Helper()
		if s, err := off.Stats(ctx, "prod"); err != nil || s.CapacityBytes != 0 || s.DiskBytes != 0 {
			t.Errorf("stats: %+v, %v", s, err)
		}
		if f, err := off.Flush(ctx, "prod"); err != nil || f.Entries != 0 || f.Bytes != 0 {
			t.Errorf("flush: %+v, %v", f, err)
		}
		if _, err := off.Purge(ctx, "prod", PurgeRequest{Path: "/a"}); err != nil {
			t.Errorf("purge: %v", err)
		}
		if c, err := off.Compact(ctx, "prod", nil); err != nil || !c.Done {
			t.Errorf("compact: %+v, %v", c, err)
		}
		if exists(dir) {
			t.Error("a store was made")
		}
	}
	nothing()

	// What was stored while the cache was on is counted, is not purged in part, and goes with a flush.
	fill(t, cfg, keys, "/a")
	if s, err := off.Stats(ctx, "prod"); err != nil || s.DiskBytes == 0 || s.Entries != 0 {
		t.Errorf("stats of what is left: %+v, %v", s, err)
	}
	if _, err := off.Purge(ctx, "prod", PurgeRequest{Path: "/a"}); statusOf(err) != http.StatusConflict || hintText(err) != "cachectl flush --stage prod removes all of it" {
		t.Errorf("purge of what is left: %v", err)
	}
	lock, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := off.Flush(ctx, "prod"); statusOf(err) != http.StatusConflict || !exists(filepath.Join(dir, "stage.key")) {
		t.Errorf("flush of a directory in use: %v", err)
	}
	lock.Release()
	if f, err := off.Flush(ctx, "prod"); err != nil || f.Bytes == 0 {
		t.Errorf("flush of what is left: %+v, %v", f, err)
	}
	nothing()
}

func TestConnectRunningNeedsSomebodyThere(t *testing.T) {
	if _, err := ConnectRunning(t.Context(), filepath.Join(t.TempDir(), "none.sock")); !IsUnreachable(err) {
		t.Errorf("nobody there: %v", err)
	}
	conn, err := ConnectRunning(t.Context(), serveSocket(t, Handler(&fake{}, HandlerOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if s, err := conn.Stats(t.Context(), "prod"); err != nil || s.Hits != 3 || conn.Offline {
		t.Errorf("%+v, %v", s, err)
	}
}
