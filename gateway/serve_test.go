package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMissThenHit(t *testing.T) {
	r := newRig(t)
	body := strings.Repeat("0123456789", 5000)
	r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/x-test")
		h.Set("X-Empty", "")
		h.Add("Link", "a")
		h.Add("Link", "b")
		h.Set("Etag", `"v1"`)
		h.Set("Cache-Control", "max-age=1")
		h.Set("Content-Length", fmt.Sprint(len(body)))
		io.WriteString(w, body)
	})
	miss := r.get("/prod/x?b=2&a=1")
	r.want(miss, 200, body, "stagecache; fwd=uri-miss; stored")
	r.clock.Advance(7 * time.Second)
	hit := r.get("/prod/x?a=1&b=2")
	r.want(hit, 200, body, "stagecache; hit; ttl=293")
	if got := hit.header.Get("Age"); got != "7" {
		t.Errorf("Age is %q, want 7", got)
	}
	if d := cmp.Diff(without(miss.header, "Cache-Status"), without(hit.header, "Cache-Status", "Age")); d != "" {
		t.Errorf("a hit's header differs from the miss's:\n%s", d)
	}
	r.wantAsked(1)
	if got := r.backend.last().URL.String(); got != "/api/x?a=1&b=2" {
		t.Errorf("the backend was asked for %s", got)
	}
	r.clock.Advance(300 * time.Second)
	r.want(r.get("/prod/x?a=1&b=2"), 200, body, "stagecache; fwd=stale; stored")
	r.wantAsked(2)
	r.wantStats(func(s *RequestStats) { s.Hits, s.Misses, s.BackendRequests = 1, 2, 2 })
	if r.g.RequestStats("prod").BackendSecondsSaved <= 0 {
		t.Error("a hit saved no time of the backend")
	}
}

func TestEveryBodySizeRoundTrips(t *testing.T) {
	r := newRig(t)
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{0, 1, 2, 2047, 2048, 4096, 16384, 65536, 65537, 200_000, 999_999, 1_000_000} {
			body := strings.Repeat("x", size)
			r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
				if chunked {
					w.(http.Flusher).Flush()
				} else {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				io.WriteString(w, body)
			})
			path := fmt.Sprintf("/prod/size/%d/%t", size, chunked)
			stored := "; stored"
			if chunked {
				stored = "" // whether it is said depends on how soon the end comes
			}
			r.want(r.get(path), 200, body, "stagecache; fwd=uri-miss"+stored)
			r.want(r.get(path), 200, body, "stagecache; hit")
		}
	}
	r.wantAsked(24)
}

func TestRouting(t *testing.T) {
	r := newRig(t, withTop(`
  beta:
    base_path: /prod/beta
    cache: {capacity: 64MB, memory: 0MB}
    routes: [{path: /only, backend: shop}]
  hosted:
    base_path: /
    hosts: [api.example.com]
    cache: {capacity: 64MB, memory: 0MB}
    routes: [{path: "/{proxy+}", backend: shop}]
`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.URL.Path) })
	for _, c := range []struct {
		path, host string
		status     int
		body       string
	}{
		{"/prod/a/b", "", 200, "/api/a/b"},
		{"/prod", "", 200, "/api/"},
		{"/prod/", "", 200, "/api/"},
		{"/prod/beta/only", "", 200, "/api/only"},
		{"/prod/beta/other", "", 403, `{"message":"Missing Authentication Token"}` + "\n"},
		{"/prod/betamax", "", 200, "/api/betamax"},
		{"/production", "", 404, `{"message":"no stage answers here"}` + "\n"},
		{"/prod/x", "api.example.com", 200, "/api/prod/x"},
		{"/prod/x", "API.example.com.:1234", 200, "/api/prod/x"},
		{"/", "api.example.com", 403, `{"message":"Missing Authentication Token"}` + "\n"},
	} {
		host := []string{}
		if c.host != "" {
			host = []string{"Host", c.host}
		}
		a := r.get(c.path, host...)
		if a.status != c.status || a.body != c.body {
			t.Errorf("%s at %q: got %d %q, want %d %q", c.path, c.host, a.status, a.body, c.status, c.body)
		}
		if c.status == 403 && a.header.Get("X-Amzn-Errortype") != "MissingAuthenticationTokenException" {
			t.Errorf("%s: x-amzn-ErrorType is %q", c.path, a.header.Get("X-Amzn-Errortype"))
		}
	}
}

