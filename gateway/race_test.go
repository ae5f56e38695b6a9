package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/engine"
	"stagecache/gateway/policy"
)

// prepare takes a request as far as the point where the cache is asked.
func (r *rig) prepare(w http.ResponseWriter, path string, header ...string) *exchange {
	r.t.Helper()
	req := httptest.NewRequest("GET", path, nil)
	req.Host = r.addr
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	x := &exchange{
		g: r.g, state: r.g.state.Load(), r: req, begun: time.Now(), result: "-", buffers: &buffers{},
		w: response{ResponseWriter: w, perWrite: time.Minute},
	}
	if p := x.accept(); p != nil {
		r.t.Fatal(p.message)
	}
	if p := x.find(); p != nil {
		r.t.Fatal(p.message)
	}
	if why, p := x.whyNot(); why != "" || p != nil {
		r.t.Fatal(why, p)
	}
	x.classify()
	x.query = policy.Query(req.URL.RawQuery, x.m.query, true)
	x.buildKey()
	x.target = x.key
	return x
}

// An entry that comes between the look and the lease is served, and nothing is fetched.
func TestAnEntryThatComesInBetween(t *testing.T) {
	for name, header := range map[string][]string{"alike": nil, "of another class": {"Cookie", "a=1"}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.backend.serve(fixed(200, "there"))
			r.get("/prod/x")
			w := httptest.NewRecorder()
			r.prepare(w, "/prod/x", header...).miss(policy.ForwardURIMiss, nil) // as if its look had been before
			if w.Body.String() != "there" || !strings.Contains(w.Header().Get("Cache-Status"), "hit") {
				t.Errorf("got %q, %q", w.Body, w.Header().Get("Cache-Status"))
			}
			r.wantAsked(1)
		})
	}
}

// ... also to those who wait for whoever found that out.
func TestWaitersOfAFillThatWasNotNeeded(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(fixed(200, "there"))
		w := httptest.NewRecorder()
		x := r.prepare(w, "/prod/x", "Cookie", "a=1")
		lease, err := x.store.Lease(t.Context(), x.classKey(), engine.LeaseOptions{Data: func() any { return newFill(true) }})
		if err != nil || !lease.Held {
			t.Fatal(lease, err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			x.miss(policy.ForwardURIMiss, nil)
		}()
		synctest.Wait()
		r.get("/prod/x")
		lease.Data().(*fill).giveUp()
		lease.Abandon(errFilled)
		<-done
		if w.Body.String() != "there" || !strings.Contains(w.Header().Get("Cache-Status"), "hit") {
			t.Errorf("got %q, %q", w.Body, w.Header().Get("Cache-Status"))
		}
		r.wantAsked(1)
	})
}

// A fetch that began before a purge must not land after it, and who asks after the purge must not be answered from it.
func TestAPurgeDuringAFetch(t *testing.T) {
	for _, target := range []engine.Target{engine.Path("/x"), engine.Prefix("/"), engine.Tag("t")} {
		bubbled(t, func(t *testing.T, r *rig) {
			release := make(chan struct{})
			r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
				n := r.backend.count()
				<-release
				w.Header().Set("Surrogate-Key", "s t")
				fmt.Fprint(w, "v", n)
			})
			before := r.many(2, "/prod/x", nil)
			synctest.Wait()
			if _, err := r.g.Stores()["prod"].Purge(t.Context(), target, engine.Hard); err != nil {
				t.Fatal(err)
			}
			after := r.many(2, "/prod/x", nil)
			synctest.Wait()
			r.wantAsked(2)
			close(release)
			for _, a := range before.wait(t) {
				r.want(a, 200, "v1", "stagecache; fwd=uri-miss")
			}
			for _, a := range after.wait(t) {
				r.want(a, 200, "v2", "stagecache; fwd=uri-miss")
			}
			r.want(r.get("/prod/x"), 200, "v2", "stagecache; hit")
		})
	}
}

