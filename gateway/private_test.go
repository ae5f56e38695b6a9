package gateway

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAuthorization(t *testing.T) {
	r := newRig(t)
	public := ""
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if public != "" {
			w.Header().Set("Cache-Control", public)
		}
		io.WriteString(w, "for "+q.Header.Get("Authorization"))
	})
	alice, bob := []string{"Authorization", "alice"}, []string{"Authorization", "bob"}
	r.want(r.get("/prod/x", alice...), 200, "for alice", "stagecache; fwd=request")
	r.want(r.get("/prod/x", bob...), 200, "for bob", "stagecache; fwd=request")
	r.want(r.get("/prod/x"), 200, "for ", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x"), 200, "for ", "stagecache; hit")
	// What was stored for nobody in particular is not for alice: it was not said to be public.
	r.want(r.get("/prod/x", alice...), 200, "for alice", "stagecache; fwd=request")
	r.want(r.get("/prod/x"), 200, "for ", "stagecache; hit")

	public = "public, max-age=60"
	r.want(r.get("/prod/y", alice...), 200, "for alice", "stagecache; fwd=request; stored")
	r.want(r.get("/prod/y", bob...), 200, "for alice", "stagecache; hit")
	r.want(r.get("/prod/y"), 200, "for alice", "stagecache; hit")
	r.wantAsked(5)
}

