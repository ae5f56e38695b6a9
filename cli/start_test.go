package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/control"
)

// Guards against a data port that waits for a large index: it opens after LoadWait, however many stages are loading.
func TestTheDataPortDoesNotWaitForever(t *testing.T) {
	// In a bubble of its own: what a test waits for there must be made there.
	indexes := func(loaded, loading int) (out []<-chan struct{}) {
		for i := range loaded + loading {
			c := make(chan struct{})
			if i < loaded {
				close(c)
			}
			out = append(out, c)
		}
		return out
	}
	for _, c := range []struct {
		name            string
		loaded, loading int
		took            time.Duration
	}{{"none", 0, 0, 0}, {"all loaded", 3, 0, 0}, {"some loading", 1, 2, 2 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				all, err := waitAll(t.Context(), indexes(c.loaded, c.loading), 2*time.Second)
				if took := time.Since(begin); all != (c.loading == 0) || err != nil || took != c.took {
					t.Errorf("all %v, %v after %v; want an end after %v", all, err, took, c.took)
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := waitAll(ctx, indexes(0, 1), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted start: %v", err)
	}
}

// Guards against a server that refuses a stage of which more is stored than the file allows by now: it evicts.
func TestServeWithLessCapacityThanIsStored(t *testing.T) {
	o, dir := serverIn(t, "http://127.0.0.1:9")
	root, err := crypto.ReadKeyFile(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.Open(filepath.Join(dir, "data", "stages", "prod"), engine.Options{Key: root, Name: "prod", Capacity: 64_000_000, Block: true})
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{}).Read(value)
	for i := range 400 {
		l, err := s.Lease(t.Context(), binary.BigEndian.AppendUint64(nil, uint64(i)), engine.LeaseOptions{Refresh: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Put(value, engine.Meta{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "stagecache.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "capacity: 500MB", "capacity: 20MB", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := StartServer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown(context.WithoutCancel(t.Context()))
	admin := control.NewClient(filepath.Join(dir, "data", "admin.sock"))
	defer admin.Close()
	for {
		st, err := admin.Stats(t.Context(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		// Housekeeping sees to it within a second.
		if st.DiskBytes <= 20_000_000 {
			if st.Evictions == 0 || st.Entries == 0 || st.CapacityBytes != 20_000_000 {
				t.Errorf("%+v", st)
			}
			return
		}
	}
}
