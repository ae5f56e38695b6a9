package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"stagecache/gateway/control"
	"stagecache/gateway/sigv4/sigv4test"
)

func TestPurgeByMethod(t *testing.T) {
	r := newRig(t, withUsers(), withStage("purge_method: true\ncache: {capacity: 64MB, memory: 48MB, stale_while_revalidate: 60s}"))
	r.backend.serve(fixed(200, "x", "Cache-Tag", "all,t"))
	hit := func(path string) string {
		t.Helper()
		switch c := r.get(path).cache(); {
		case strings.HasPrefix(c, "stagecache; hit"):
			return "hit"
		default:
			return c
		}
	}
	warm := func() {
		for _, p := range []string{"/prod/a", "/prod/a?x=1", "/prod/b", "/prod/c/d"} {
			r.get(p)
			if got := hit(p); got != "hit" {
				t.Fatalf("%s: %s", p, got)
			}
		}
	}
	for _, c := range []struct {
		name, path string
		header     []string
		gone       []string
		stays      []string
	}{
		{"a path with all its queries", "/prod/a", nil, []string{"/prod/a", "/prod/a?x=1"}, []string{"/prod/b"}},
		{"a request", "/prod/a?x=1", nil, []string{"/prod/a?x=1"}, []string{"/prod/a", "/prod/b"}},
		{"a prefix", "/prod/c*", nil, []string{"/prod/c/d"}, []string{"/prod/a"}},
		{"a pattern", "/prod/*/d", nil, []string{"/prod/c/d"}, []string{"/prod/b"}},
		{"a tag", "/prod/", []string{"Surrogate-Key", "other t"}, []string{"/prod/a", "/prod/b", "/prod/c/d"}, nil},
	} {
		warm()
		a := r.do("PURGE", c.path, append(c.header, "Authorization", purgerToken)...)
		if a.status != 200 || !strings.Contains(a.body, `"stage":"prod"`) {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		for _, p := range c.stays {
			if got := hit(p); got != "hit" {
				t.Errorf("%s: %s is gone: %s", c.name, p, got)
			}
		}
		for _, p := range c.gone {
			if got := hit(p); got == "hit" {
				t.Errorf("%s: %s is still there", c.name, p)
			}
		}
	}
	warm()
	if a := r.do("PURGE", "/prod/b", "Soft-Purge", "1", "Authorization", purgerToken); a.status != 200 || !strings.Contains(a.body, `"soft":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if c := r.get("/prod/b").cache(); !strings.HasPrefix(c, "stagecache; hit; ttl=") {
		t.Errorf("a soft purge: %s", c)
	}
}

func TestWhoMayNotPurge(t *testing.T) {
	r := newRig(t, withUsers(), withStage("purge_method: true\ncache: {capacity: 64MB, memory: 48MB}"))
	r.get("/prod/a")
	asked := r.backend.count()
	signer := sigv4test.Signer{ID: "AKIADEPLOYER", Secret: deployerKey, Region: "eu-west-1", Service: "execute-api"}
	for name, c := range map[string]struct {
		sign   func(*http.Request)
		header []string
	}{
		"anybody":                   {},
		"another":                   {nil, []string{"Authorization", "Bearer x"}},
		"may only refresh":          {nil, []string{"Authorization", deployerToken}},
		"a tag that was not signed": {func(q *http.Request) { signer.Header(q, r.clock.Wall()) }, []string{"Surrogate-Key", "t"}},
	} {
		if a := r.send("PURGE", "/prod/a", c.sign, c.header...); a.status != 403 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// Of those who may, a signature counts that covers what the purge is about, and nothing comes with a body.
	mayPurge := sigv4test.Signer{ID: "AKIAPURGER", Secret: purgerKey, Region: "eu-west-1", Service: "execute-api"}
	for name, header := range map[string]string{"a tag": "Surrogate-Key", "another name of it": "Cache-Tag", "softness": "Soft-Purge"} {
		if a := r.send("PURGE", "/prod/"+strings.ToLower(header), func(q *http.Request) { mayPurge.Header(q, r.clock.Wall()) }, header, "1"); a.status != 403 {
			t.Errorf("%s that was not signed: %d %s", name, a.status, a.body)
		}
		if a := r.send("PURGE", "/prod/"+strings.ToLower(header), func(q *http.Request) { mayPurge.Header(q, r.clock.Wall(), strings.ToLower(header)) }, header, "1"); a.status != 200 {
			t.Errorf("%s that was signed: %d %s", name, a.status, a.body)
		}
	}
	withBody, err := http.NewRequest("PURGE", "http://"+r.addr+"/prod/a", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	withBody.Header.Set("Authorization", purgerToken)
	if resp, err := r.client.Do(withBody); err != nil || resp.StatusCode != 400 {
		t.Errorf("a body: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}
	r.wantAsked(asked)
	r.want(r.get("/prod/a"), 200, "answer 1 to /api/a", "stagecache; hit")

	// Where it is not switched on, it is a method like others.
	off := newRig(t, withUsers())
	off.do("PURGE", "/prod/a", "Authorization", purgerToken)
	if q := off.backend.last(); q.Method != "PURGE" || q.Header.Get("Authorization") != "" {
		t.Errorf("the backend got %s with %v", q.Method, q.Header)
	}
}

// Of a resource whose answers vary, the purge of a request is about all variants, softly too.
func TestPurgeOfARequestWithVariants(t *testing.T) {
	for name, soft := range map[string]bool{"gone": false, "stale": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB}"))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Vary", "X-Kind")
				io.WriteString(w, q.URL.RequestURI()+q.Header.Get("X-Kind"))
			})
			for range 2 {
				for _, kind := range []string{"a", "b"} {
					r.get("/prod/x?q=1", "X-Kind", kind)
				}
			}
			r.wantAsked(2)
			admin := control.NewLocal(r.g)
			if _, err := admin.Purge(t.Context(), "prod", control.PurgeRequest{Request: "http://" + r.addr + "/prod/x?q=1", Soft: soft}); err != nil {
				t.Fatal(err)
			}
			for i, kind := range []string{"a", "b"} {
				r.want(r.get("/prod/x?q=1", "X-Kind", kind), 200, "/api/x?q=1"+kind, "stagecache; fwd=")
				r.wantAsked(3 + i)
			}
		})
	}
}

// The scheme is a part of the key, so what is asked about a URL has to be asked about its scheme.
func TestExplainedAndPurgedRequestsHaveTheirScheme(t *testing.T) {
	r := newRig(t)
	for url, want := range map[string]string{"http://a.example/prod/x": "http", "https://a.example/prod/x": "https", "/x": "http"} {
		e, err := r.g.Explain(t.Context(), "prod", control.ExplainRequest{Method: "GET", URL: url})
		if err != nil || len(e.Key) < 2 || e.Key[1].Name != "scheme" || e.Key[1].Values[0] != want {
			t.Errorf("%s: %+v, %v", url, e.Key, err)
		}
	}
	one, err := r.g.RequestTargets("prod", control.ExplainRequest{Method: "GET", URL: "http://a.example/prod/x"}, true)
	other, err2 := r.g.RequestTargets("prod", control.ExplainRequest{Method: "GET", URL: "https://a.example/prod/x"}, true)
	if err != nil || err2 != nil || len(one) != 1 || one[0] == other[0] {
		t.Errorf("%v %v, %v %v", one, other, err, err2)
	}
	if _, err := r.g.RequestTargets("prod", control.ExplainRequest{Method: "GET", URL: "http://a.example/nowhere/x"}, false); err == nil {
		t.Error("a request that no stage answers has entries")
	}
}