func TestKeyedHeadersAreTheOnesThatAreSent(t *testing.T) {
	r := newRig(t, withMethods(`
"GET /x": {key: {headers: [X-Host, Accept-Encoding, X-Forwarded-Host, X-Forwarded-Proto]}}
"GET /pets/{id}": {key: {mode: declared}, cacheKeyParameters: [method.request.path.id, method.request.header.X-Tenant], cacheNamespace: pets}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", q.Header.Get("X-Host"), q.Header.Get("Accept-Encoding"), q.Header.Get("X-Forwarded-Host"))
	})
	r.want(r.get("/prod/x", "X-Host", "a"), 200, "a||"+r.addr, "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", "X-Host", "b"), 200, "b||"+r.addr, "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", "X-Host", "a", "X-Forwarded-Host", "evil"), 200, "a||"+r.addr, "stagecache; hit")
	r.want(r.get("/prod/x", "X-Host", "a", "Accept-Encoding", "gzip, deflate"), 200, "a|gzip|"+r.addr, "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", "X-Host", "a", "Accept-Encoding", "x, gzip;q=0.1"), 200, "a|gzip|"+r.addr, "stagecache; hit")

	r.get("/prod/pets/1", "X-Tenant", "a")
	if a := r.get("/prod/pets/1", "X-Tenant", "a"); !strings.Contains(a.cache(), "hit") {
		t.Errorf("a declared header: %q", a.cache())
	}
	if a := r.get("/prod/pets/1", "X-Tenant", "b"); strings.Contains(a.cache(), "hit") {
		t.Errorf("another value of a declared header: %q", a.cache())
	}
}

func TestMarksAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMarks(func() time.Time { return now })
	for i := range 3 * maxMarks {
		m.add([]byte(strconv.Itoa(i)))
	}
	if n := len(m.until); n > maxMarks {
		t.Errorf("%d marks", n)
	}
	last := []byte(strconv.Itoa(3*maxMarks - 1))
	if !m.has(last) {
		t.Error("the last mark is not there")
	}
	m.remove(last)
	if m.has(last) {
		t.Error("a mark that was removed is there")
	}
	m.add(last)
	now = now.Add(markTime + 1)
	if m.has(last) {
		t.Error("a mark does not end")
	}
}

func TestJSONStrings(t *testing.T) {
	for _, s := range []string{"", "plain", `"\`, "\x00\n\t\x7f", "é€😀", "\xff\xc3", "</script>\u2028"} {
		var got string
		text := appendJSONString(nil, s)
		if err := json.Unmarshal(text, &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && got != "\ufffd\ufffd" {
			t.Errorf("%q became %s, which reads %q, %v", s, text, got, err)
		}
	}
}

// Everything at once, for the race detector; and whatever happens, a path never gets another path's bytes.
func TestManyClientsAtOnce(t *testing.T) {
	r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB, stale_while_revalidate: 60s, stale_if_error: 60s, negative_ttl: 1s}"))
	content := func(path, language string) string {
		n, _ := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
		unit := path + language + "|"
		return strings.Repeat(unit, 1+n*n*9)
	}
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		n, _ := strconv.Atoi(q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:])
		body, h := content(q.URL.Path, ""), w.Header()
		h.Set("Etag", `"`+q.URL.Path+`"`)
		switch n % 7 {
		case 0:
			h.Set("Cache-Control", "private")
		case 1:
			h.Set("Vary", "Accept-Language")
			body = content(q.URL.Path, q.Header.Get("Accept-Language"))
		case 2:
			w.(http.Flusher).Flush()
		case 3:
			if rand.IntN(3) == 0 {
				http.Error(w, "bad", http.StatusServiceUnavailable)
				return
			}
		}
		io.WriteString(w, body)
	})
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(c), 7))
			for i := range 60 {
				n := rnd.IntN(40)
				lang := []string{"", "de", "fr"}[rnd.IntN(3)]
				header := []string{"Accept-Language", lang}
				kind := rnd.IntN(8)
				switch kind {
				case 0:
					header = append(header, "Authorization", "x")
				case 1:
					header = append(header, "Cookie", "a=1")
				case 2:
					header = append(header, "Range", "bytes=0-3")
				}
				ctx, cancel := context.WithCancel(context.Background())
				if kind == 3 {
					go cancel() // sooner or later
				}
				path := fmt.Sprintf("/api/%d", n)
				a, err := r.try(ctx, "GET", fmt.Sprintf("/prod/%d", n), "", header...)
				cancel()
				switch {
				case kind == 3:
				case err != nil:
					t.Errorf("%s: %v", path, err)
				case n%7 == 3 && a.status == 503:
				case a.err != nil && n%7 == 2: // a reader of a large body may be cut
				default:
					want := content(path, "")
					if n%7 == 1 {
						want = content(path, lang)
					}
					if a.status == 206 {
						want = want[:4]
					}
					if a.body != want || a.err != nil {
						t.Errorf("%s: %d, %d bytes, want %d; %v, %q", path, a.status, len(a.body), len(want), a.err, a.cache())
					}
				}
				if c == 0 && i%10 == 9 {
					r.clock.Advance(200 * time.Second)
					if store := r.g.Stores()["prod"]; store != nil { // not while a reload reopens it
						_, err := store.Purge(context.Background(), engine.Path(fmt.Sprintf("/%d", rnd.IntN(40))), engine.Soft)
						if err != nil && !errors.Is(err, engine.ErrClosed) {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 6 {
			cfg := r.config()
			cfg.Stages[0].Cache.Capacity += int64(i%2) * 1_000_000
			if err := r.g.Reload(cfg); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}
