package gateway

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// discard is a ResponseWriter that keeps nothing but its header map.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkHit is what a hit in memory costs beside net/http.
func BenchmarkHit(b *testing.B) {
	r := newRig(b)
	r.backend.serve(fixed(200, strings.Repeat("j", 4000), "Content-Type", "application/json", "Etag", `"v"`, "Cache-Control", "max-age=60"))
	r.get("/prod/products/17?a=1&b=2", "User-Agent", "bench")
	h := r.g.Handler()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req := httptest.NewRequest("GET", "/prod/products/17?a=1&b=2", nil)
		req.Host = r.addr
		req.Header.Set("User-Agent", "bench")
		w := &discard{h: make(http.Header)}
		n := 0
		for ; pb.Next(); n++ {
			clear(w.h)
			h.ServeHTTP(w, req)
		}
		if n > 0 && !strings.Contains(w.h.Get("Cache-Status"), "hit") {
			b.Errorf("not a hit: %v", w.h)
		}
	})
}

// sink is a connection that takes what is written.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }
func (sink) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1234} }

// BenchmarkLane is what a hit in the lane costs without the kernel, by what clients of several kinds send.
func BenchmarkLane(b *testing.B) {
	r := newRig(b)
	r.backend.serve(fixed(200, strings.Repeat("j", 1000), "Content-Type", "application/json", "Etag", `"v"`, "Cache-Control", "public, max-age=60"))
	r.get("/prod/x")
	for _, c := range []struct{ name, header string }{
		{"bare", ""},
		{"go", "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n"},
		{"browser", "Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"130\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\n" +
			"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"},
		{"behind a proxy", "User-Agent: curl/8\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: 0123456789abcdef\r\nTraceparent: 00-0123456789abcdef-01\r\n"},
		{"with a token", "User-Agent: curl/8\r\nAuthorization: Bearer 0123456789abcdef\r\nContent-Type: application/json\r\n"},
		{"own headers", "User-Agent: curl/8\r\nX-Client-Version: 7\r\nX-Team: a\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			lane := &conn{Conn: sink{}, crowd: r.g.crowd, lane: lane{g: r.g}}
			text := []byte("GET /prod/x HTTP/1.1\r\nHost: " + r.addr + "\r\n" + c.header + "\r\n")
			b.ReportAllocs()
			for b.Loop() {
				if used, err := lane.takeLane(text); used != len(text) || err != nil {
					b.Fatalf("not taken: %d, %v", used, err)
				}
			}
		})
	}
}