func TestNotCached(t *testing.T) {
	r := newRig(t, withMethods(`"POST /search": {caching: true}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%d %s %s", r.backend.count(), q.Method, b)
	})
	for range 2 {
		if a := r.get("/prod/uncached"); a.cache() != "stagecache; fwd=bypass" {
			t.Errorf("caching off: %q", a.cache())
		}
		if a, _ := r.try(t.Context(), "POST", "/prod/x", "in"); a.cache() != "stagecache; fwd=method" || !strings.HasSuffix(a.body, "POST in") {
			t.Errorf("POST: %q %q", a.cache(), a.body)
		}
		if a, _ := r.try(t.Context(), "GET", "/prod/fat", "in"); a.cache() != "stagecache; fwd=bypass" || !strings.HasSuffix(a.body, "GET in") {
			t.Errorf("GET with a body: %q %q", a.cache(), a.body)
		}
		if a := r.get("/prod/x", "Accept", "text/html, Text/Event-Stream"); a.cache() != "stagecache; fwd=bypass" {
			t.Errorf("event stream: %q", a.cache())
		}
	}
	r.wantAsked(8)
	r.wantStats(func(s *RequestStats) { s.Bypasses, s.BackendRequests = 8, 8 })

	// An explicit override caches another method, and its body is part of the key.
	for i, want := range []string{"uri-miss", "hit"} {
		a, _ := r.try(t.Context(), "POST", "/prod/search", "one")
		if !strings.Contains(a.cache(), want) || a.body != "9 POST one" {
			t.Errorf("POST with an override, %d: %q %q", i, a.cache(), a.body)
		}
	}
	if a, _ := r.try(t.Context(), "POST", "/prod/search", "two"); a.body != "10 POST two" {
		t.Errorf("another body: %q", a.body)
	}
	big := strings.Repeat("b", maxKeyedBody+1)
	for range 2 {
		if a, _ := r.try(t.Context(), "POST", "/prod/search", big); a.cache() != "stagecache; fwd=bypass" || !strings.HasSuffix(a.body, "POST "+big) {
			t.Errorf("large body: %q %d", a.cache(), len(a.body))
		}
	}
}

func TestHead(t *testing.T) {
	r := newRig(t)
	r.backend.serve(fixed(200, "hello", "Etag", `"h"`))
	for range 2 {
		a := r.do("HEAD", "/prod/x")
		r.want(a, 200, "", "stagecache; fwd=uri-miss")
		if strings.Contains(a.cache(), "stored") || r.backend.last().Method != "HEAD" {
			t.Errorf("HEAD: %q, the backend saw %s", a.cache(), r.backend.last().Method)
		}
	}
	r.want(r.get("/prod/x"), 200, "hello", "stagecache; fwd=uri-miss; stored")
	a := r.do("HEAD", "/prod/x")
	r.want(a, 200, "", "stagecache; hit")
	if a.header.Get("Content-Length") != "5" || a.header.Get("Etag") != `"h"` {
		t.Errorf("header of a HEAD hit: %v", a.header)
	}
	r.wantAsked(3)
}

func TestRefreshStrategies(t *testing.T) {
	r := newRig(t, withMethods(`
"GET /403": {unauthorizedCacheControlHeaderStrategy: FAIL_WITH_403}
"GET /silent": {unauthorizedCacheControlHeaderStrategy: SUCCEED_WITHOUT_RESPONSE_HEADER}`))
	for _, path := range []string{"/prod/403", "/prod/silent", "/prod/warned"} {
		r.get(path)
	}
	if a := r.get("/prod/403", "Cache-Control", "foo, max-age=0"); a.status != 403 || a.cache() != "" {
		t.Errorf("FAIL_WITH_403: %d %q", a.status, a.cache())
	}
	if a := r.get("/prod/silent", "Cache-Control", "max-age=0"); !strings.Contains(a.cache(), "hit") || a.header["Warning"] != nil {
		t.Errorf("silent: %q %q", a.cache(), a.header["Warning"])
	}
	if a := r.get("/prod/warned", "Cache-Control", "max-age=0"); !strings.Contains(a.cache(), "hit") ||
		a.header.Get("Warning") != "199 Cache-control headers were ignored because the caller was unauthorized." {
		t.Errorf("warned: %q %q", a.cache(), a.header["Warning"])
	}
	if a := r.get("/prod/new", "Cache-Control", "max-age=0"); a.header["Warning"] == nil {
		t.Error("no warning with a miss")
	}
	for _, other := range []string{"no-cache", "no-store", "max-age=1", "max-age=x"} {
		if a := r.get("/prod/403", "Cache-Control", other); !strings.Contains(a.cache(), "hit") {
			t.Errorf("%s: %d %q", other, a.status, a.cache())
		}
	}
	// Where caching is off the strategy is, too.
	if a := r.get("/prod/uncached", "Cache-Control", "max-age=0"); a.status != 200 || a.header["Warning"] != nil {
		t.Errorf("caching off: %d %v", a.status, a.header["Warning"])
	}
}

func TestDeclaredKeys(t *testing.T) {
	r := newRig(t, withMethods(`
"GET /pets/{id}": {key: {mode: declared}, cacheKeyParameters: [method.request.path.id, method.request.querystring.q]}
"GET /all/{proxy+}": {key: {mode: declared}}`))
	first := r.get("/prod/pets/1?q=a&x=1")
	r.want(r.get("/prod/pets/1?x=2&q=a"), 200, first.body, "stagecache; hit")
	// The host is the client's to choose, and the backend is told: it is keyed though nobody declares it.
	if a := r.get("/prod/pets/1?q=a", "Host", "other.example.com"); !strings.Contains(a.cache(), "uri-miss") {
		t.Errorf("another host: %q", a.cache())
	}
	r.want(r.get("/prod/pets/1/?x=2&q=a"), 200, first.body, "stagecache; hit")
	for _, path := range []string{"/prod/pets/2?q=a", "/prod/pets/1?q=b", "/prod/pets/1"} {
		if a := r.get(path); !strings.Contains(a.cache(), "uri-miss") {
			t.Errorf("%s: %q", path, a.cache())
		}
	}
	one := r.get("/prod/all/a?x")
	r.want(r.get("/prod/all/b/c"), 200, one.body, "stagecache; hit")
}

func TestAPanicIsOneRequestsOwn(t *testing.T) {
	r := newRig(t)
	st := r.g.state.Load().stages[0]
	good := st.def
	st.def = nil // whatever goes wrong
	a := r.get("/prod/x")
	if a.status != 500 || a.body != `{"message":"Internal server error"}`+"\n" {
		t.Errorf("got %d %q", a.status, a.body)
	}
	st.def = good
	if a := r.get("/prod/x"); a.status != 200 {
		t.Errorf("the next request got %d", a.status)
	}
	if !strings.Contains(r.log.String(), "a request panicked") || !strings.Contains(r.log.String(), "serve.go") {
		t.Errorf("the log has no panic with its stack:\n%s", r.log)
	}
}
