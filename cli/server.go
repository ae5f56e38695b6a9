package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/gateway"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/metrics"
	"stagecache/internal/dirlock"
)

// ServerOptions say what to serve.
type ServerOptions struct {
	// Load reads and checks the configuration: once at start, and again at each reload. Required.
	Load func() (*config.Config, error)
	// Keys reads the root keys of a configuration. Required.
	Keys func(*config.Config) (control.Keys, error)
	// Listener is where the data plane listens, if not at the configuration's listen. The server closes it.
	Listener net.Listener
	Logger   *slog.Logger  // nil: none
	LoadWait time.Duration // how long the data port waits for the indexes; 0: 2 s
	LockWait time.Duration // how long to wait for another process to leave the data directory; 0: 1 s
}

// Server is a running gateway with its data port and its admin socket. StartServer makes one; Shutdown ends it.
type Server struct {
	o       ServerOptions
	log     *slog.Logger
	lock    *dirlock.Lock
	gateway *gateway.Gateway
	local   *control.Local
	admin   *http.Server

	url      string
	serving  atomic.Bool // the data port is open
	ending   atomic.Bool // somebody has asked to stop
	failed   chan error  // one value: why the data port stopped serving
	reloads  sync.Mutex  // one reload at a time
	stopping sync.Once
	stopped  error // what Shutdown found; written once, within stopping
}

// StartServer starts a gateway and returns when its data port is open. On an error everything that was begun is undone.
func StartServer(ctx context.Context, o ServerOptions) (_ *Server, err error) {
	if o.LoadWait == 0 {
		o.LoadWait = 2 * time.Second
	}
	s := &Server{o: o, log: o.Logger, failed: make(chan error, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	undo := []func(){func() {
		if o.Listener != nil {
			o.Listener.Close()
		}
	}}
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				undo[i]()
			}
		}
	}()

	cfg, err := o.Load()
	if err != nil {
		return nil, err
	}
	limitHeap(cfg)
	if err := makeDataDir(cfg.DataDir, s.log); err != nil {
		return nil, err
	}
	if s.lock, err = lockDataDir(ctx, cfg, o.LockWait); err != nil {
		return nil, err
	}
	undo = append(undo, func() { s.lock.Release() })
	if o.Listener == nil {
		// A port that is in use is found before any store is opened; it is opened for good when the stores are ready.
		probe, err := listen(cfg)
		if err != nil {
			return nil, err
		}
		probe.Close()
	}
	keys, err := o.Keys(cfg)
	if err != nil {
		return nil, err
	}
	s.gateway, err = gateway.New(gateway.Options{Config: cfg, Root: keys.Root, OldKeys: keys.Old, Logger: s.log})
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		s.gateway.Shutdown(end)
	})

	s.local = control.NewLocal(s.gateway)
	socket, err := control.ListenSocket(cfg.Admin.Socket, s.lock)
	if err != nil {
		return nil, err
	}
	s.admin = &http.Server{
		Handler: control.Handler(s.local, control.HandlerOptions{
			Ready: s.notReady, Reload: s.reload, Metrics: metrics.Handler(s.gateway.Metrics(), s.local, s.log), Logger: s.log,
		}),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	go s.admin.Serve(socket)
	undo = append(undo, func() { s.admin.Close() })

	if err := s.waitForIndexes(ctx); err != nil {
		return nil, err
	}
	l := o.Listener
	if l == nil {
		if l, err = listen(cfg); err != nil {
			return nil, err
		}
	}
	s.url = "http://" + l.Addr().String()
	if cfg.TLS.CertFile != "" {
		s.url = "https://" + l.Addr().String()
	}
	s.serving.Store(true)
	go func() {
		// Shutdown alone ends it, not the context of whoever started it.
		s.failed <- s.gateway.Serve(context.WithoutCancel(ctx), l)
	}()
	s.log.Info("listening on " + s.URL())
	return s, nil
}

// URL is where the data plane is reached.
func (s *Server) URL() string { return s.url }

// Failed gives one value if the data port stops serving without Shutdown.
func (s *Server) Failed() <-chan error { return s.failed }

// waitForIndexes returns when every stage can find what it has, or after LoadWait: what is not found is then a miss.
func (s *Server) waitForIndexes(ctx context.Context) error {
	late := time.NewTimer(s.o.LoadWait)
	defer late.Stop()
	for _, st := range s.gateway.Stores() {
		select {
		case <-st.Ready():
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			s.log.Warn("the index is still being loaded; what it does not have yet is a miss")
			return nil
		}
	}
	return nil
}

// notReady answers /readyz: nil when the data port is open and every index is loaded, else what is in the way.
func (s *Server) notReady() error {
	if s.ending.Load() {
		return errors.New("the gateway is stopping")
	}
	for name, st := range s.gateway.Stores() {
		select {
		case <-st.Ready():
		default:
			return fmt.Errorf("the index of stage %s is still being loaded", name)
		}
	}
	if !s.serving.Load() {
		return errors.New("the data port is not open yet")
	}
	return nil
}

// Shutdown drains requests until ctx ends, closes the stores, and leaves the data directory to others. Calls after the
// first wait for it, and return what it returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Do(func() {
		s.ending.Store(true) // /readyz says no, so that a balancer stops sending
		err := s.gateway.Shutdown(ctx)
		// Who administers is answered until the stores are closed, and not cut off in the middle of an answer.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.admin.Shutdown(end) != nil {
			s.admin.Close()
		}
		s.stopped = errors.Join(err, s.lock.Release())
	})
	return s.stopped
}

// Reload reads the configuration again. On an error the old one stays in force.
func (s *Server) Reload(ctx context.Context) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	cfg, err := s.o.Load()
	if err != nil {
		return err
	}
	return s.local.Exclusive(func() error {
		err := s.gateway.Reload(cfg)
		if err == nil {
			limitHeap(cfg)
		}
		return err
	})
}

func makeDataDir(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		log.Warn("the data directory is open to other users; chmod 700 closes it", "dir", dir, "mode", fmt.Sprintf("%04o", fi.Mode().Perm()))
	}
	return nil
}
