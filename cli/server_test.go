package cli

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
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stagecache/crypto"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/internal/dirlock"
)

// serverIn gives the options of a server with everything in a fresh directory and its data port on port 0.
func serverIn(t *testing.T, backend string) (ServerOptions, string) {
	t.Helper()
	dir := t.TempDir()
	key := crypto.NewRootKey()
	if err := crypto.CreateKeyFile(filepath.Join(dir, "root.key"), key); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "stagecache.yaml")
	text := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: ./data
encryption: {key_file: ./root.key}
backends:
  shop: {url: %q}
stages:
  prod:
    cache: {enabled: true, capacity: 500MB, memory: 64MB}
    routes:
      - {path: "/{proxy+}", backend: shop}
`, backend)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ServerOptions{
		Load: func() (*config.Config, error) { return config.Load(file, config.Options{}) },
		Keys: func(c *config.Config) (control.Keys, error) {
			root, old, err := c.Encryption.RootKeys(c.DataDir, nil)
			return control.Keys{Root: root, Old: old}, err
		},
		LockWait: time.Nanosecond,
	}, dir
}

func TestServerOnPortZero(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go backend.Serve(l)
	defer backend.Close()

	o, dir := serverIn(t, "http://"+l.Addr().String())
	s, err := StartServer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, want := range []string{"fwd=uri-miss; stored", "hit; ttl="} {
		resp, err := client.Get(s.URL() + "/prod/x")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "hello" || !strings.Contains(resp.Header.Get("Cache-Status"), want) {
			t.Errorf("%q, %v, %v; want %s", b, err, resp.Header, want)
		}
	}
	// Whoever comes second is told who was first.
	var held *dirlock.HeldError
	if _, err := StartServer(t.Context(), o); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("a second server on the directory: %v", err)
	}
	admin := control.NewClient(filepath.Join(dir, "data", "admin.sock"))
	if st, err := admin.Stats(t.Context(), "prod"); err != nil || st.Hits != 1 || st.Misses != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	admin.Close()

	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.notReady(); err == nil || err.Error() != "the gateway is stopping" {
		t.Errorf("after Shutdown: %v", err)
	}
	if err := <-s.Failed(); err != nil {
		t.Errorf("serving ended with %v", err)
	}
	lock, err := dirlock.Acquire(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatalf("the directory is not free: %v", err)
	}
	lock.Release()
}

// Each failure of a start leaves the directory free and nothing running.
func TestAFailedStartIsUndone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name, want string
		spoil      func(o *ServerOptions, dir string)
	}{
		{"no configuration", "broken file", func(o *ServerOptions, _ string) {
			o.Load = func() (*config.Config, error) { return nil, errors.New("broken file") }
		}},
		{"no key", "broken key", func(o *ServerOptions, _ string) {
			o.Keys = func(*config.Config) (control.Keys, error) { return control.Keys{}, errors.New("broken key") }
		}},
		{"port in use", "the port is in use", func(o *ServerOptions, _ string) {
			load := o.Load
			o.Load = func() (*config.Config, error) {
				cfg, err := load()
				if err == nil {
					cfg.Listen = taken.Addr().String()
				}
				return cfg, err
			}
		}},
		{"something where the socket belongs", "not a socket", func(_ *ServerOptions, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "data", "admin.sock"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file where the store belongs", "stage prod", func(_ *ServerOptions, dir string) {
			if err := os.MkdirAll(control.StagesDir(filepath.Join(dir, "data")), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(control.StageDir(filepath.Join(dir, "data"), "prod"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			o, dir := serverIn(t, "http://127.0.0.1:9")
			c.spoil(&o, dir)
			s, err := StartServer(t.Context(), o)
			if err == nil {
				s.Shutdown(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			lock, err := dirlock.Acquire(filepath.Join(dir, "data"))
			if errors.Is(err, os.ErrNotExist) {
				return // nothing was made at all
			}
			if err != nil {
				t.Fatalf("the directory is not free: %v", err)
			}
			lock.Release()
		})
	}
}

func TestAReloadThatFailsChangesNothing(t *testing.T) {
	o, dir := serverIn(t, "http://127.0.0.1:9")
	s, err := StartServer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	file := filepath.Join(dir, "stagecache.yaml")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"",
		"stages: [",
		strings.Replace(string(good), "127.0.0.1:0", "127.0.0.1:1", 1),
		strings.Replace(string(good), "./data", "./other", 1),
		strings.Replace(string(good), "memory: 64MB", "memory: 1MB", 1),
	} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		before := s.gateway.Config()
		if err := s.Reload(t.Context()); err == nil {
			t.Errorf("accepted:\n%s", bad)
		}
		if s.gateway.Config() != before || s.notReady() != nil {
			t.Errorf("something changed by:\n%s", bad)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(good), "prod:", "next:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.local.Stages(t.Context())
	if err != nil || len(list) != 2 || list[0].Stage != "next" || !list[1].Orphaned {
		t.Errorf("%+v, %v", list, err)
	}
}
