package fuzz

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stagecache/gateway/apigw"
	"stagecache/gateway/config"
)

// apigwStages is a configuration that takes every change and remembers how many there were.
type apigwStages struct {
	cfg     *config.Config
	changes int
}

func (s *apigwStages) Config() *config.Config              { return s.cfg }
func (s *apigwStages) File() *config.Config                { return s.cfg }
func (s *apigwStages) Overridden(string, string) bool      { return true }
func (s *apigwStages) Flush(context.Context, string) error { s.changes++; return nil }
func (s *apigwStages) Change(_ context.Context, _ string, c apigw.Change) error {
	for entry, v := range c.Entries {
		if verb, path, ok := strings.Cut(entry, " "); entry != "*" && (!ok || verb == "" || !strings.HasPrefix(path, "/")) {
			panic("the gateway is told of the entry " + entry)
		}
		if v != nil && (v.TTL < 0 || v.TTL > s.cfg.Stages[0].Cache.MaxTTL || v.Strategy == "") {
			panic("the gateway is told of values that it cannot have")
		}
	}
	s.changes++
	return nil
}

// FuzzAPIGateway sends anything to the control plane. Whatever it is: the answer is JSON or empty, an error has its type, and what
// is refused changes nothing.
func FuzzAPIGateway(f *testing.F) {
	const file = `
encryption: {key_env: UNUSED}
api: {id: shop}
backends: {shop: {url: "http://127.0.0.1:9000"}}
stages:
  prod:
    methods: {"GET /a/{id}": {ttl: 60s}}
    routes: [{path: "/{proxy+}", backend: shop}]
`
	cfg, err := config.Parse("stagecache.yaml", []byte(file), config.Options{SkipFiles: true})
	if err != nil {
		f.Fatal(err)
	}
	const stage = "/restapis/shop/stages/prod"
	for _, seed := range []struct{ method, target, body string }{
		{"GET", "/restapis?limit=1&position=x", ""},
		{"GET", "/restapis/shop/resources?embed=methods", ""},
		{"DELETE", stage + "/cache/data", ""},
		{"PUT", "/tags/arn%3Aaws%3Aapigateway%3Ax%3A%3A%2Frestapis%2Fshop", `{"tags":{"a":"b"}}`},
		{"PATCH", stage, `{"patchOperations":[{"op":"replace","path":"/*/*/caching/ttlInSeconds","value":"60"}]}`},
		{"PATCH", stage, `{"patchOperations":[{"op":"replace","path":"/~1a~1{id}/GET/throttling/rateLimit","value":"1e3"}]}`},
		{"PATCH", stage, `{"patchOperations":[{"op":"remove","path":"//a/{x}/GET"},{"op":"add","path":"/variables/a~1b","value":"c"}]}`},
		{"PATCH", stage, `{"patchOperations":[{"op":"copy","path":"/deploymentId","from":"/canarySettings/deploymentId"}]}`},
	} {
		f.Add(seed.method, seed.target, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return // net/http lets no such request through
		}
		s := &apigwStages{cfg: cfg}
		h, err := apigw.New(apigw.Options{Stages: s})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is not JSON: %q", w.Body)
		}
		if w.Code >= 400 && (w.Header().Get("x-amzn-ErrorType") == "" || s.changes > 0) {
			t.Fatalf("%d with type %q and %d changes", w.Code, w.Header().Get("x-amzn-ErrorType"), s.changes)
		}
	})
}

// apigwNotes are notes of any content.
type apigwNotes struct{ b []byte }

func (n *apigwNotes) Load() ([]byte, error)     { return n.b, nil }
func (n *apigwNotes) Save(b []byte) error       { n.b = b; return nil }
func (n *apigwNotes) SetAside() (string, error) { n.b = nil; return "", nil }

// FuzzAPIGatewayNotes begins a control plane with notes of any content: it refuses them, or shows and changes a stage with them.
func FuzzAPIGatewayNotes(f *testing.F) {
	cfg, err := config.Parse("stagecache.yaml", []byte("encryption: {key_env: UNUSED}\napi: {id: shop}\nbackends: {shop: {url: \"http://127.0.0.1:9000\"}}\n"+
		"stages: {prod: {methods: {\"GET /a/{id}\": {ttl: 60s}}, routes: [{path: \"/{proxy+}\", backend: shop}]}}\n"), config.Options{SkipFiles: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "{", `{"version":2}`, `{"version":1,"stages":{"prod":null}}`, `{"version":1,"stages":{"prod":{"entries":{"*":null}}}}`,
		`{"version":1,"api":{"tags":{"a":"b"}},"stages":{"prod":{"updated":"2026-01-02T03:04:05Z","tags":null,"variables":{"a":"b"},"accessLog":{},` +
			`"entries":{"GET /a/{}":{"keys":["a/{id}/GET",""],"burst":-1,"rate":1e300,"logging":"x"}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := apigw.New(apigw.Options{Stages: &apigwStages{cfg: cfg}, Notes: &apigwNotes{b: b}})
		if err != nil {
			return
		}
		for _, r := range []*http.Request{
			httptest.NewRequest("GET", "/restapis/shop/stages/prod", nil), httptest.NewRequest("GET", "/restapis/shop", nil),
			httptest.NewRequest("PATCH", "/restapis/shop/stages/prod", strings.NewReader(`{"patchOperations":[{"op":"replace","path":"/a/{x}/GET/logging/dataTrace","value":"true"},{"op":"remove","path":"/variables/a"}]}`)),
			httptest.NewRequest("DELETE", "/tags/arn:aws:apigateway:x::/restapis/shop/stages/prod?tagKeys=a", nil),
		} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code >= 300 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
			}
		}
	})
}
