package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A path with dot segments may mean another resource to the backend than to the routes: nothing under it is shared, and none
// leads out of the backend's own path.
func TestDotSegmentsAreNotCached(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.RequestURI) })
	for _, path := range []string{
		"/public/../account", "/public/%2e%2e/account", "/public/.%2E/account", "/./x", "/x/.", "/x/..", "/x%2f..%2Fy",
		"/a/..;a=1/b", "/a/..%3b/b", "/a/%252e%252e/b",
	} {
		for range 2 {
			status, rest := r.raw("GET /prod" + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if !strings.Contains(status, " 200 ") || !strings.Contains(rest, "Cache-Status: stagecache; fwd=bypass\r") || !strings.HasSuffix(rest, "/api"+path) {
				t.Errorf("%s: got %s\n%s", path, status, rest)
			}
		}
	}
	n := r.backend.count()
	for _, path := range []string{"/..", "/../x", "/%2e%2e/x", "/a/../../x", "/a/..%2f../x", "/a//../../x", "/..;/x", "/%252e%252e/x"} {
		status, rest := r.raw("GET /prod" + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if !strings.Contains(status, " 400 ") {
			t.Errorf("%s: got %s\n%s", path, status, rest)
		}
	}
	r.wantAsked(n)
	for _, path := range []string{"/...", "/a..b", "/.well-known", "/a/..b", "/x..", "/100%25"} {
		r.get("/prod" + path)
		r.want(r.get("/prod"+path), 200, "/api"+path, "stagecache; hit")
	}
}

// Slashes that a backend merges must not lead around the settings of the route it then takes.
func TestSlashesDoNotDodgeSettings(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/prod//uncached", "/prod///uncached//"} {
		r.get(path)
		if a := r.get(path); !strings.HasPrefix(a.cache(), "stagecache; fwd=bypass") {
			t.Errorf("%s: %q", path, a.cache())
		}
	}
	r.get("/prod/proxy/http://example.com/x")
	if a := r.get("/prod/proxy/http://example.com/x"); !strings.HasPrefix(a.cache(), "stagecache; hit") {
		t.Errorf("slashes that change nothing: %q", a.cache())
	}
}

// Clients that promise a body and never send it are let go, also where nobody wanted the body.
func TestABodyThatNeverComes(t *testing.T) {
	r := newRig(t, func(_ *rig, o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "early") })
	for _, head := range []string{
		"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx",
		"TRACE /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
		"GET /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
		"POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"POST /prod/../x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	} {
		if status, _ := r.raw(head); status == "" || status == "closed" {
			t.Errorf("%q: got %q", head, status)
		}
	}
}

// A client that sends requests and reads nothing is cut, whatever the answers look like. A pipe holds nothing, so the first
// byte of an answer is stuck until the gateway gives up.
func TestAClientThatNeverReads(t *testing.T) {
	r := newRig(t, func(r *rig, o *Options) { r.pipes, o.WriteTimeout = true, 50*time.Millisecond })
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, path := range []string{"/prod/x", "/prod/uncached", "/prod/nothing/../x", "/nowhere"} {
		c, err := r.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// What follows the request is not read before its answer is sent, so writing it ends when the connection does.
		_, err = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"+strings.Repeat("x", 64<<10))
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: the connection is still there: %v", path, err)
		}
	}
}

// An answer may pause longer than a write may take, as long as the backend's timeout allows it; its end still arrives.
func TestTheEndAfterALongPause(t *testing.T) {
	for _, header := range []string{"Set-Cookie", "X-Stored"} {
		bubbled(t, func(t *testing.T, r *rig) {
			r.g.state.Load().backends["shop"].cfg.Timeout = 2 * time.Minute
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set(header, "a=b")
				io.WriteString(w, "all")
				w.(http.Flusher).Flush()
				time.Sleep(time.Minute)
			})
			for _, path := range []string{"/prod/x", "/prod/uncached"} {
				r.want(r.get(path), 200, "all", "stagecache; fwd=")
			}
		})
	}
}

// scripted is a backend that answers each connection's requests with bytes, whatever they are.
func scripted(t *testing.T, r *rig, answer string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, answer)
				}
			}()
		}
	}()
	r.g.state.Load().backends["shop"].transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
	}
}

// What no backend should say is a 502, never a panic, a hang, a hit, or a whole answer where there was a part.
func TestHostileAnswers(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status       int // 0: cut
	}{
		{"nothing", "", 502},
		{"status 000", "HTTP/1.1 000 X\r\nContent-Length: 1\r\n\r\nx", 502},
		{"status 042", "HTTP/1.1 042 X\r\nContent-Length: 1\r\n\r\nx", 502},
		{"switching unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502},
		{"not modified unasked", "HTTP/1.1 304 Not Modified\r\n\r\n", 304},
		{"partial unasked", "HTTP/1.1 206 X\r\nContent-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\nx", 206},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502},
		{"a length below zero", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502},
		{"short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 0},
		{"nothing of it", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 502},
		{"chunks without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 0},
		{"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n", 0},
		{"no end told", "HTTP/1.1 200 OK\r\n\r\nab", 200},
		{"old", "HTTP/1.0 200 OK\r\n\r\nab", 200},
		{"a large header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100_000) + "\r\nContent-Length: 0\r\n\r\n", 502},
		{"a space before a colon", "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length : 2\r\n\r\nab", 502},
		{"chunks behind a space", "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 502},
		{"a name with a space", "HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\nab", 502},
		{"NUL", "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nab", 502},
		{"a bare CR", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nab", 502},
		{"endless information", strings.Repeat("HTTP/1.1 103 X\r\nX: y\r\n\r\n", 10_000), 502},
		{"a chunked length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			scripted(t, r, c.answer)
			for i := range 2 {
				for _, path := range []string{"/prod/x", "/prod/uncached"} {
					a, err := r.try(t.Context(), "GET", path, "")
					if err != nil {
						a.err = err
					}
					if c.status == 0 && a.err == nil && a.status == 200 || c.status != 0 && (a.status != c.status || a.err != nil) ||
						strings.Contains(a.cache(), "hit") || c.status != 0 && strings.Contains(a.cache(), "stored") {
						// Once the header is on its way, which it is where the backend's end comes a moment later, an answer without
						// its body is cut rather than replaced.
						if !(c.name == "nothing of it" && a.err != nil) {
							t.Errorf("%s %d: got %d %q, %v, %q", path, i, a.status, a.body, a.err, a.cache())
						}
					}
				}
			}
			if strings.Contains(r.log.String(), "panic") {
				t.Errorf("the log has\n%s", r.log)
			}
		})
	}
}

// A tunnel in HTTP/2 would carry requests past all that the gateway refuses.
func TestNoTunnelInClearHTTP2(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprint(w, q.Header["Upgrade"], q.Header["Http2-Settings"])
	})
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		_, rest := r.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: foo, H2C\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
		if !strings.HasSuffix(rest, "[] []") {
			t.Errorf("%s: got\n%s", path, rest)
		}
	}
}
