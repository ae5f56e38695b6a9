package gateway

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stagecache/crypto"
	"stagecache/engine"
)

func TestMain(m *testing.M) {
	// The codecs of the store make their channels at the first use, and those of one bubble may not be used in another.
	if err := useCodecs(); err != nil {
		fmt.Fprintln(os.Stderr, "using the store once:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func useCodecs() error {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := engine.Open(filepath.Join(dir, "s"), engine.Options{Key: crypto.NewRootKey(), Capacity: 64e6})
	if err != nil {
		return err
	}
	defer s.Close()
	value := bytes.Repeat([]byte("value"), 1000)
	l, err := s.Lease(context.Background(), []byte("k"), engine.LeaseOptions{})
	if err != nil {
		return err
	}
	if err := l.Put(value, engine.Meta{TTL: time.Hour}); err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	e, err := s.Get(nil, []byte("k"))
	if err == nil && !bytes.Equal(e.Value, value) {
		err = fmt.Errorf("got %q", e.Value)
	}
	return err
}
