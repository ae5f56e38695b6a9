package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What arrives on the wire, byte for byte. A request that is refused must not reach the backend, nor leave a second one
// behind it that does.
func TestRawRequests(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s %s %s", q.Method, q.RequestURI, b)
	})
	long := strings.Repeat("x", 30_000)
	for _, c := range []struct {
		name, request string
		status        string // the beginning of the status line; "" for one that passes
	}{
		{"duplicate Host", "GET /prod/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400"},
		{"no Host", "GET /prod/x HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		{"empty Host", "GET /prod/x HTTP/1.1\r\nConnection: close\r\nHost:\r\n\r\n", "HTTP/1.1 400"},
		{"bad Host", "GET /prod/x HTTP/1.1\r\nConnection: close\r\nHost: a b\r\n\r\n", "HTTP/1.1 400"},
		{"user in Host", "GET /prod/x HTTP/1.1\r\nConnection: close\r\nHost: a@b\r\n\r\n", "HTTP/1.1 400"},
		{"port in Host", "GET /prod/x HTTP/1.1\r\nConnection: close\r\nHost: a:port\r\n\r\n", "HTTP/1.1 400"},
		{"NUL", "GET /prod/%00 HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"newline", "GET /prod/a%0ax HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"backslash", "GET /prod/a\\b HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"encoded backslash", "GET /prod/a%5Cb HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"fragment", "GET /prod/a#b HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"fragment in the query", "GET /prod/a?x#b HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"NUL in the query", "GET /prod/a?x=%00 HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"bad escape", "GET /prod/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1."},
		{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", "HTTP/1.1 405"},
		{"TRACE", "TRACE /prod/x HTTP/1.1\r\nConnection: close\r\nHost: a\r\nCookie: s=1\r\n\r\n", "HTTP/1.1 405"},
		{"header too large", "GET /prod/x HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n", "HTTP/1.1 431"},
		{"two lengths", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400"},
		{"length list", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", "HTTP/1.1 400"},
		{"two codings", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501"},
		{"identity", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "HTTP/1.1 501"},
		{"space before colon", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
		{"bare CR", "GET /prod/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "HTTP/1.1 400"},
		{"vertical tab in the coding", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n", "HTTP/1.1 "},
		{"another coding", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501"},
		{"two codings in a line", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501"},
		{"signed length", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", "HTTP/1.1 400"},
		{"hexadecimal length", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nab", "HTTP/1.1 400"},
		{"length below zero", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nab", "HTTP/1.1 400"},
		{"huge length", "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nab", "HTTP/1.1 400"},
		{"HTTP/2.0 in the clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 "},
		{"version", "GET /prod/x HTTP/3.1\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
		{"no version", "GET /prod/x\r\n\r\n", "HTTP/1.1 400"},
		{"space in the path", "GET /prod/x y HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"NUL in a value", "GET /prod/x HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", "HTTP/1.1 400"},
		{"bell in a value", "GET /prod/x HTTP/1.1\r\nHost: a\r\nX: a\ab\r\n\r\n", "HTTP/1.1 400"},
		{"empty name", "GET /prod/x HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "HTTP/1.1 400"},
		{"newline in a chunk's size", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n", "HTTP/1.1 400"},
		{"newlines at the end of chunks", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n", "HTTP/1.1 400"},
		{"newline in a chunk's extension", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nab\r\n0\r\n\r\n", "HTTP/1.1 400"},
		{"chunk size overflow", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF1\r\na\r\n0\r\n\r\n", "HTTP/1.1 400"},
		{"bad chunk", "POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n", "HTTP/1.1 400"},
	} { // those with bad chunks come last, for they may reach the backend, and that a moment later
		t.Run(c.name, func(t *testing.T) {
			n := r.backend.count()
			status, rest := r.raw(c.request)
			if !strings.HasPrefix(status, c.status) {
				t.Errorf("got %q", status)
			}
			if strings.Contains(rest, "HTTP/1.1 200") {
				t.Errorf("a second answer followed:\n%s", rest)
			}
			if asked := r.backend.count(); asked != n && !strings.Contains(c.name, "chunk") {
				t.Error("the backend was asked")
			}
		})
	}
}

func TestRawRequestsThatPass(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "<"+q.RequestURI+">") })
	for request, want := range map[string]string{
		"GET http://other/prod/x HTTP/1.1\r\nHost: a\r\n":                         "</api/x>",
		"GET /prod//a/./b/%2e%2e/%2F;m=1/%41 HTTP/1.1\r\nHost: a\r\n":             "</api//a/./b/%2e%2e/%2F;m=1/%41>",
		"GET /prod/a?a=1;b=2&c=%26&c=1?x&&=y HTTP/1.1\r\nHost: A.Example.:80\r\n": "</api/a?=y&a=1;b=2&c=%26&c=1?x>",
		"GET /prod/%C3%A9 HTTP/1.1\r\nHost: [::1]:80\r\nX-Folded: a\r\n b\r\n":    "</api/%C3%A9>",
		"GET /prod/tab?x=%09 HTTP/1.0\r\nHost: a\r\n":                             "</api/tab?x=%09>",
	} {
		status, rest := r.raw(request + "Connection: close\r\n\r\n")
		if !strings.Contains(status, " 200 ") || !strings.HasSuffix(rest, want) {
			t.Errorf("%q: got %s, %s", request, status, rest)
		}
	}
}

// Chunks beside a Content-Length are an attempt at smuggling, and net/http hides it: the connection ends with the request.
func TestChunksEndTheConnection(t *testing.T) {
	r := newRig(t)
	_, rest := r.raw("POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
		"GET /prod/smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.Contains(rest, "Connection: close") || strings.Contains(rest, "HTTP/1.1") {
		t.Errorf("got\n%s", rest)
	}
	r.wantAsked(1)
}

// Each attack first, then a clean request, which must get the clean answer.
func TestPoisoning(t *testing.T) {
	for name, attack := range map[string][]string{
		"X-Forwarded-Host": {"X-Forwarded-Host", "evil"}, "X-Forwarded-Scheme": {"X-Forwarded-Scheme", "evil"},
		"X-Host": {"X-Host", "evil"}, "Forwarded": {"Forwarded", "host=evil"}, "X-Original-URL": {"X-Original-URL", "/evil"},
		"X-HTTP-Method-Override": {"X-HTTP-Method-Override", "EVIL"}, "Range": {"Range", "bytes=9999-"}, "If-Match": {"If-Match", `"evil"`},
		"Content-Type": {"Content-Type", "evil"}, "Expect": {"Expect", "evil"}, "Accept-Encoding": {"Accept-Encoding", "evil"},
		"Cookie": {"Cookie", "evil=1"}, "Authorization": {"Authorization", "evil"}, "Host": {"Host", "evil"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				// A backend that reflects whatever it gets, and fails on some of it.
				if q.Header.Get("Range") != "" || q.Header.Get("If-Match") != "" {
					http.Error(w, "evil", http.StatusRequestedRangeNotSatisfiable)
					return
				}
				fmt.Fprintf(w, "host %s", q.Header.Get("X-Forwarded-Host"))
				for name, v := range q.Header {
					if strings.Contains(strings.ToLower(strings.Join(v, "")), "evil") && name != "X-Forwarded-Host" {
						fmt.Fprintf(w, " %s: %s", name, v)
					}
				}
			})
			r.get("/prod/x", attack...)
			if a := r.get("/prod/x"); a.status != 200 || strings.Contains(a.body, "evil") {
				t.Errorf("a clean request got %d %q", a.status, a.body)
			}
		})
	}
}

func TestALoopIsCut(t *testing.T) {
	r := newRig(t)
	be := r.g.state.Load().backends["shop"]
	be.cfg.URL.Host = r.addr
	be.base = "/prod"
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		if a := r.get(path); a.status != http.StatusLoopDetected || strings.Contains(a.cache(), "stored") {
			t.Errorf("%s: got %d %q", path, a.status, a.cache())
		}
	}
}
