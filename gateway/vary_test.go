package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"stagecache/engine"
	"stagecache/gateway/stored"
)

func byLanguage(w http.ResponseWriter, q *http.Request) {
	w.Header().Add("Vary", "Accept-Encoding")
	w.Header().Add("Vary", "accept-language")
	fmt.Fprintf(w, "%s|%s", q.Header.Get("Accept-Language"), q.Header.Get("Accept-Encoding"))
}

func TestVariants(t *testing.T) {
	r := newRig(t)
	r.backend.serve(byLanguage)
	de := []string{"Accept-Language", "de", "Accept-Encoding", "br;q=0.1, gzip, deflate"}
	fr := []string{"Accept-Language", "fr", "Accept-Encoding", "gzip,br"}
	r.want(r.get("/prod/x", de...), 200, "de|br, gzip", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", fr...), 200, "fr|br, gzip", "stagecache; fwd=vary-miss; stored")
	r.want(r.get("/prod/x"), 200, "|", "stagecache; fwd=vary-miss; stored")
	r.want(r.get("/prod/x", fr...), 200, "fr|br, gzip", "stagecache; hit")
	r.want(r.get("/prod/x", "Accept-Language", "de", "Accept-Encoding", "gzip, br"), 200, "de|br, gzip", "stagecache; hit")
	r.want(r.get("/prod/x"), 200, "|", "stagecache; hit")
	r.want(r.do("HEAD", "/prod/x", fr...), 200, "", "stagecache; hit")
	r.wantAsked(3)

	// One purge of the path takes them all.
	store := r.g.Stores()["prod"]
	if _, err := store.Purge(t.Context(), engine.Path("/x"), engine.Hard); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x", fr...), 200, "fr|br, gzip", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", de...), 200, "de|br, gzip", "stagecache; fwd=vary-miss; stored")
}

// The marker must outlive its variants, whatever their lifetimes.
func TestVariantsAgeOnTheirOwn(t *testing.T) {
	r := newRig(t)
	r.backend.serve(byLanguage)
	for i := range 4 {
		r.get("/prod/x", "Accept-Language", fmt.Sprint(i))
		r.clock.Advance(100 * time.Second)
	}
	for i, want := range []string{"vary-miss", "vary-miss", "hit", "hit"} {
		if a := r.get("/prod/x", "Accept-Language", fmt.Sprint(i)); !strings.Contains(a.cache(), want) {
			t.Errorf("variant %d: %q, want %s", i, a.cache(), want)
		}
	}
}

func TestAChangingVary(t *testing.T) {
	r := newRig(t)
	vary := "X-A"
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if vary != "" {
			w.Header().Set("Vary", vary)
		}
		io.WriteString(w, vary+" "+q.Header.Get("X-A")+q.Header.Get("X-B"))
	})
	a1, b1 := []string{"X-A", "1"}, []string{"X-B", "1"}
	r.get("/prod/x", a1...)
	vary = "X-B"
	r.want(r.get("/prod/x", b1...), 200, "X-B 1", "stagecache; fwd=vary-miss; stored")
	r.want(r.get("/prod/x", a1...), 200, "X-B 1", "stagecache; fwd=vary-miss; stored") // the old variant is forgotten
	vary = ""
	r.want(r.get("/prod/x", "X-B", "2"), 200, " 2", "stagecache; fwd=vary-miss; stored")
	r.want(r.get("/prod/x", a1...), 200, " 2", "stagecache; hit") // the answer does not vary any more
}

func TestVariantsAreCapped(t *testing.T) {
	r := newRig(t)
	r.backend.serve(byLanguage)
	for i := range stored.MaxVariants + 5 {
		r.get("/prod/x", "Accept-Language", fmt.Sprint(i))
	}
	for i, want := range map[int]string{0: "vary-miss", stored.MaxVariants + 4: "hit", 20: "hit"} {
		if a := r.get("/prod/x", "Accept-Language", fmt.Sprint(i)); !strings.Contains(a.cache(), want) {
			t.Errorf("variant %d: %q, want %s", i, a.cache(), want)
		}
	}
}

// Waiters get an answer only if it is their variant; those of another wait for one fetch of their own.
func TestWaitersOfOtherVariants(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			time.Sleep(time.Second)
			byLanguage(w, q)
		})
		m := r.many(60, "/prod/x", func(i int) []string { return []string{"Accept-Language", fmt.Sprint(i % 3)} })
		for i, a := range m.wait(t) {
			r.want(a, 200, fmt.Sprintf("%d|", i%3), "stagecache; fwd=")
		}
		if n := r.backend.count(); n != 3 {
			t.Errorf("the backend was asked %d times for 3 variants", n)
		}
		for i := range 3 {
			r.want(r.get("/prod/x", "Accept-Language", fmt.Sprint(i)), 200, fmt.Sprintf("%d|", i), "stagecache; hit")
		}
	})
}

// An answer that repeats the request's Origin varies by it, whether it says so or not.
func TestMirroredOrigin(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if o := q.Header.Get("Origin"); o != "" {
			w.Header().Set("Access-Control-Allow-Origin", o)
		}
		io.WriteString(w, "x")
	})
	r.get("/prod/x", "Origin", "https://evil.example")
	a := r.get("/prod/x", "Origin", "https://good.example")
	if got := a.header.Get("Access-Control-Allow-Origin"); got != "https://good.example" {
		t.Errorf("Access-Control-Allow-Origin is %q", got)
	}
	r.want(r.get("/prod/x", "Origin", "https://good.example"), 200, "x", "stagecache; hit")
}

// A header that the gateway sets itself is compared as the backend got it, not as the client sent it.
func TestVaryByAForwardedHeader(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Vary", "X-Forwarded-Host")
		io.WriteString(w, q.Header.Get("X-Forwarded-Host"))
	})
	first := r.get("/prod/x", "X-Forwarded-Host", "evil.example")
	r.want(r.get("/prod/x"), 200, r.addr, "stagecache; hit")
	if first.body != r.addr {
		t.Errorf("the backend saw %q", first.body)
	}
}
