package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair makes a certificate for 127.0.0.1 and gives its files.
func writePair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kb}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, "first")
	r := newRig(t, withTop(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, key)))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Header.Get("X-Forwarded-Proto")) })
	ask := func() (*http.Response, string) {
		t.Helper()
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(context.Background(), "GET", "https://"+r.addr+"/prod/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	for _, want := range []string{"uri-miss", "hit"} {
		resp, body := ask()
		if resp.ProtoMajor != 2 || body != "https" || !strings.Contains(resp.Header.Get("Cache-Status"), want) {
			t.Errorf("HTTP/%d, %q, %q", resp.ProtoMajor, body, resp.Header.Get("Cache-Status"))
		}
	}
	cert, key = writePair(t, dir, "second")
	r.top = fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, key)
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	if resp, _ := ask(); resp.TLS.PeerCertificates[0].Subject.CommonName != "second" {
		t.Error("a reload did not change the certificate")
	}
	r.top = fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, filepath.Join(dir, "first.key"))
	if err := r.reload(); err == nil || !strings.Contains(err.Error(), "tls") {
		t.Errorf("a key that does not fit: %v", err)
	}
	if resp, _ := ask(); resp.TLS.PeerCertificates[0].Subject.CommonName != "second" {
		t.Error("a reload that was refused changed the certificate")
	}
}

// Whoever renews the files need not tell the gateway. What cannot be used leaves the old certificate where it is.
func TestACertificateThatChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, "c")
	r := newRig(t, withTop(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, key)))
	serial := func() string {
		t.Helper()
		r.g.cert.looked.Store(0) // a second later
		c, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return fmt.Sprintf("%x", c.ConnectionState().PeerCertificates[0].PublicKey)
	}
	first := serial()
	if again := serial(); again != first {
		t.Error("it changed by itself")
	}
	other, otherKey := writePair(t, dir, "other")
	// Put in place as is usual: the certificate, then the key.
	if err := os.Rename(other, cert); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != first {
		t.Error("half a pair is used")
	}
	if n := strings.Count(r.log.String(), "the changed certificate cannot be used"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
	serial()
	if n := strings.Count(r.log.String(), "the changed certificate cannot be used"); n != 1 {
		t.Errorf("told %d times", n)
	}
	if err := os.Rename(otherKey, key); err != nil {
		t.Fatal(err)
	}
	second := serial()
	if second == first {
		t.Errorf("the new pair is not used:\n%s", r.log)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if serial() != second || strings.Count(r.log.String(), "the changed certificate cannot be used") != 2 {
		t.Errorf("a file that went away:\n%s", r.log)
	}
	if c, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// HTTP/2 resets a stream whose deadline passes, even if nobody writes: a slow backend must not run into that.
func TestHTTP2WaitsForTheBackend(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, "c")
	r := newRig(t, withTop(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, key)),
		func(_ *rig, o *Options) { o.WriteTimeout = 50 * time.Millisecond })
	release := make(chan struct{})
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		<-release
		io.WriteString(w, "x")
	})
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		time.AfterFunc(200*time.Millisecond, func() { release <- struct{}{} }) // four times the deadline of a write
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+r.addr+path, nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "x" || err != nil {
			t.Errorf("%s: %q, %v", path, b, err)
		}
		resp.Body.Close()
	}
}

func TestBackendTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, "backend")
	r := newRig(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Proto) })}
	go srv.Serve(ln)
	defer srv.Close()
	cfg := r.config()
	cfg.Backends["shop"].URL.Scheme, cfg.Backends["shop"].URL.Host = "https", ln.Addr().String()
	if err := r.g.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	if a := r.get("/prod/x"); a.status != 502 || strings.Contains(a.body, "certificate") {
		t.Errorf("a backend that nobody vouches for: %d %q", a.status, a.body)
	}
	cfg = r.config()
	cfg.Backends["shop"].URL.Scheme, cfg.Backends["shop"].URL.Host = "https", ln.Addr().String()
	cfg.Backends["shop"].TLS.CA = cert
	if err := r.g.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x"), 200, "HTTP/2.0", "stagecache; fwd=uri-miss; stored")
}
