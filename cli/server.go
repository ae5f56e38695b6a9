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
	"stagecache/gateway/admin"
	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/metrics"
	"stagecache/gateway/overrides"
	"stagecache/internal/collector"
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
	admin   *http.Server       // on the socket
	remote  *http.Server       // on admin.listen; nil: there is none
	set     *overrides.Manager // at run time
	audit   *audit.Log
	heap    *collector.Keeper

	url      string
	adminURL string
	cert     admin.Certificate // of admin.listen
	serving  atomic.Bool       // the data port is open
	ending   atomic.Bool       // somebody has asked to stop
	failed   chan error        // one value: why the data port stopped serving
	reloads  sync.Mutex        // one reload at a time
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

	file, err := o.Load()
	if err != nil {
		return nil, err
	}
	cfg := file
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
	if s.set, err = overrides.Open(cfg.DataDir, s.log); err != nil {
		return nil, err
	}
	cfg = s.set.Use(file, s.apply)
	s.heap = collector.Start(func() (heap, garbage int64) { return heapOf(cfg) })
	undo = append(undo, s.heap.Stop)
	if s.audit, err = audit.Open(cfg.AuditFile, s.log); err != nil {
		return nil, err
	}
	undo = append(undo, func() { s.audit.Close() })
	keys, err := o.Keys(cfg)
	if err != nil {
		return nil, err
	}
	s.gateway, err = gateway.New(gateway.Options{Config: cfg, Root: keys.Root, OldKeys: keys.Old, Logger: s.log, Audit: s.audit})
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		s.gateway.Shutdown(end)
	})

	s.heap.Ask(s.heapNow)
	s.local = control.NewLocal(s.gateway)
	s.local.Overrides, s.local.Audit, s.local.Rotate = s.set, s.audit, s.rotateKeys
	socket, err := control.ListenSocket(cfg.Admin.Socket, s.lock)
	if err != nil {
		return nil, err
	}
	inner := control.Handler(s.local, control.HandlerOptions{
		Ready: s.notReady, Reload: s.reload, Metrics: metrics.Handler(s.gateway.Metrics(), s.local, s.log), Logger: s.log,
	})
	s.admin = &http.Server{
		Handler:           inner,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context {
			return audit.With(context.Background(), audit.Actor{Via: "socket"})
		},
	}
	go s.admin.Serve(socket)
	undo = append(undo, func() { s.admin.Close() })
	if err := s.openRemote(cfg, inner); err != nil {
		return nil, err
	}
	undo = append(undo, func() { s.remote.Close() })

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
	var indexes []<-chan struct{}
	for _, st := range s.gateway.Stores() {
		indexes = append(indexes, st.Ready())
	}
	all, err := waitAll(ctx, indexes, s.o.LoadWait)
	if err == nil && !all {
		s.log.Warn("the index is still being loaded; what it does not have yet is a miss")
	}
	return err
}

// waitAll waits until all are closed, and no longer than most for all of them together.
func waitAll(ctx context.Context, closed []<-chan struct{}, most time.Duration) (all bool, err error) {
	late := time.NewTimer(most)
	defer late.Stop()
	for _, c := range closed {
		select {
		case <-c:
		case <-ctx.Done():
			return false, ctx.Err()
		case <-late.C:
			return false, nil
		}
	}
	return true, nil
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
		for _, srv := range []*http.Server{s.admin, s.remote} {
			if srv.Shutdown(end) != nil {
				srv.Close()
			}
		}
		s.heap.Stop()
		s.stopped = errors.Join(err, s.audit.Close(), s.lock.Release())
	})
	return s.stopped
}

// Reload reads the configuration again. On an error the old one stays in force.
func (s *Server) Reload(ctx context.Context) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	file, err := s.o.Load()
	if err != nil {
		return err
	}
	if err := s.set.Reload(file); err != nil {
		return err
	}
	// The new configuration is in force; what is left are files that can be read, as it was checked, or were until now.
	return errors.Join(s.cert.Load(file.Admin), s.audit.Turn(file.AuditFile, s.log))
}

// rotateKeys reads the configuration again, and takes nothing of it but the root keys.
func (s *Server) rotateKeys(context.Context) (r control.RotateResult, err error) {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	file, err := s.o.Load()
	if err != nil {
		return r, err
	}
	if now := s.gateway.Config(); file.DataDir != now.DataDir {
		return r, errors.New("data_dir has changed in the configuration, which needs a restart first")
	}
	keys, err := s.o.Keys(file)
	if err != nil {
		return r, err
	}
	err = s.set.Rekey(file.Encryption, func() error {
		return s.local.Exclusive(func() (err error) {
			r, err = s.gateway.RotateKeys(file.Encryption, keys)
			return err
		})
	})
	if err == nil {
		s.log.Info("all stages are wrapped with the root key of the configuration", "key_id", r.KeyID)
	}
	return r, err
}

// apply puts a configuration in force, as it comes from the file and from what was set at run time.
func (s *Server) apply(cfg *config.Config) error {
	return s.local.Exclusive(func() error { return s.gateway.Reload(cfg) })
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
