package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"stagecache/gateway/control"
)

type source struct {
	list []control.Stats
	err  error
}

func (s source) AllStats(context.Context) ([]control.Stats, error) { return s.list, s.err }

func page(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// busy is a Recorder in which every kind of figure has a value.
func busy() *Recorder {
	rec := NewRecorder()
	s := rec.Resource("prod", "/products/{id}").Method("GET")
	s.Hit()
	s.Done(200, 80*time.Microsecond)
	s.Miss()
	s.Backend(30 * time.Millisecond)
	s.Done(404, 31*time.Millisecond)
	s.Backend(2 * time.Minute)
	s.Done(504, 2*time.Minute)
	rec.Resource("", "").Method("PROPFIND").Done(404, time.Microsecond)
	return rec
}

func TestPageHasEveryFigureWithItsLabels(t *testing.T) {
	body := page(t, Handler(busy(), source{list: []control.Stats{{Stage: "prod", Entries: 3, MemoryHits: 5, DiskHits: 2, BackendSecondsSaved: 1.5}}}, nil))
	const labels = `{method="GET",route="/products/{id}",stage="prod"}`
	for _, line := range []string{
		"stagecache_requests_total" + labels + " 3",
		"stagecache_cache_hits_total" + labels + " 1",
		"stagecache_cache_misses_total" + labels + " 1",
		"stagecache_4xx_errors_total" + labels + " 1",
		"stagecache_5xx_errors_total" + labels + " 1",
		"stagecache_latency_seconds_count" + labels + " 3",
		`stagecache_latency_seconds_bucket{method="GET",route="/products/{id}",stage="prod",le="5e-05"} 0`,
		`stagecache_latency_seconds_bucket{method="GET",route="/products/{id}",stage="prod",le="0.0001"} 1`,
		`stagecache_latency_seconds_bucket{method="GET",route="/products/{id}",stage="prod",le="30"} 2`,
		`stagecache_latency_seconds_bucket{method="GET",route="/products/{id}",stage="prod",le="+Inf"} 3`,
		"stagecache_latency_seconds_sum" + labels + " 120.03108",
		"stagecache_integration_latency_seconds_count" + labels + " 2",
		`stagecache_requests_total{method="OTHER",route="",stage=""} 1`,
		`stagecache_tier_hits_total{stage="prod",tier="memory"} 5`,
		`stagecache_tier_hits_total{stage="prod",tier="disk"} 2`,
		`stagecache_entries{stage="prod"} 3`,
		`stagecache_backend_saved_seconds_total{stage="prod"} 1.5`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("the page lacks %q", line)
		}
	}
	for _, name := range []string{"CacheHitCount", "CacheMissCount", "Count", "Latency", "IntegrationLatency", "4XXError", "5XXError"} {
		if !strings.Contains(body, " "+name+": ") {
			t.Errorf("no HELP line has API Gateway's name %s", name)
		}
	}
	if strings.Contains(body, `method="POST"`) {
		t.Error("a method that was never asked for has a series")
	}
}

func TestNamesFollowPrometheus(t *testing.T) {
	found, err := testutil.GatherAndLint(registry(busy(), source{list: []control.Stats{{Stage: "prod"}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if strings.HasPrefix(p.Metric, "stagecache_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestRequestsAreShownWhereStoresAreNot(t *testing.T) {
	body := page(t, Handler(busy(), source{err: errors.New("no store")}, nil))
	if !strings.Contains(body, "stagecache_requests_total{") || strings.Contains(body, "stagecache_entries") {
		t.Errorf("want the requests alone:\n%s", body)
	}
}

func TestNoLabelBreaksThePage(t *testing.T) {
	rec := NewRecorder()
	rec.Resource("a\xff", "/\"\\\n").Method("GET").Done(200, 0)
	if body := page(t, Handler(rec, source{}, nil)); !strings.Contains(body, `stagecache_requests_total{method="GET",route="/\"\\\n",stage="a?"} 1`) {
		t.Errorf("the series is not there:\n%s", body)
	}
}

func TestAResourceIsTheSameAfterAReload(t *testing.T) {
	rec := NewRecorder()
	first := rec.Resource("prod", "/a")
	if first != rec.Resource("prod", "/a") || first == rec.Resource("dev", "/a") {
		t.Error("a resource is made anew, or shared between stages")
	}
}

func TestAllocNoneForARequest(t *testing.T) {
	res := NewRecorder().Resource("prod", "/a")
	for _, verb := range []string{"GET", "PROPFIND"} {
		if n := testing.AllocsPerRun(100, func() {
			s := res.Method(verb)
			s.Hit()
			s.Backend(time.Second)
			s.Done(200, time.Millisecond)
		}); n != 0 {
			t.Errorf("%s: %v allocations", verb, n)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	res := NewRecorder().Resource("prod", "/a")
	for b.Loop() {
		s := res.Method("GET")
		s.Hit()
		s.Done(200, 80*time.Microsecond)
	}
}
