package admin

import (
	"bytes"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/iam"
	"stagecache/gateway/identity"
	"stagecache/gateway/sigv4/sigv4test"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const token = "Bearer token-of-the-operator"

type rig struct {
	h    http.Handler
	log  bytes.Buffer
	seen []string // what got through: method, path, body, who
}

func newRig(t *testing.T, policy string) *rig {
	t.Helper()
	p, err := iam.Parse([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{API: config.API{ID: "shop"}, IAM: config.IAM{Region: "eu-west-1", Account: "123456789012", Users: []config.User{{
		Name: "operator", Policy: p,
		AccessKeys: []config.AccessKey{{ID: "AKIAOPERATOR", Secret: config.NewSecret("secret-of-the-operator")}},
		Tokens:     []config.Token{{Hash: sha256.Sum256([]byte(strings.TrimPrefix(token, "Bearer ")))}},
	}}}}
	dir := identity.New(cfg, identity.NewMemory(now))
	r := &rig{}
	inner := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		a := audit.From(q.Context())
		r.seen = append(r.seen, q.Method+" "+q.URL.RequestURI()+" "+string(b)+" "+a.User+" "+a.Via+q.Header.Get("Authorization"))
	})
	r.h = Handler(Options{
		Inner: inner, Directory: func() *identity.Directory { return dir }, Hosts: []string{"cache.example.com"},
		Client: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }, Now: func() time.Time { return now },
		Mounts: []Mount{{Patterns: []string{"/restapis/"}, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if err := Authorize(q, "apigateway:GET", dir.Names.Stages()); err != nil {
				w.WriteHeader(http.StatusTeapot)
			}
		})}},
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	return r
}

func (r *rig) do(req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, req)
	return w
}

