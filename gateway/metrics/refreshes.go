package metrics

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Refreshes count what became of clients' demands that an entry be fetched anew, in one stage.
type Refreshes struct {
	Allowed   atomic.Uint64
	Anonymous atomic.Uint64 // no credential of ours came with it
	False     atomic.Uint64 // one came, and was not true
	Denied    atomic.Uint64 // one that is true, of a user without the permission
	Limited   atomic.Uint64 // more than a caller's rate
}

// refreshes are those of all stages. Its zero value is ready.
type refreshes struct {
	mu sync.Mutex
	of map[string]*Refreshes // guarded by mu
}

// Refreshes gives the counters of a stage; the same ones each time.
func (r *Recorder) Refreshes(stage string) *Refreshes {
	r.refreshes.mu.Lock()
	defer r.refreshes.mu.Unlock()
	if r.refreshes.of == nil {
		r.refreshes.of = make(map[string]*Refreshes)
	}
	c := r.refreshes.of[stage]
	if c == nil {
		c = &Refreshes{}
		r.refreshes.of[stage] = c
	}
	return c
}

var refreshesDesc = prometheus.NewDesc("stagecache_refreshes_total",
	"Clients' demands (Cache-Control: max-age=0 and the like) that an entry be fetched anew, by what became of them.", []string{"stage", "outcome"}, nil)

func (r *refreshes) collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for stage, c := range r.of {
		for _, o := range []struct {
			outcome string
			n       *atomic.Uint64
		}{{"allowed", &c.Allowed}, {"anonymous", &c.Anonymous}, {"false_credential", &c.False}, {"denied", &c.Denied}, {"rate_limited", &c.Limited}} {
			if n := o.n.Load(); n > 0 {
				out <- prometheus.MustNewConstMetric(refreshesDesc, prometheus.CounterValue, float64(n), stage, o.outcome)
			}
		}
	}
}
