package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// maxHeaderBytes is how large a request's header may be; net/http allows 4 KiB beyond it. Backends commonly take 8 to 16 KiB in
// all: a header that only they refuse would make an error of theirs out of a request that looked fine here.
const maxHeaderBytes = 16 << 10

// Serve answers what comes in on a listener, with TLS (and HTTP/2) if the configuration has a certificate. When ctx ends it
// shuts the gateway down, gives requests Options.DrainTimeout to finish, and returns when that is done. Where somebody else
// calls Shutdown it returns nil at once, while the requests still finish: wait for that Shutdown. It may be called for several
// listeners.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           g.Handler(),
		ReadHeaderTimeout: g.o.HeaderTimeout,
		IdleTimeout:       g.o.IdleTimeout,
		// For small answers; streamed ones set a deadline for every part. There is no ReadTimeout: each part of a body has a
		// deadline of its own.
		WriteTimeout:   g.o.WriteTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return g.ctx },
		ConnContext:    withConn,
		ConnState:      noteState,
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ln.Close()
	}
	g.servers = append(g.servers, srv)
	g.mu.Unlock()

	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.o.DrainTimeout)
		defer cancel()
		stopped <- g.Shutdown(drain)
	})
	var err error
	if g.cert.on() {
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return g.cert.get(g.log), nil
		}}
		err = srv.ServeTLS(listener{ln, g.crowd, nil}, "", "")
	} else {
		err = srv.Serve(listener{ln, g.crowd, g})
	}
	if !stop() && ctx.Err() != nil {
		return <-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving %s: %w", ln.Addr(), err)
}

// Shutdown stops listening, lets the requests and fetches that run finish, and closes the stores, which drains their queues.
// What has not finished when ctx ends is cut; the stores are closed in any case. Only the first call does anything, later ones
// wait for it.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		select {
		case <-g.down:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.closed = true
	servers := g.servers
	g.mu.Unlock()
	defer close(g.down)

	var errs []error
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("requests were cut: %w", err))
		}
	}
	if err := g.leaving.close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("answers were cut: %w", err))
	}
	if err := g.fetches.close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("fetches were cut: %w", err))
	}
	g.cancel(errStop) // ends what is left, tunnels included
	for _, srv := range servers {
		srv.Close()
	}
	s := g.state.Load()
	for _, b := range s.backends {
		b.close()
	}
	for _, st := range s.stages {
		if store := st.store.Swap(nil); store != nil {
			if err := store.Close(); err != nil {
				errs = append(errs, fmt.Errorf("closing stage %s: %w", st.name, err))
			}
		}
	}
	g.access.turn(logOutput{})
	return errors.Join(errs...)
}
