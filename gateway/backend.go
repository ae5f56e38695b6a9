package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// maxResponseHeader is how large the header of a backend's answer may be.
const maxResponseHeader = 64 << 10

// backend is one server behind the gateway, with its connections.
type backend struct {
	cfg       *config.Backend
	base      string // the escaped path of its URL, without a "/" at the end
	transport *http.Transport
	// complained is the second in which its last failure was logged.
	complained atomic.Int64
}

func newBackend(cfg *config.Backend) (*backend, error) {
	tlsConfig, err := backendTLS(cfg.TLS)
	if err != nil {
		return nil, fmt.Errorf("backend %s: %w", cfg.Name, err)
	}
	base := cfg.URL.EscapedPath()
	for base != "" && base[len(base)-1] == '/' {
		base = base[:len(base)-1]
	}
	dialer := &net.Dialer{Timeout: cfg.Timeout, KeepAlive: 30 * time.Second}
	return &backend{cfg: cfg, base: base, transport: &http.Transport{
		// No Proxy: where the gateway sends its requests is the configuration's word, not the environment's.
		DialContext:         dialer.DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: cfg.Timeout,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     cfg.MaxConnections,
		MaxIdleConnsPerHost: cfg.MaxConnections, // the default of 2 would close nearly every connection under load
		IdleConnTimeout:     90 * time.Second,
		// The time until the headers is watched by each request's watchdog, which also covers the wait for a free
		// connection; this is for what the watchdog does not see, the time after an upload.
		ResponseHeaderTimeout:  cfg.Timeout,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true, // bytes pass as the backend sent them
		MaxResponseHeaderBytes: maxResponseHeader,
	}}, nil
}

func backendTLS(t config.BackendTLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM form", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// close lets go of idle connections; those in use end with their requests.
func (b *backend) close() { b.transport.CloseIdleConnections() }

// upstream is an answer of a backend that somebody owns, with what must end when its body does.
type upstream struct {
	confirmed bool   // the backend only said that what was stored still holds
	joined    bool   // ... gave what was missing to a part that was stored
	reason    string // why the answer is not stored, for Cache-Status; "": nobody asked
	resp      *http.Response
	ctx       context.Context
	cancel    context.CancelCauseFunc
	dog       *watchdog
}

func (u *upstream) close() {
	u.dog.disarm()
	u.cancel(errDone)
	u.resp.Body.Close()
}

// backendFailed tells the operator that a backend gave no answer, once a second and backend at most: a backend that is down
// is asked often.
func (g *Gateway) backendFailed(st *stage, b *backend, p *problem) {
	if p == errStopping {
		return
	}
	now := time.Now().Unix()
	if last := b.complained.Swap(now); last != now {
		g.log.Warn("backend failed", "backend", b.cfg.Name, "stage", st.name, "status", p.status, "reason", p.message)
	}
}

// ask sends a request and waits for the head of the answer, at most for the backend's timeout. Every later read of the body
// is watched for as long again. ctx bounds the whole.
func (b *backend) ask(ctx context.Context, req *http.Request) (*upstream, *problem) {
	ctx, cancel := context.WithCancelCause(ctx)
	dog := newWatchdog(b.cfg.Timeout, cancel)
	resp, err := b.transport.RoundTrip(req.WithContext(ctx))
	dog.disarm()
	if err != nil {
		p := problemOf(ctx, err)
		cancel(errDone)
		return nil, p
	}
	if !isAnswer(resp.StatusCode) || !policy.Sound(resp.Header) {
		cancel(errDone)
		resp.Body.Close()
		return nil, errBadAnswer
	}
	resp.Body = watch(resp.Body, dog)
	return &upstream{resp: resp, ctx: ctx, cancel: cancel, dog: dog}, nil
}

// isAnswer tells a status that ends a request. net/http lets through 000 to 099, which it panics on when asked to send them, and
// 101, which is an answer only to those who asked for it.
func isAnswer(status int) bool { return status >= 200 }