func TestKeyedAuthorization(t *testing.T) {
	r := newRig(t, withMethods(`"GET /x": {key: {headers: [Authorization]}}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "for "+q.Header.Get("Authorization")) })
	for _, who := range []string{"alice", "bob", ""} {
		h := []string{"Authorization", who}
		if who == "" {
			h = nil
		}
		r.want(r.get("/prod/x", h...), 200, "for "+who, "stagecache; fwd=uri-miss; stored")
		r.want(r.get("/prod/x", h...), 200, "for "+who, "stagecache; hit")
	}
}

// Requests with credentials wait for nobody and stop nobody's waiting.
func TestAuthorizationIsNotCoalesced(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, "for "+q.Header.Get("Authorization"))
		})
		begun := time.Now()
		m := r.many(40, "/prod/x", func(i int) []string {
			if i%2 == 0 {
				return nil
			}
			return []string{"Authorization", fmt.Sprint(i)}
		})
		for i, a := range m.wait(t) {
			want := "for "
			if i%2 == 1 {
				want += fmt.Sprint(i)
			}
			r.want(a, 200, want, "stagecache; fwd=")
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("it took %s", took)
		}
		r.wantAsked(21)
	})
}

func TestCookies(t *testing.T) {
	r := newRig(t, withMethods(`
"GET /ignored": {ignore_cookies: true}
"GET /keyed": {key: {cookies: [lang]}}`))
	public := ""
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Cache-Control", public)
		io.WriteString(w, "for "+q.Header.Get("Cookie"))
	})
	alice := []string{"Cookie", "session=alice"}
	r.want(r.get("/prod/x", alice...), 200, "for session=alice", "stagecache; fwd=uri-miss")
	r.want(r.get("/prod/x"), 200, "for ", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", alice...), 200, "for ", "stagecache; hit") // what is stored is for everybody

	r.want(r.get("/prod/ignored", alice...), 200, "for ", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/keyed", "Cookie", "lang=de"), 200, "for lang=de", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/keyed", "Cookie", "lang=fr"), 200, "for lang=fr", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/keyed", "Cookie", "lang=de"), 200, "for lang=de", "stagecache; hit")
	// One cookie that is not keyed, or that could hide something, and the answer is not for all.
	for _, c := range []string{"lang=it; session=alice", "lang=it; session", "lang=it;;x=1", `lang="it; session=alice"`} {
		if a := r.get("/prod/keyed", "Cookie", c); strings.Contains(a.cache(), "stored") {
			t.Errorf("%s: %q", c, a.cache())
		}
	}
	public = "public"
	r.want(r.get("/prod/z", alice...), 200, "for session=alice", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/z"), 200, "for session=alice", "stagecache; hit")
}

// A Set-Cookie is its client's alone, unless the settings say that it is nobody's, or everybody's.
func TestSetCookie(t *testing.T) {
	for _, mode := range []string{"apigateway", "http"} {
		r := newRig(t, withStage("mode: "+mode+"\ncache: {capacity: 64MB, memory: 48MB}"), withMethods(`
"GET /strip": {set_cookie: strip}
"GET /store": {set_cookie: store}
"GET /off": {set_cookie: strip, caching: false}`))
		more := ""
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60"+more)
			w.Header().Add("Set-Cookie", fmt.Sprintf("n=%d", r.backend.count()))
			w.Header().Add("Set-Cookie", "m=1")
			fmt.Fprint(w, "answer ", r.backend.count())
		})
		for _, c := range []struct {
			path   string
			hit    bool
			first  int // lines of Set-Cookie in the backend's answer
			second int // ... in the next one
		}{
			{"/prod/x", false, 2, 2}, {"/prod/strip", true, 0, 0}, {"/prod/store", true, 2, 2}, {"/prod/off", false, 2, 2},
		} {
			a, b := r.get(c.path), r.get(c.path)
			if strings.Contains(b.cache(), "; hit") != c.hit || len(a.header["Set-Cookie"]) != c.first || len(b.header["Set-Cookie"]) != c.second {
				t.Errorf("%s, %s: %q with %v, then %q with %v", mode, c.path, a.cache(), a.header["Set-Cookie"], b.cache(), b.header["Set-Cookie"])
			}
			if c.hit && b.body != a.body {
				t.Errorf("%s, %s: %q, then %q", mode, c.path, a.body, b.body)
			}
		}
		// What is private stays so. Where cookies are stripped they are stripped from this, too, and from what goes its own way.
		more = ", private"
		for _, path := range []string{"/prod/strip?p", "/prod/store?p"} {
			for range 2 {
				if a := r.get(path); strings.Contains(a.cache(), "hit") || strings.Contains(a.cache(), "stored") || (a.header["Set-Cookie"] != nil) != strings.Contains(path, "store") {
					t.Errorf("%s, %s: %q with %v", mode, path, a.cache(), a.header["Set-Cookie"])
				}
			}
		}
	}
}

func TestClientsWithCookiesDoNotShare(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, "for "+q.Header.Get("Cookie"))
		})
		m := r.many(40, "/prod/x", func(i int) []string {
			if i%2 == 0 {
				return nil
			}
			return []string{"Cookie", fmt.Sprint("s=", i)}
		})
		for i, a := range m.wait(t) {
			want := "for "
			if i%2 == 1 {
				want += fmt.Sprint("s=", i)
			}
			if a.body != want && a.body != "for " {
				t.Errorf("request %d got %q", i, a.body)
			}
		}
		// Those without cookies are one fetch: the others are none of their business.
		n := 0
		for _, q := range r.backend.asked {
			if q.Header.Get("Cookie") == "" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d fetches for those without cookies, want 1", n)
		}
	})
}

func TestWhatTheBackendGets(t *testing.T) {
	r := newRig(t, withMethods(`
"GET /allowed": {forward_headers: [X-Kept], key: {headers: [X-Keyed]}}
"GET /excluded": {key: {query: {exclude: [utm_source]}}}`))
	poison := []string{
		"Connection", "X-Hop, X-Forwarded-For, Cookie", "X-Hop", "1", "Keep-Alive", "1", "Te", "trailers", "Proxy-Authorization", "x",
		"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "1", "X-Forwarded-Prefix", "/e",
		"Forwarded", "for=6.6.6.6", "X-Original-URL", "/admin", "X-Rewrite-URL", "/admin", "X-HTTP-Method-Override", "POST", "X-Host", "evil",
		"Range", "bytes=0-0", "If-None-Match", `"x"`, "If-Range", `"x"`, "Content-Type", "evil",
		"X-Kept", "1", "X-Other", "1", "X-Keyed", "1", "Accept-Encoding", "nonsense, gzip;q=0.5", "Cookie", "a=1",
	}
	peer := "127.0.0.1"
	always := http.Header{
		"X-Forwarded-For": {peer}, "X-Forwarded-Host": {r.addr}, "X-Forwarded-Proto": {"http"},
		"Via": {r.g.via}, "Accept-Encoding": {"gzip"},
	}
	check := func(path string, want http.Header) {
		t.Helper()
		n := r.backend.count()
		r.get(path, poison...)
		r.wantAsked(n + 1)
		q := r.backend.last()
		for name := range q.Header {
			if !slices.Contains([]string{"User-Agent"}, name) && want[name] == nil {
				t.Errorf("%s: the backend got %s: %q", path, name, q.Header[name])
			}
		}
		for name, v := range want {
			if !slices.Equal(q.Header[name], v) {
				t.Errorf("%s: the backend got %s: %q, want %q", path, name, q.Header[name], v)
			}
		}
		if q.Host != strings.TrimPrefix(r.backend.URL, "http://") {
			t.Errorf("%s: Host is %q", path, q.Host)
		}
	}
	with := func(more ...string) http.Header {
		h := always.Clone()
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	r.backend.serve(fixed(200, "x", "Cache-Control", "public"))
	check("/prod/x", with("X-Kept", "1", "X-Other", "1", "X-Keyed", "1", "Cookie", "a=1"))
	check("/prod/allowed", with("X-Kept", "1", "X-Keyed", "1"))
	check("/prod/excluded?b=1&utm_source=x&a=2", with("X-Kept", "1", "X-Other", "1", "X-Keyed", "1", "Cookie", "a=1"))
	if got := r.backend.last().URL.RawQuery; got != "a=2&b=1" {
		t.Errorf("the query is %q", got)
	}

	// Where caching is off, the request passes as it is, but for what belongs to the hop and what the gateway knows better.
	r.get("/prod/uncached?b=1&a=2&a;c", "X-Forwarded-For", "6.6.6.6", "Forwarded", "for=6.6.6.6", "Accept-Encoding", "br;q=0.3", "If-None-Match", `"x"`, "X-Forwarded-Host", "evil")
	q := r.backend.last()
	if q.URL.RawQuery != "b=1&a=2&a;c" || q.Header.Get("If-None-Match") != `"x"` || q.Header.Get("Accept-Encoding") != "br;q=0.3" {
		t.Errorf("a bypass was changed: %s %v", q.URL, q.Header)
	}
	if q.Header.Get("X-Forwarded-For") != peer || q.Header.Get("X-Forwarded-Host") != r.addr || q.Header["Forwarded"] != nil {
		t.Errorf("a bypass told the backend about the client: %v", q.Header)
	}
}

func TestTrustedProxies(t *testing.T) {
	r := newRig(t, withTop("trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\naccess_log: {path: LOG, format: text}"), func(r *rig, _ *Options) {
		r.top = strings.Replace(r.top, "LOG", r.dir+"/access.log", 1)
	})
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		h := q.Header
		fmt.Fprint(w, h["X-Forwarded-For"], h["X-Forwarded-Host"], h["X-Forwarded-Proto"])
	})
	header := []string{"X-Forwarded-For", "6.6.6.6, 9.9.9.9, 10.1.1.1", "X-Forwarded-Host", "shop.example.com", "X-Forwarded-Proto", "https"}
	a := r.get("/prod/x", header...)
	if want := "[9.9.9.9, 10.1.1.1, 127.0.0.1] [shop.example.com] [https]"; a.body != strings.ReplaceAll(want, "] [", "] [") {
		t.Errorf("the backend got %s", a.body)
	}
	// What the backend was told is keyed: another host or scheme is another entry.
	for _, change := range [][]string{
		{"X-Forwarded-Host", "shop.example.com", "X-Forwarded-Proto", "http"},
		{"X-Forwarded-Host", "evil.example.com", "X-Forwarded-Proto", "https"},
		nil,
	} {
		if a := r.get("/prod/x", change...); !strings.Contains(a.cache(), "uri-miss") {
			t.Errorf("%v: %q", change, a.cache())
		}
	}
	if a := r.get("/prod/x", header[2:]...); !strings.Contains(a.cache(), "hit") {
		t.Errorf("the same host and scheme: %q", a.cache())
	}
	if a := r.get("/prod/x", "X-Forwarded-Host", "a b"); a.status != 400 {
		t.Errorf("a bad X-Forwarded-Host: %d", a.status)
	}
	if line := strings.SplitN(r.accessLog(), "\n", 2)[0]; !strings.Contains(line, `remote="9.9.9.9"`) {
		t.Errorf("the client in the access log: %s", line)
	}
}

func TestPreserveHost(t *testing.T) {
	r := newRig(t)
	r.g.state.Load().backends["shop"].cfg.PreserveHost = true
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Host) })
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		if a := r.get(path, "Host", "WWW.example.com"); a.body != "www.example.com" {
			t.Errorf("%s: the backend's Host is %q", path, a.body)
		}
	}
}

// A header that Connection lists is not forwarded; nor may it choose the entry.
func TestConnectionCannotStripAKeyedHeader(t *testing.T) {
	r := newRig(t, withMethods(`"GET /x": {key: {headers: [X-Tenant]}}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "tenant "+q.Header.Get("X-Tenant")) })
	r.want(r.get("/prod/x", "X-Tenant", "a", "Connection", "X-Tenant"), 200, "tenant ", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", "X-Tenant", "a"), 200, "tenant a", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x"), 200, "tenant ", "stagecache; hit")
}