func request(method, path, body string, header ...string) *http.Request {
	req := httptest.NewRequest(method, "http://127.0.0.1:9901"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

const all = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// Each route needs its own action on its own resource, and nothing else will do.
func TestEachRouteNeedsItsPermission(t *testing.T) {
	const base = "arn:aws:apigateway:eu-west-1::/restapis/shop"
	want := map[string][2]string{
		"GET /metrics":                 {"apigateway:GET", base + "/stages"},
		"GET /v1/stats":                {"apigateway:GET", base + "/stages"},
		"GET /v1/stages":               {"apigateway:GET", base + "/stages"},
		"GET /v1/stages/prod":          {"apigateway:GET", base + "/stages/prod"},
		"HEAD /v1/stages/prod/stats":   {"apigateway:GET", base + "/stages/prod"},
		"GET /v1/stages/prod/explain":  {"apigateway:GET", base + "/stages/prod"},
		"POST /v1/stages/prod/explain": {"apigateway:GET", base + "/stages/prod"},
		"POST /v1/stages/prod/flush":   {"apigateway:DELETE", base + "/stages/prod/cache/data"},
		"POST /v1/stages/prod/purge":   {"apigateway:DELETE", base + "/stages/prod/cache/data"},
		"PATCH /v1/stages/prod":        {"apigateway:PATCH", base + "/stages/prod"},
		"POST /v1/stages/prod/compact": {"apigateway:PATCH", base + "/stages/prod"},
		"DELETE /v1/stages/prod":       {"apigateway:DELETE", base + "/stages/prod"},
		"POST /v1/reload":              {"apigateway:PATCH", base},
		"POST /v1/keys/rotate":         {"apigateway:PATCH", base},
	}
	if len(want) != len(permissions) {
		t.Errorf("%d routes are tested, %d are in the table", len(want), len(permissions))
	}
	for route, p := range want {
		method, path, _ := strings.Cut(route, " ")
		r := newRig(t, `{"Statement":{"Effect":"Allow","Action":"`+p[0]+`","Resource":"`+p[1]+`"}}`)
		if w := r.do(request(method, path, "{}", "Authorization", token)); w.Code != 200 || len(r.seen) != 1 {
			t.Errorf("%s with its permission: %d", route, w.Code)
		}
		r = newRig(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"`+p[0]+`","Resource":"`+p[1]+`"}]}`)
		if w := r.do(request(method, path, "{}", "Authorization", token)); w.Code != 403 || len(r.seen) != 0 {
			t.Errorf("%s without it: %d", route, w.Code)
		} else if !strings.Contains(r.log.String(), "statement 2 denies it") || strings.Contains(w.Body.String(), "statement") {
			t.Errorf("%s: the reason is in the answer %q, or not in the log %q", route, w.Body.String(), r.log.String())
		}
	}
}

func TestNoOtherRoute(t *testing.T) {
	r := newRig(t, all)
	for _, route := range []string{
		"GET /", "GET /v1/", "PUT /v1/stages/prod", "POST /v1/stats", "GET /v1/stages/prod/flush", "POST /v1/stages/a%2Fb/flush", "POST /v1/stages/%2e%2e/flush",
		"POST /v1/stages/*/flush", "POST //v1/stages/prod/flush", "GET /debug/pprof/", "POST /v1/stages//flush",
	} {
		method, path, _ := strings.Cut(route, " ")
		if w := r.do(request(method, path, "", "Authorization", token)); w.Code != 403 {
			t.Errorf("%s: %d", route, w.Code)
		}
	}
	if len(r.seen) > 0 {
		t.Errorf("got through: %v", r.seen)
	}
}

func TestWhoPasses(t *testing.T) {
	signer := sigv4test.Signer{ID: "AKIAOPERATOR", Secret: "secret-of-the-operator", Region: "eu-west-1", Service: "apigateway"}
	r := newRig(t, all)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"nobody", func(*http.Request) {}, 401},
		{"somebody else", func(q *http.Request) { q.Header.Set("Authorization", "Bearer x") }, 401},
		{"a key that is not known", func(q *http.Request) {
			s := signer
			s.ID = "AKIANOBODY"
			s.Header(q, now)
		}, 403},
		{"presigned with one", func(q *http.Request) {
			s := signer
			s.ID = "AKIANOBODY"
			s.Query(q, now, "60")
		}, 403},
		{"a token", func(q *http.Request) { q.Header.Set("Authorization", token) }, 200},
		{"two tokens", func(q *http.Request) { q.Header["Authorization"] = []string{token, token} }, 403},
		{"a signature", func(q *http.Request) { signer.Header(q, now) }, 200},
		{"the same signature again", func(q *http.Request) { signer.Header(q, now) }, 429},
		{"presigned", func(q *http.Request) { signer.Query(q, now, "60") }, 200},
		{"a signature for the data plane", func(q *http.Request) {
			s := signer
			s.Service = "execute-api"
			s.Header(q, now)
		}, 403},
		{"under another secret", func(q *http.Request) {
			s := signer
			s.Secret = "x"
			s.Header(q, now)
		}, 403},
		{"another body", func(q *http.Request) {
			signer.Header(q, now.Add(time.Second))
			q.Body = io.NopCloser(strings.NewReader(`{"path":"/*"}`))
		}, 403},
		{"a large body", func(q *http.Request) {
			q.Header.Set("Authorization", token)
			q.Body = io.NopCloser(io.LimitReader(zeros{}, maxBody+1))
		}, 413},
	} {
		r.seen = nil
		req := request("POST", "/v1/stages/prod/purge", `{"path":"/a"}`)
		c.change(req)
		w := r.do(req)
		if w.Code != c.status || (len(r.seen) == 1) != (c.status == 200) {
			t.Errorf("%s: %d %s, seen %v", c.name, w.Code, w.Body.String(), r.seen)
		}
		if w.Code == 401 && w.Header().Get("Www-Authenticate") == "" || w.Code != 200 && w.Header().Get("x-amzn-ErrorType") == "" {
			t.Errorf("%s: %v", c.name, w.Header())
		}
		if len(r.seen) == 1 && !strings.HasPrefix(r.seen[0], `POST /v1/stages/prod/purge {"path":"/a"} operator `) {
			t.Errorf("%s: %q", c.name, r.seen[0])
		}
		if strings.Contains(w.Body.String()+r.log.String(), "secret-of") || strings.Contains(w.Body.String()+r.log.String(), "token-of") {
			t.Errorf("%s: a secret shows", c.name)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestBrowsersAreKeptOut(t *testing.T) {
	r := newRig(t, all)
	for _, c := range []struct {
		name, host string
		method     string
		header     []string
		status     int
	}{
		{"loopback", "127.0.0.1:9901", "GET", nil, 200},
		{"localhost", "LOCALHOST:9901", "GET", nil, 200},
		{"IPv6 loopback", "[::1]:9901", "GET", nil, 200},
		{"a name on the list", "cache.example.com", "GET", nil, 200},
		{"a name made to lead here", "attacker.example:9901", "GET", nil, 403},
		{"part of a name on the list", "example.com", "GET", nil, 403},
		{"another address", "198.51.100.1", "GET", nil, 403},
		{"no host", "", "GET", nil, 403},
		{"a page of another site", "localhost", "GET", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of a neighbour", "localhost", "GET", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"typed by a person", "localhost", "GET", []string{"Sec-Fetch-Site", "none"}, 200},
		{"a form of an old browser", "localhost", "PATCH", []string{"Origin", "https://attacker.example"}, 403},
		{"a preflight", "localhost", "OPTIONS", []string{"Origin", "http://localhost"}, 403},
	} {
		q := request(c.method, "/v1/stages/prod", "", append(c.header, "Authorization", token)...)
		q.Host = c.host
		w := r.do(q)
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body.String())
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: CORS", c.name)
		}
	}
}

func TestHealthIsOpen(t *testing.T) {
	r := newRig(t, all)
	for _, path := range []string{"/healthz", "/readyz"} {
		q := request("GET", path, "")
		q.Host = "10.0.0.7:9901"
		if w := r.do(q); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := r.do(request("POST", path, "")); w.Code != 401 {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

func TestMountsAskThemselves(t *testing.T) {
	r := newRig(t, `{"Statement":{"Effect":"Allow","Action":"apigateway:GET","Resource":"*"}}`)
	if w := r.do(request("GET", "/restapis/shop/stages", "", "Authorization", token)); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	// As API Gateway itself answers it.
	if w := r.do(request("GET", "/restapis/shop/stages", "")); w.Code != 403 || w.Header().Get("x-amzn-ErrorType") != "MissingAuthenticationTokenException" ||
		w.Body.String() != `{"message":"Missing Authentication Token"}`+"\n" {
		t.Errorf("without a credential: %d %s", w.Code, w.Body.String())
	}
	// A path that is not clean is not redirected: that would be a page in HTML.
	q := request("GET", "/restapis/", "", "Authorization", token)
	q.URL.Path = "/restapis//shop/../shop"
	if w := r.do(q); w.Code != 200 {
		t.Errorf("a path that is not clean: %d %s", w.Code, w.Body.String())
	}
	r = newRig(t, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	if w := r.do(request("GET", "/restapis/shop/stages", "", "Authorization", token)); w.Code != http.StatusTeapot {
		t.Errorf("denied: %d", w.Code)
	}
	if err := Authorize(request("GET", "/", ""), "a:b", "*"); err == nil {
		t.Error("what did not come through the door was authorized")
	}
	// The caller is told what he asked for, in AWS's words, and not why it was denied.
	r = newRig(t, `{"Statement":{"Sid":"Never","Effect":"Deny","Action":"*","Resource":"*"}}`)
	const want = "User: arn:aws:iam::123456789012:user/operator is not authorized to perform: apigateway:DELETE on resource: arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod/cache/data"
	if w := r.do(request("POST", "/v1/stages/prod/flush", "", "Authorization", token)); !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "Never") {
		t.Errorf("denied: %s", w.Body.String())
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	r := newRig(t, all)
	r.h.(*door).o.Inner = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })
	if w := r.do(request("GET", "/v1/stats", "", "Authorization", token)); w.Code != 500 || strings.Contains(w.Body.String(), "oh") {
		t.Errorf("%d %s", w.Code, w.Body.String())
	}
}
