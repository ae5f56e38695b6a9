package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/internal/dirlock"
)

// lockDataDir takes the data directory's lock. A command that works offline holds it for a moment, so a holder that is no
// gateway is waited for.
func lockDataDir(ctx context.Context, cfg *config.Config, wait time.Duration) (*dirlock.Lock, error) {
	if wait == 0 {
		wait = time.Second
	}
	deadline := time.Now().Add(wait)
	for {
		lock, err := dirlock.Acquire(cfg.DataDir)
		var held *dirlock.HeldError
		if !errors.As(err, &held) {
			return lock, err
		}
		client := control.NewClient(cfg.Admin.Socket)
		pingErr := client.Ping(ctx)
		client.Close()
		if pingErr == nil || time.Now().After(deadline) {
			return nil, held
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// listen opens the data port.
func listen(cfg *config.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err == nil {
		return l, nil
	}
	hint := "set listen to an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &hintedError{
			fmt.Errorf("cannot listen on %s: the port is in use by another process", cfg.Listen),
			"stop that process, or set listen to another port",
		}
	case errors.Is(err, fs.ErrPermission):
		hint = "ports below 1024 need a privilege: choose another, or grant CAP_NET_BIND_SERVICE"
	}
	return nil, &hintedError{fmt.Errorf("cannot listen on %s: %w", cfg.Listen, err), hint}
}
