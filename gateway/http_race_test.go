package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/engine"
)

const modeHTTP = "mode: http\ncache: {capacity: 64MB, memory: 48MB}"

// A GET that the backend answered before a POST changed the resource, and that comes after it, must not be stored
// (RFC 9111 4.4).
func TestASlowGetIsNotStoredAfterAPost(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodPost {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.Header().Set("Cache-Control", "max-age=600")
			w.(http.Flusher).Flush()
			if r.backend.count() == 1 {
				<-release
			}
			fmt.Fprintf(w, "answer %d", r.backend.count())
		})
		var slow answer
		var done sync.WaitGroup
		done.Go(func() { slow = r.get("/prod/x") })
		synctest.Wait()
		if a := r.do("POST", "/prod/x"); a.status != http.StatusNoContent {
			t.Fatalf("POST: %d", a.status)
		}
		close(release)
		done.Wait()
		if slow.status != 200 || slow.err != nil {
			t.Errorf("the slow GET: %d, %v", slow.status, slow.err)
		}
		r.want(r.get("/prod/x"), 200, "answer 3", "stagecache; fwd=uri-miss; stored")
		r.want(r.get("/prod/x"), 200, "answer 3", "stagecache; hit")
	}, withStage(modeHTTP))
}

// A 304 confirms a body that is as old as its entry. If the entry is purged while the backend is asked, the body must not
// come back with the 304.
func TestAPurgeDuringValidationHolds(t *testing.T) {
	for name, target := range map[string]engine.Target{"path": engine.Path("/x"), "tag": engine.Tag("t")} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				release := make(chan struct{})
				body := "old"
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					w.Header().Set("Cache-Control", "max-age=5")
					w.Header().Set("Etag", `"a"`)
					w.Header().Set("Surrogate-Key", "t")
					if q.Header.Get("If-None-Match") != "" {
						<-release
						w.WriteHeader(http.StatusNotModified)
						return
					}
					io.WriteString(w, body)
				})
				r.get("/prod/x")
				r.clock.Advance(6 * time.Second)
				var confirmed answer
				var done sync.WaitGroup
				done.Go(func() { confirmed = r.get("/prod/x") })
				synctest.Wait()
				if _, err := r.g.Stores()["prod"].Purge(context.Background(), target, engine.Hard); err != nil {
					t.Fatal(err)
				}
				body = "new"
				close(release)
				done.Wait()
				r.want(confirmed, 200, "old", "stagecache; fwd=stale; fwd-status=304")
				r.want(r.get("/prod/x"), 200, "new", "stagecache; fwd=uri-miss")
			}, withStage(modeHTTP))
		})
	}
}

// However many ask for a stale entry at a time, the backend is asked once, and all get what it confirmed.
func TestManyShareOneValidation(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Cache-Control", "max-age=5")
			w.Header().Set("Etag", `"a"`)
			w.Header().Set("Date", r.clock.Wall().UTC().Format(http.TimeFormat)) // the server's own clock stands still
			if q.Header.Get("If-None-Match") != "" {
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, "body")
		})
		r.get("/prod/x")
		r.clock.Advance(6 * time.Second)
		var done sync.WaitGroup
		for range 20 {
			done.Go(func() {
				if a := r.get("/prod/x"); a.status != 200 || a.body != "body" {
					t.Errorf("got %d %q", a.status, a.body)
				}
			})
		}
		done.Wait()
		r.wantAsked(2)
	}, withStage(modeHTTP))
}

// What must be asked about each time is not passed to those who wait: each asks for himself.
func TestNoCacheIsNotShared(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			time.Sleep(time.Second)
			fixed(200, "body", "Cache-Control", "no-cache", "Etag", `"a"`)(w, q)
		})
		var done sync.WaitGroup
		for range 5 {
			done.Go(func() { r.get("/prod/x") })
		}
		done.Wait()
		r.wantAsked(5)
	}, withStage(modeHTTP))
}

// Interim answers are passed to the one whose request asked, and are no part of what is stored.
func TestInterimAnswersPassAMiss(t *testing.T) {
	r := newRig(t, withStage(modeHTTP))
	r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.Header().Set("X-Early", "1")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("X-Early")
		w.Header().Del("Link")
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "body")
	})
	ask := func() (early []int, a answer) {
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
				early = append(early, status)
				if h.Get("Link") != "</a.css>; rel=preload" {
					t.Errorf("interim answer %d with %v", status, h)
				}
				return nil
			},
		})
		a, err := r.try(ctx, "GET", "/prod/x", "")
		if err != nil {
			t.Fatal(err)
		}
		return early, a
	}
	early, a := ask()
	r.want(a, 200, "body", "stagecache; fwd=uri-miss; stored")
	if !slices.Equal(early, []int{103}) || a.header["X-Early"] != nil || a.header["Link"] != nil {
		t.Errorf("a miss: %v, then %v", early, a.header)
	}
	early, a = ask()
	r.want(a, 200, "body", "stagecache; hit")
	if early != nil || a.header["X-Early"] != nil {
		t.Errorf("a hit: %v, then %v", early, a.header)
	}
}

// One caller can have so many entries refreshed, and no more.
func TestRefreshesAreLimited(t *testing.T) {
	r := newRig(t, withStage(modeHTTP))
	r.backend.serve(fixed(200, "body", "Cache-Control", "max-age=600"))
	r.get("/prod/x")
	ask := func() bool {
		a := r.get("/prod/x", "Cache-Control", "no-cache")
		return !strings.Contains(a.cache(), "; hit")
	}
	for i := range refreshBurst {
		if !ask() {
			t.Fatalf("refresh %d was not made", i+1)
		}
	}
	if ask() {
		t.Error("one more than the burst was made")
	}
	r.clock.Advance(time.Second / refreshRate)
	if !ask() || ask() {
		t.Error("after a tenth of a second there is not exactly one more")
	}
}

func TestLimiterForgets(t *testing.T) {
	var l limiter
	now := time.Unix(1000, 0)
	for i := range 3 * maxCallers {
		if !l.allow(fmt.Sprint(i), now) {
			t.Fatal("a new caller was refused")
		}
	}
	if n := len(l.callers); n > maxCallers {
		t.Errorf("%d callers are remembered", n)
	}
}

// In mode apigateway the lifetime is the stage's, and a stale entry costs the backend a 304 and no body.
func TestAPIGatewayValidatesWhatIsStale(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1")
		w.Header().Set("Etag", `"a"`)
		if q.Header.Get("If-None-Match") == `"a"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, "body")
	})
	r.get("/prod/x")
	r.clock.Advance(301 * time.Second)
	r.want(r.get("/prod/x"), 200, "body", "stagecache; fwd=stale; fwd-status=304; stored")
	r.clock.Advance(299 * time.Second)
	r.want(r.get("/prod/x"), 200, "body", "stagecache; hit; ttl=1")
	r.wantAsked(2)
}
