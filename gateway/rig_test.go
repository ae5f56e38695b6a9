package gateway

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/crypto"
	"stagecache/gateway/config"
	"stagecache/internal/clock"
)

// rig is a gateway with a real store, served on a real port, in front of a backend that a test scripts.
type rig struct {
	t       testing.TB
	g       *Gateway
	clock   *clock.Fake
	backend *testBackend
	addr    string
	client  *http.Client
	log     *lockedBuffer
	dir     string
	pipes   bool // no sockets: everything may run in a bubble of synctest
	dial    func(context.Context, string, string) (net.Conn, error)
	stage   string // lines of the stage, as in the file
	methods string
	top     string
	edit    func(*config.Config) // what the file's text does not have, such as secrets
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// testBackend answers with what its handler says and remembers what it was asked.
type testBackend struct {
	*httptest.Server
	mu      sync.Mutex
	handler http.HandlerFunc
	asked   []*http.Request
}

func newTestBackend(t testing.TB, ln net.Listener) *testBackend {
	b := &testBackend{}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asked = append(b.asked, r.Clone(context.Background()))
		h := b.handler
		b.mu.Unlock()
		h(w, r)
	}))
	if ln != nil {
		b.Listener.Close()
		b.Listener = ln
	}
	b.Start()
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(b.Close)
	b.serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "answer %d to %s", b.count(), r.URL) })
	return b
}

func (b *testBackend) serve(h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handler = h
}

func (b *testBackend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

func (b *testBackend) last() *http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[len(b.asked)-1]
}

type option func(*rig, *Options)

// stageLines adds lines to the stage; cacheLines to its cache.
func withStage(lines string) option   { return func(r *rig, _ *Options) { r.stage = lines } }
func withMethods(lines string) option { return func(r *rig, _ *Options) { r.methods = lines } }
func withTop(lines string) option     { return func(r *rig, _ *Options) { r.top = lines } }

func newRig(t testing.TB, opts ...option) *rig {
	t.Helper()
	r := &rig{
		t: t, clock: clock.NewFake(time.Now().Truncate(time.Second)), log: &lockedBuffer{}, dir: t.TempDir(),
		stage: "cache: {capacity: 64MB, memory: 48MB}",
	}
	o := Options{Root: crypto.NewRootKey(), Clock: r.clock, Logger: slog.New(slog.NewTextHandler(r.log, nil))}
	for _, opt := range opts {
		opt(r, &o)
	}
	var ln net.Listener
	var err error
	behind := newPipes("127.0.0.1:2")
	if r.pipes {
		front := newPipes("127.0.0.1:1")
		ln, r.dial = front, front.dial
		r.backend = newTestBackend(t, behind)
	} else {
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		r.backend = newTestBackend(t, nil)
	}
	o.Config = r.config()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.g = g
	if r.pipes {
		g.state.Load().backends["shop"].transport.DialContext = behind.dial
	}
	r.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- g.Serve(context.Background(), ln) }()
	r.client = &http.Client{
		Transport:     &http.Transport{DialContext: r.dial, DisableCompression: true, MaxIdleConnsPerHost: 200},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

func (r *rig) config() *config.Config {
	r.t.Helper()
	cfg, err := r.parse()
	if err != nil {
		r.t.Fatal(err)
	}
	if r.edit != nil {
		r.edit(cfg)
	}
	return cfg
}

func (r *rig) parse() (*config.Config, error) {
	indent := func(s, by string) string { return strings.ReplaceAll(s, "\n", "\n"+by) }
	text := fmt.Sprintf(`
listen: 127.0.0.1:8080
data_dir: %s
admin: {socket: /tmp/unused.sock}
encryption: {key_env: UNUSED}
backends:
  shop: {url: %s/api, timeout: 2s}
stages:
  prod:
    base_path: /prod
    %s
    methods:
      "GET /uncached": {caching: false}
      %s
    routes:
      - {path: "/", backend: shop}
      - {path: "/{proxy+}", backend: shop}
%s
`, r.dir, r.backend.URL, indent(r.stage, "    "), indent(r.methods, "      "), r.top)
	return config.Parse(filepath.Join(r.dir, "stagecache.yaml"), []byte(text), config.Options{SkipFiles: true})
}

// bubbled runs a test in a bubble: time passes only when everybody waits, and settled() tells when they do.
func bubbled(t *testing.T, f func(t *testing.T, r *rig), opts ...option) {
	synctest.Test(t, func(t *testing.T) {
		f(t, newRig(t, append(opts, func(r *rig, _ *Options) { r.pipes = true })...))
	})
}

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr string

func (a pipeAddr) Network() string { return "pipe" }
func (a pipeAddr) String() string  { return string(a) }

func newPipes(addr string) *pipes {
	return &pipes{addr: pipeAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return p.addr }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: p.addr, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer is what a client saw.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // the body was cut
}

func (a answer) cache() string { return strings.Join(a.header["Cache-Status"], ", ") }

// do sends a request; header is name, value, name, value.
func (r *rig) do(method, path string, header ...string) answer {
	r.t.Helper()
	a, err := r.try(context.Background(), method, path, "", header...)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) get(path string, header ...string) answer {
	r.t.Helper()
	return r.do("GET", path, header...)
}

func (r *rig) try(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.addr+path, in)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}, nil
}

// raw writes bytes to a connection of its own and gives the first line of the answer, or "closed", and what follows until the
// gateway closes the connection: the request must make it do so.
func (r *rig) raw(text string) (status string, rest string) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil {
		return "closed", ""
	}
	b, _ := io.ReadAll(in)
	return strings.TrimSpace(line), string(b)
}

// want checks status, body and the beginning of Cache-Status.
func (r *rig) want(a answer, status int, body, cache string) {
	r.t.Helper()
	if a.err != nil {
		r.t.Errorf("the body was cut: %v", a.err)
	}
	if a.status != status || a.body != body || !strings.HasPrefix(a.cache(), cache) {
		r.t.Errorf("got %d %.80q (%d bytes), Cache-Status %q; want %d %.80q (%d bytes), %q",
			a.status, a.body, len(a.body), a.cache(), status, body, len(body), cache)
	}
}

func (r *rig) wantAsked(n int) {
	r.t.Helper()
	if got := r.backend.count(); got != n {
		r.t.Errorf("the backend was asked %d times, want %d", got, n)
	}
}

func (r *rig) wantStats(change func(*RequestStats)) {
	r.t.Helper()
	var want RequestStats
	change(&want)
	got := r.g.RequestStats("prod")
	want.BackendSecondsSaved = got.BackendSecondsSaved
	if got != want {
		r.t.Errorf("counters are %+v, want %+v", got, want)
	}
	var hits, misses float64
	for k, v := range counted(r.t, r.g) {
		switch {
		case strings.HasSuffix(k, " cache_hits"):
			hits += v
		case strings.HasSuffix(k, " cache_misses"):
			misses += v
		}
	}
	if hits != float64(want.Hits) || misses != float64(want.Misses) {
		r.t.Errorf("the counters by method have %v hits and %v misses, want %d and %d", hits, misses, want.Hits, want.Misses)
	}
}

// fixed answers with headers (name, value, ...) and a body.
func fixed(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func without(h http.Header, names ...string) http.Header {
	h = maps.Clone(h)
	for _, n := range names {
		delete(h, n)
	}
	return h
}
