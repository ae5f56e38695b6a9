package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// counted gives the counters by method that have a value: "GET /a cache_hits" -> 2.
func counted(t testing.TB, g *Gateway) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(g.Metrics())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		name := strings.TrimSuffix(strings.TrimPrefix(f.GetName(), "stagecache_"), "_total")
		for _, m := range f.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			v := m.GetCounter().GetValue()
			if m.Histogram != nil {
				v = float64(m.Histogram.GetSampleCount())
			}
			if v > 0 {
				got[strings.Join([]string{labels["stage"], labels["method"], labels["route"], name}, " ")] = v
			}
		}
	}
	return got
}

func TestRequestsCountUnderTheTemplateOfTheirSettingsOrRoute(t *testing.T) {
	r := newRig(t, withMethods(`"GET /products/{id}": {ttl: 60s}`))
	r.backend.serve(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/broken") {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprint(w, "x")
	})
	// Straight to the handler: a client on a connection may have its answer before the request is counted.
	ask := func(method, path string) {
		w := httptest.NewRecorder()
		r.g.Handler().ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+path, nil))
	}
	ask("GET", "/prod/products/1")
	ask("GET", "/prod/products/1")
	ask("GET", "/prod/products/2")
	ask("HEAD", "/prod/products/1")
	ask("GET", "/prod/broken")
	ask("POST", "/prod/products/1")
	ask("PROPFIND", "/prod/anything")
	ask("GET", "/prod/uncached")
	ask("GET", "/elsewhere")
	ask("TRACE", "/prod/x")

	want := map[string]float64{
		"prod GET /products/{id} requests": 3, "prod GET /products/{id} latency_seconds": 3,
		"prod GET /products/{id} cache_hits": 1, "prod GET /products/{id} cache_misses": 2, "prod GET /products/{id} integration_latency_seconds": 2,
		"prod HEAD /products/{id} requests": 1, "prod HEAD /products/{id} latency_seconds": 1, "prod HEAD /products/{id} cache_hits": 1,
		"prod GET /{proxy+} requests": 1, "prod GET /{proxy+} latency_seconds": 1, "prod GET /{proxy+} cache_misses": 1,
		"prod GET /{proxy+} integration_latency_seconds": 1, "prod GET /{proxy+} 5xx_errors": 1,
		// An entry for GET says nothing about POST, so the route's template counts.
		"prod POST /{proxy+} requests": 1, "prod POST /{proxy+} latency_seconds": 1, "prod POST /{proxy+} integration_latency_seconds": 1,
		"prod OTHER /{proxy+} requests": 1, "prod OTHER /{proxy+} latency_seconds": 1, "prod OTHER /{proxy+} integration_latency_seconds": 1,
		"prod GET /uncached requests": 1, "prod GET /uncached latency_seconds": 1, "prod GET /uncached integration_latency_seconds": 1,
		// What no stage answers, and what is refused before a stage is looked for.
		" GET  requests": 1, " GET  latency_seconds": 1, " GET  4xx_errors": 1,
		" OTHER  requests": 1, " OTHER  latency_seconds": 1, " OTHER  4xx_errors": 1,
	}
	got := counted(t, r.g)
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%q is %v, want %v", k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%q is %v, want none", k, v)
		}
	}
	if err := r.g.Reload(r.config()); err != nil {
		t.Fatal(err)
	}
	ask("GET", "/prod/products/1")
	if now := counted(t, r.g)["prod GET /products/{id} requests"]; now != 4 {
		t.Errorf("after a reload and one more request the count is %v, want 4", now)
	}
}
