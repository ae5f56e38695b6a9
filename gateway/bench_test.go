package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