func TestHopByHopOfAnswers(t *testing.T) {
	r := newRig(t)
	r.backend.serve(fixed(200, "x", "Connection", "X-Hop, Set-Cookie", "X-Hop", "1", "Keep-Alive", "timeout=5", "Proxy-Authenticate", "x", "Age", "40"))
	for _, want := range []string{"40", "45"} {
		a := r.get("/prod/x")
		for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Connection"} {
			if a.header[name] != nil {
				t.Errorf("the client got %s: %q", name, a.header[name])
			}
		}
		if !slices.Equal(a.header["Age"], []string{want}) || a.header.Get("Via") != "1.1 stagecache" {
			t.Errorf("Age %q, Via %q", a.header["Age"], a.header["Via"])
		}
		r.clock.Advance(5 * time.Second)
	}
}

// TestCacheStatusSaysWhyNotStored guards what operators read first: an answer that is not stored says so, and why, each time.
func TestCacheStatusSaysWhyNotStored(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path[strings.LastIndexByte(q.URL.Path, '/'):] {
		case "/set-cookie":
			w.Header().Set("Set-Cookie", "a=b")
		case "/private":
			w.Header().Set("Cache-Control", "private")
		case "/negative-ttl":
			w.WriteHeader(http.StatusNotFound)
		case "/status":
			w.WriteHeader(http.StatusTeapot)
		case "/too-large":
			w.Header().Set("Content-Length", "2000000")
			w.Write(make([]byte, 2000000))
		}
	})
	for _, reason := range []string{"set-cookie", "private", "negative-ttl", "status", "too-large"} {
		for range 2 {
			if got, want := r.get("/prod/"+reason).cache(), "stagecache; fwd=uri-miss; detail="+reason; got != want {
				t.Errorf("Cache-Status is %q, want %q", got, want)
			}
		}
	}
}
