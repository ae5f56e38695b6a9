package gateway

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/engine"
)

// A HEAD that goes through for one client says things to it that others must not get with the entry, unless it was asked in the
// words of everybody.
func TestHeadOfOneClientDoesNotFreshen(t *testing.T) {
	for name, c := range map[string]struct {
		ask   []string
		fresh bool
	}{
		"plain":                  {nil, true},
		"no-store":               {[]string{"Cache-Control", "no-store"}, false},
		"an address":             {[]string{"X-Real-Ip", "192.0.2.1"}, false},
		"an address on its way":  {[]string{"X-Forwarded-For", "<x>, 192.0.2.1"}, false},
		"a header that is large": {[]string{"X-Large", strings.Repeat("x", 9<<10)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withStage(modeHTTP), withTop("trusted_proxies: [127.0.0.1]"))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Etag", `"a"`)
				w.Header().Set("Date", r.clock.Wall().UTC().Format(http.TimeFormat))
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("For", q.Header.Get("X-Real-Ip")+q.Header.Get("X-Forwarded-For"))
			})
			r.get("/prod/x")
			r.clock.Advance(61 * time.Second)
			r.do("HEAD", "/prod/x", c.ask...)
			r.wantAsked(2)
			if a := r.get("/prod/x"); strings.HasPrefix(a.cache(), "stagecache; hit") != c.fresh || !strings.HasSuffix(a.header.Get("For"), "127.0.0.1") {
				t.Errorf("got %s for %q", a.cache(), a.header.Get("For"))
			}
		})
	}
}

// What a HEAD says that was sent before a soft purge must not undo it.
func TestHeadFromBeforeASoftPurge(t *testing.T) {
	for name, purged := range map[string]bool{"purged": true, "not purged": false} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				release := make(chan struct{})
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					w.Header().Set("Etag", `"a"`)
					w.Header().Set("Date", r.clock.Wall().UTC().Format(http.TimeFormat))
					w.Header().Set("Cache-Control", "max-age=60")
					if q.Method == http.MethodHead {
						<-release
					}
				})
				r.get("/prod/x")
				r.clock.Advance(61 * time.Second)
				var done sync.WaitGroup
				done.Go(func() { r.do("HEAD", "/prod/x") })
				synctest.Wait()
				if purged {
					if _, err := r.g.Stores()["prod"].Purge(t.Context(), engine.Path("/x"), engine.Soft); err != nil {
						t.Error(err)
					}
				}
				close(release)
				done.Wait()
				if a := r.get("/prod/x"); strings.HasPrefix(a.cache(), "stagecache; hit") == purged {
					t.Errorf("got %s", a.cache())
				}
			}, withStage(modeHTTP))
		})
	}
}
