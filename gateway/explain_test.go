package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"stagecache/engine"
	"stagecache/gateway/control"
)

// Whatever becomes of a request, explain says so before, and why; and asks nobody.
func TestExplainEveryOutcome(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option)
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				switch q.URL.Path {
				case "/api/private":
					w.Header().Set("Cache-Control", "private")
				case "/api/vary":
					w.Header().Set("Vary", "Accept-Language")
				case "/api/tagged":
					w.Header().Set("Etag", `"1"`)
				}
				io.WriteString(w, "x")
			})
			check := func(name, method, path, outcome, reason string, header ...string) {
				t.Helper()
				h := make(map[string][]string)
				for i := 0; i < len(header); i += 2 {
					h[header[i]] = append(h[header[i]], header[i+1])
				}
				n := r.backend.count()
				e, err := r.g.Explain(t.Context(), "prod", control.ExplainRequest{Method: method, URL: "http://" + r.addr + "/prod" + path, Header: h})
				if err != nil || e.Next.Outcome != outcome || e.Next.Reason != reason || e.Next.Why == "" {
					t.Errorf("%s: %+v, %v; want %s %q", name, e.Next, err, outcome, reason)
				}
				r.wantAsked(n)
			}
			purge := func(what engine.Target, how engine.PurgeMode) {
				t.Helper()
				if _, err := r.g.Stores()["prod"].Purge(t.Context(), what, how); err != nil {
					t.Fatal(err)
				}
			}
			check("nothing", "GET", "/x", "miss", "never-stored")
			for _, path := range []string{"/x", "/y", "/tagged", "/private", "/vary"} {
				r.get("/prod"+path, "Accept-Language", "de")
			}
			check("a hit", "GET", "/x", "hit", "")
			check("HEAD", "HEAD", "/x", "hit", "")
			check("a variant", "GET", "/vary", "hit", "", "Accept-Language", "de")
			check("another variant", "GET", "/vary", "miss", "vary", "Accept-Language", "fr")
			check("private", "GET", "/private", "miss", "uncacheable")
			check("credentials", "GET", "/x", "miss", "credentials", "Authorization", "Basic x")
			check("switched off", "GET", "/uncached", "bypass", "")
			check("a method", "POST", "/x", "bypass", "")
			check("an upgrade", "GET", "/x", "bypass", "", "Upgrade", "websocket")
			check("events", "GET", "/x", "bypass", "", "Accept", "text/event-stream")
			check("dots", "GET", "/a/../x", "bypass", "")
			check("out of the stage", "GET", "/../../x", "refused", "")
			check("bytes beyond ASCII", "GET", "/x", "refused", "", "X-Name", "caf\xc3\xa9")
			check("a large header", "GET", "/none", "miss", "never-stored", "X-Name", strings.Repeat("x", 9000))
			if mode == "http" {
				check("no-cache", "GET", "/x", "miss", "request", "Cache-Control", "no-cache")
				check("no-cache, and a validator", "GET", "/tagged", "validate", "request", "Cache-Control", "no-cache")
				check("only-if-cached", "GET", "/none", "miss", "never-stored", "Cache-Control", "only-if-cached")
			} else {
				check("no-cache is nothing here", "GET", "/x", "hit", "", "Cache-Control", "no-cache")
				check("max-age=0 takes a permission", "GET", "/x", "hit", "", "Cache-Control", "max-age=0")
			}
			purge(engine.Path("/tagged"), engine.Soft)
			check("softly purged", "GET", "/tagged", "validate", "stale")
			purge(engine.Path("/x"), engine.Hard)
			check("purged", "GET", "/x", "miss", "purged")
			check("and asked again", "GET", "/x", "miss", "purged")
			purge(engine.Path("/vary"), engine.Hard)
			check("a variant that was purged", "GET", "/vary", "miss", "purged", "Accept-Language", "de")
			r.clock.Advance(30 * time.Hour)
			check("expired", "GET", "/y", "miss", "expired")
		})
	}
}
