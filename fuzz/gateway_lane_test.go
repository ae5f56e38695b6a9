package fuzz

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"stagecache/crypto"
	"stagecache/gateway"
	"stagecache/gateway/config"
	"stagecache/internal/clock"
)

// twoWays is one gateway that is served twice: as it is, with its lane for hits, and by net/http alone.
type twoWays struct {
	g          *gateway.Gateway
	lane, bare string // addresses
}

func newTwoWays(tb testing.TB) *twoWays {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, age := w.Header(), r.URL.Query().Get("age")
		h.Set("Date", "Tue, 03 Nov 2026 10:00:00 GMT")
		h.Set("Vary", r.URL.Query().Get("vary"))
		switch r.URL.Path {
		case "/set":
			h.Set("Set-Cookie", "a=b")
		case "/public":
			age = "0, public"
		case "/headers":
			for i := range 20 {
				h.Add("X-Many", fmt.Sprint(i))
			}
			h.Set("X-Empty", "")
			h.Set("Cache-Status", `other; fwd=miss`)
			h.Set("Etag", `"v"`)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/typeless":
			h["Content-Type"] = nil
		case "/large":
			h.Set("Content-Length", "100000")
			w.Write(bytes.Repeat([]byte("L"), 100_000))
			return
		case "/medium":
			w.Write(bytes.Repeat([]byte("M"), 10_000))
		}
		h.Set("Cache-Control", "max-age=100, s-maxage="+age)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	}))
	tb.Cleanup(backend.Close)
	text := fmt.Sprintf(`
listen: 127.0.0.1:8080
data_dir: %q
admin: {socket: /tmp/unused.sock}
encryption: {key_env: UNUSED}
backends: {shop: {url: %q, timeout: 5s}}
stages:
  prod:
    base_path: /prod
    cache: {capacity: 64MB, memory: 48MB, negative_ttl: 10s}
    methods:
      "GET /off": {caching: false}
      "GET /keyed": {key: {headers: [Accept-Language], cookies: [a], query: {exclude: [utm]}}}
      "GET /auth": {key: {headers: [Authorization, X-Tenant]}}
    routes: [{path: "/{proxy+}", backend: shop}]
  rfc:
    mode: http
    base_path: /rfc
    cache: {capacity: 64MB, memory: 48MB}
    routes: [{path: "/{proxy+}", backend: shop}]
  named:
    hosts: [named.example]
    base_path: /
    cache: {capacity: 64MB, memory: 48MB}
    routes: [{path: "/{proxy+}", backend: shop}]
`, tb.TempDir(), backend.URL)
	cfg, err := config.Parse("fuzz.yaml", []byte(text), config.Options{SkipFiles: true})
	if err != nil {
		tb.Fatal(err)
	}
	// The clock stands still, so that ages do not tell the ways apart.
	g, err := gateway.New(gateway.Options{
		Config: cfg, Root: crypto.NewRootKey(), Clock: clock.NewFake(time.Now().Truncate(time.Second)), BodyTimeout: time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		return ln
	}
	front, behind := listen(), listen()
	served := make(chan error, 1)
	go func() { served <- g.Serve(context.Background(), front) }()
	bare := &http.Server{
		Handler: g.Handler(), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	go bare.Serve(behind)
	tb.Cleanup(func() {
		bare.Close()
		if err := errors.Join(g.Shutdown(context.Background()), <-served); err != nil {
			tb.Error(err)
		}
	})
	return &twoWays{g: g, lane: front.Addr().String(), bare: behind.Addr().String()}
}

// opening is an ordinary request that both ways leave to net/http, for it is the first of its connection.
const opening = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"

// closing is the last request: whether it is seen as one shows what the bytes before it were taken for.
const closing = "GET /nowhere/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// patience is how long nothing must come before we take it that nothing will.
const patience = 500 * time.Millisecond

// ask sends bytes on a connection of their own, behind the opening, and gives all that comes back. A connection that
// was reset, since the gateway had not read everything, may have lost the end of it.
func (w *twoWays) ask(t *testing.T, addr string, request []byte) (answers []byte, reset bool) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, opening)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	go func() {
		// It fails where the gateway has closed the connection over the first bytes.
		c.Write(append(bytes.Clone(request), closing...))
	}()
	// To close our side earlier would tell the gateway that nobody waits for an answer any more.
	var out []byte
	for ended := false; ; {
		c.SetReadDeadline(time.Now().Add(patience))
		more, err := io.ReadAll(in)
		out = append(out, more...)
		var timeout net.Error
		if err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			reset = err != nil
			break
		}
		if ended {
			t.Fatalf("%q: no end after %q", request, out)
		}
		c.(*net.TCPConn).CloseWrite() // the bytes have swallowed our last request, or ended in the midst of one
		ended = true
	}
	return dates.ReplaceAll(out, []byte("Date: then\r\n")), reset
}

