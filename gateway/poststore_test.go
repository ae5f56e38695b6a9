package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// The answer to a POST is kept for a GET only if the POST said nothing that a shared fetch would not have.
func TestAPostOfOneClientIsNotStored(t *testing.T) {
	for name, c := range map[string]struct {
		ask  []string
		kept bool
	}{
		"plain":                     {[]string{"Content-Type", "text/a", "Accept-Encoding", "br, gzip"}, true},
		"no-store":                  {[]string{"Cache-Control", "no-store"}, false},
		"an address":                {[]string{"X-Real-Ip", "192.0.2.1"}, false},
		"another method":            {[]string{"X-Http-Method-Override", "DELETE"}, false},
		"credentials":               {[]string{"Authorization", "Basic x"}, false},
		"a cookie":                  {[]string{"Cookie", "a=b"}, false},
		"a header that is large":    {[]string{"X-Large", strings.Repeat("x", 9<<10)}, false},
		"one that no GET may bring": {[]string{"X-Other", "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withStage(modeHTTP), withMethods(`"GET /x": {forward_headers: [User-Agent]}`))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				fixed(200, q.Method, "Cache-Control", "max-age=60", "Content-Location", "/prod/x")(w, q)
			})
			r.do("POST", "/prod/x", append(c.ask, "User-Agent", "a")...)
			want := "GET"
			if c.kept {
				want = "POST"
			}
			if a := r.get("/prod/x", "User-Agent", "a"); a.body != want {
				t.Errorf("got that to a %s, %s", a.body, a.cache())
			}
		})
	}
}
