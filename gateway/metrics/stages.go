package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stagecache/gateway/control"
)

// Source gives the figures of every stage: control.Service has it.
type Source interface {
	AllStats(ctx context.Context) ([]control.Stats, error)
}

// collectTime bounds how long one page waits for the stores' figures, which come from memory.
const collectTime = 10 * time.Second

// stages shows each stage's figures, as cachectl stats does.
type stages struct{ source Source }

type stageFigure struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // beside the stage
	value  func(*control.Stats) float64
}

func counter(name, help string, value func(*control.Stats) uint64) stageFigure {
	return stageFigure{
		desc: prometheus.NewDesc("stagecache_"+name, help, []string{"stage"}, nil), kind: prometheus.CounterValue,
		value: func(s *control.Stats) float64 { return float64(value(s)) },
	}
}

func gauge(name, help string, value func(*control.Stats) int64) stageFigure {
	return stageFigure{
		desc: prometheus.NewDesc("stagecache_"+name, help, []string{"stage"}, nil), kind: prometheus.GaugeValue,
		value: func(s *control.Stats) float64 { return float64(value(s)) },
	}
}

var tierHitsDesc = prometheus.NewDesc("stagecache_tier_hits_total", "Entries found in the store, by the tier that had them.", []string{"stage", "tier"}, nil)

var figures = []stageFigure{
	counter("bypasses_total", "Requests to which caching did not apply.", func(s *control.Stats) uint64 { return s.Bypasses }),
	counter("coalesced_total", "Requests that shared the answer another one had asked for; neither hits nor misses.", func(s *control.Stats) uint64 { return s.Coalesced }),
	counter("stale_served_total", "Hits that were stale: during a refresh, or because the backend failed.", func(s *control.Stats) uint64 { return s.StaleServed }),
	counter("backend_requests_total", "Requests to backends, background refreshes included.", func(s *control.Stats) uint64 { return s.BackendRequests }),
	{
		desc: prometheus.NewDesc("stagecache_backend_saved_seconds_total", "Time the backend took for answers that were then served from the cache, once per hit.", []string{"stage"}, nil),
		kind: prometheus.CounterValue, value: func(s *control.Stats) float64 { return s.BackendSecondsSaved },
	},
	{desc: tierHitsDesc, kind: prometheus.CounterValue, labels: []string{"memory"}, value: func(s *control.Stats) float64 { return float64(s.MemoryHits) }},
	{desc: tierHitsDesc, kind: prometheus.CounterValue, labels: []string{"disk"}, value: func(s *control.Stats) float64 { return float64(s.DiskHits) }},
	counter("stores_total", "Entries stored.", func(s *control.Stats) uint64 { return s.Stores }),
	counter("evictions_total", "Entries given up for capacity before they expired.", func(s *control.Stats) uint64 { return s.Evictions }),
	counter("purges_total", "Purges by path, prefix, pattern or tag.", func(s *control.Stats) uint64 { return s.Purges }),
	counter("flushes_total", "Flushes of the whole stage.", func(s *control.Stats) uint64 { return s.Flushes }),
	counter("spill_dropped_total", "Entries whose disk copy was dropped: the queue was full, or the disk failed.", func(s *control.Stats) uint64 { return s.SpillDropped }),
	counter("quarantined_total", "Damaged segments and generations that were set aside.", func(s *control.Stats) uint64 { return s.Quarantined }),
	gauge("entries", "Entries on disk or on their way there.", func(s *control.Stats) int64 { return s.Entries }),
	gauge("capacity_bytes", "The stage's capacity on disk; 0 where its cache is off.", func(s *control.Stats) int64 { return s.CapacityBytes }),
	gauge("disk_bytes", "Disk space in use, as du counts it.", func(s *control.Stats) int64 { return s.DiskBytes }),
	gauge("logical_bytes", "Live entries before compression.", func(s *control.Stats) int64 { return s.LogicalBytes }),
	gauge("memory_bytes", "Memory of the store: its memory tier, index and queue.", func(s *control.Stats) int64 { return s.MemoryBytes }),
}

func (c stages) Describe(out chan<- *prometheus.Desc) {
	for _, f := range figures {
		out <- f.desc
	}
}

func (c stages) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTime)
	defer cancel()
	list, err := c.source.AllStats(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(figures[0].desc, err)
		return
	}
	for i := range list {
		for _, f := range figures {
			labels := append([]string{list[i].Stage}, f.labels...)
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&list[i]), labels...)
		}
	}
}