var dates = regexp.MustCompile(`Date: [^\r]*\r\n`)

// hits are counted before an answer is written, so that they are there when it is. What else is counted may come later.
func (w *twoWays) hits() (n [3]uint64) {
	for i, name := range []string{"prod", "rfc", "named"} {
		n[i] = w.g.RequestStats(name).Hits
	}
	return n
}

func laneSeeds() []string {
	const host = " HTTP/1.1\r\nHost: a\r\n"
	get := "GET /prod/x" + host + "\r\n"
	browser := "User-Agent: m\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: de\r\nAccept-Encoding: gzip, br\r\nReferer: http://a/\r\n" +
		"Connection: keep-alive\r\nCookie: a=1\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nPriority: u=0\r\n\r\n"
	seeds := []string{
		get, get + get + get, get + "GET /prod/y", "\r\n" + get, get + "\r\n" + get, "HEAD /prod/x" + host + "\r\n" + get,
		"GET /prod/medium" + host + "\r\n", "GET /prod/large" + host + "\r\n" + get, "GET /prod/headers" + host + browser,
		"GET /prod/missing" + host + "\r\n", "GET /prod/typeless" + host + "\r\n", "GET /prod/set" + host + "\r\n", "GET /prod/off" + host + "\r\n",
		"GET /prod/keyed?utm=1&a=2" + host + browser, "GET /prod/v?vary=Accept-Language" + host + browser, "GET /prod/v?vary=*" + host + browser,
		"GET /prod/v?vary=X-Other" + host + "X-Other: 1\r\n\r\n" + get,
		"GET /rfc/x?age=50" + host + browser, "GET /rfc/x?age=0" + host + "\r\n", "GET /x HTTP/1.1\r\nHost: named.example\r\n\r\n",
		"GET /x HTTP/1.1\r\nhost:  NAMED.example.:80 \r\n\r\n", "GET http://named.example/x" + host + "\r\n",
		"GET /prod/x" + host + "Host: b\r\n\r\n", "GET /prod/x HTTP/1.1\r\n\r\n", "GET /prod/x HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /prod/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" + get, "GET /prod/x HTTP/1.1\nHost: a\n\n" + get,
		"GET /prod/x" + host + "Accept: a\r\n b\r\n\r\n", "GET /prod/x" + host + "Accept: a\rb\r\n\r\n", "GET /prod/x" + host + "Accept: \x00\r\n\r\n",
		"GET /prod/x" + host + "Accept : a\r\n\r\n", "GET /prod/x" + host + "Accept:\r\n\r\n", "GET /prod/x" + host + "Accept: \xff\r\n\r\n",
		"GET /prod/x" + host + "Content-Length: 5\r\n\r\nabcde" + get, "GET /prod/x" + host + "Content-Length: 0\r\n\r\n" + get,
		"GET /prod/x" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
		"POST /prod/x" + host + "Content-Length: 5\r\n\r\nabcde" + get + get, "POST /prod/x" + host + "Content-Length: 50\r\n\r\n" + get,
		"POST /prod/x" + host + "Content-Length: 1\r\n\r\na\r\n" + get, "PUT /prod/x" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get,
		"GET /prod/x" + host + "Connection: close\r\n\r\n" + get, "GET /prod/x" + host + "Connection: x, Accept\r\nAccept: a\r\n\r\n",
		"GET /prod/x" + host + "Range: bytes=0-1\r\n\r\n" + get, "GET /prod/headers" + host + "If-None-Match: \"v\"\r\n\r\n" + get,
		"GET /prod/x" + host + "Cache-Control: max-age=0\r\n\r\n", "GET /prod/x" + host + "Pragma: no-cache\r\n\r\n", "GET /rfc/x?age=9" + host + "Cache-Control: no-cache\r\n\r\n",
		"GET /prod/x" + host + "Authorization: b\r\n\r\n", "GET /prod/x" + host + "Expect: 100-continue\r\n\r\n", "GET /prod/x" + host + "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
		"GET /prod//x" + host + "\r\n", "GET /prod/../x" + host + "\r\n", "GET /prod/%78" + host + "\r\n", "GET /prod/%00" + host + "\r\n", "GET /prod/a#b" + host + "\r\n",
		"GET /prod/x?" + host + "\r\n", "GET /prod/x?b=1&a=2;c" + host + "\r\n", "GET /prod/x?X-Amz-Signature=1" + host + "\r\n", "GET //prod/x" + host + "\r\n",
		"GET /prod/(x)'!*" + host + "\r\n", "GET /prod/[x]" + host + "\r\n", "GET *" + host + "\r\n", "GET  /prod/x" + host + "\r\n", "GET /prod/x  HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /prod/auth" + host + "Authorization: Bearer x\r\nX-Tenant: a\r\n\r\n" + get, "GET /prod/public" + host + "Authorization: Basic eA==\r\n\r\n",
		"GET /prod/x" + host + "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: b\r\nX-Request-Id: 7\r\nTraceparent: 00-1\r\n\r\n" + get,
		"GET /prod/x" + host + "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n", "GET /prod/x" + host + "X_Under: 1\r\nX.Dot: 2\r\n\r\n" + get,
		"GET /prod/x" + host + "X-Own: 1\r\nx-own: 2\r\n\r\n" + get, "GET /prod/x" + host + "Content-length: 5\r\n\r\nabcde" + get,
		"GET /prod/x" + host + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + get, "GET /prod/x" + host + "Via: 1.1 stagecache-01234567\r\nForwarded: for=a\r\n\r\n",
		"GET /prod/v?vary=X-Other" + host + "x-OTHER: 1\r\n\r\n" + get, "GET /prod/x" + host + "TE: trailers\r\nTrailer: X\r\n\r\n" + get,
		"GET /prod/x" + host + "X-Amz-Date: 1\r\nX-Amz-Security-Token: 2\r\n\r\n", "GET /prod/x" + host + "Connection: keep-alive, X-Own\r\nX-Own: 1\r\n\r\n" + get,
		"get /prod/x" + host + "\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
	return seeds
}

// Whatever bytes come in, the lane for hits gives the same answers as net/http does, counts the same hits, and leaves the
// connection in the same state for what follows.
func FuzzGatewayLane(f *testing.F) {
	seeds := laneSeeds()
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	w := newTwoWays(f)
	f.Fuzz(func(t *testing.T, request []byte) {
		if first, rest, _ := bytes.Cut(request, []byte("\n")); bytes.Contains(rest, []byte("HTTP/1.0")) ||
			bytes.Contains(first, []byte("HTTP/1.0")) && bytes.Contains(bytes.ToLower(request), []byte("transfer-encoding")) {
			return // the gateway refuses what net/http alone does not even show: TestChunksInHTTP10
		}
		// Twice, so that what is going to be stored is.
		w.ask(t, w.bare, request)
		w.ask(t, w.bare, request)
		begin := w.hits()
		bare, bareReset := w.ask(t, w.bare, request)
		middle := w.hits()
		lane, laneReset := w.ask(t, w.lane, request)
		end := w.hits()
		if !bytes.Equal(lane, bare) && !(bareReset && bytes.HasPrefix(lane, bare)) && !(laneReset && bytes.HasPrefix(bare, lane)) {
			t.Fatalf("%q\nlane:\n%s\n\nnet/http:\n%s", request, lane, bare)
		}
		for i := range begin {
			if a, b := middle[i]-begin[i], end[i]-middle[i]; a != b {
				t.Fatalf("%q: %d hits in the lane, %d in net/http", request, b, a)
			}
		}
	})
}
