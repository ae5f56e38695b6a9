package admin

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/sigv4/sigv4test"
)

// Every route, by whoever may not use it, in every way that is known: never an answer of what is behind the door.
func TestNobodyGetsThroughToAnyRoute(t *testing.T) {
	r := newRig(t, all)
	srv := httptest.NewServer(r.h)
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	type route struct{ method, path string }
	routes := []route{
		{"GET", "/restapis/shop/stages"}, {"PATCH", "/restapis/shop/stages/prod"}, {"DELETE", "/restapis/shop/stages/prod/cache/data"},
		{"GET", "/"}, {"GET", "/debug/pprof/"}, {"POST", "/healthz"}, {"CONNECT", "/v1/stats"}, {"TRACE", "/v1/stats"},
	}
	for _, p := range permissions {
		routes = append(routes, route{p.method, strings.ReplaceAll(p.path, "{s}", "prod")})
	}
	good := sigv4test.Signer{ID: "AKIAOPERATOR", Secret: "secret-of-the-operator", Region: "eu-west-1", Service: "apigateway"}
	with := func(change func(*sigv4test.Signer), at time.Duration) func(*http.Request) {
		s := good
		if change != nil {
			change(&s)
		}
		return func(q *http.Request) { s.Header(q, now.Add(at)) }
	}
	header := func(pairs ...string) func(*http.Request) {
		return func(q *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				q.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	for name, change := range map[string]func(*http.Request){
		"no token":                      func(*http.Request) {},
		"a bad token":                   header("Authorization", "Bearer token-of-the-operato"),
		"the token as a basic password": func(q *http.Request) { q.SetBasicAuth("operator", "token-of-the-operator") },
		"the token in the query":        func(q *http.Request) { q.URL.RawQuery = "access_token=token-of-the-operator" },
		"the token in a cookie":         header("Cookie", "Authorization=token-of-the-operator"),
		"a false signature":             with(func(s *sigv4test.Signer) { s.Secret = "x" }, 0),
		"another service":               with(func(s *sigv4test.Signer) { s.Service = "execute-api" }, 0),
		"another region":                with(func(s *sigv4test.Signer) { s.Region = "us-east-1" }, 0),
		"an old signature":              with(nil, -6*time.Minute),
		"a signature from the future":   with(nil, 6*time.Minute),
		"another site":                  header("Authorization", token, "Sec-Fetch-Site", "cross-site"),
		"a neighbour":                   header("Authorization", token, "Sec-Fetch-Site", "same-site"),
		"another origin":                header("Authorization", token, "Origin", "https://attacker.example"),
		"a null origin":                 header("Authorization", token, "Origin", "null"),
		"an origin on another port":     header("Authorization", token, "Origin", "http://127.0.0.1:1"),
		"a name that leads here":        func(q *http.Request) { q.Host = "attacker.example:" + port; q.Header.Set("Authorization", token) },
		"a name that begins like ours":  func(q *http.Request) { q.Host = "localhost.attacker.example"; q.Header.Set("Authorization", token) },
		"a web socket": header("Authorization", token, "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
	} {
		for _, c := range routes {
			r.seen = nil
			q, err := http.NewRequest(c.method, srv.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			change(q)
			resp, err := http.DefaultTransport.RoundTrip(q)
			if err != nil {
				t.Errorf("%s, %s %s: %v", name, c.method, c.path, err)
				continue
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 401 && resp.StatusCode != 403 || len(r.seen) > 0 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s %s: %d, seen %v", name, c.method, c.path, resp.StatusCode, r.seen)
			}
		}
	}
}
