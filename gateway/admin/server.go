package admin

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"stagecache/gateway/config"
)

// Server serves the door, with bounds on headers and time. The caller listens, and ends it.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Certificate is the door's, which a reload may replace under a running server. Its zero value is none.
type Certificate struct {
	pair atomic.Pointer[tls.Certificate]
}

// Load reads the certificate and its key again; without a name it does nothing.
func (c *Certificate) Load(a config.Admin) error {
	if a.TLS.CertFile == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(a.TLS.CertFile, a.TLS.KeyFile)
	if err != nil {
		return fmt.Errorf("admin.tls: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

// Config is for a server; nil where there is no certificate.
func (c *Certificate) Config() *tls.Config {
	if c.pair.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}
