package metrics

import "github.com/prometheus/client_golang/prometheus"

var byMethod = []string{"stage", "route", "method"}

func requestDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("stagecache_"+name, help, byMethod, nil)
}

var (
	hitsDesc         = requestDesc("cache_hits_total", "CacheHitCount: requests answered from the cache, fresh or stale.")
	missesDesc       = requestDesc("cache_misses_total", "CacheMissCount: requests on methods with caching that the backend answered.")
	requestsDesc     = requestDesc("requests_total", "Count: all requests.")
	clientErrorsDesc = requestDesc("4xx_errors_total", "4XXError: requests that were answered with a status of 400 to 499.")
	serverErrorsDesc = requestDesc("5xx_errors_total", "5XXError: requests that were answered with a status of 500 to 599.")
	latencyDesc      = requestDesc("latency_seconds", "Latency: from a request's arrival until its answer is handed over.")
	integrationDesc  = requestDesc("integration_latency_seconds", "IntegrationLatency: from asking the backend until its answer begins.")
)

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{hitsDesc, missesDesc, requestsDesc, clientErrorsDesc, serverErrorsDesc, latencyDesc, integrationDesc, refreshesDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(out chan<- prometheus.Metric) {
	r.refreshes.collect(out)
	for _, res := range r.all() {
		for i := range res.methods {
			res.methods[i].collect(out, res.stage, res.route, verbs[i])
		}
	}
}

func (s *Series) collect(out chan<- prometheus.Metric, labels ...string) {
	count, seconds, buckets := s.latency.read()
	if count == 0 {
		return
	}
	counter := func(d *prometheus.Desc, v uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(requestsDesc, count)
	counter(hitsDesc, s.hits.Load())
	counter(missesDesc, s.misses.Load())
	counter(clientErrorsDesc, s.clientErrors.Load())
	counter(serverErrorsDesc, s.serverErrors.Load())
	out <- prometheus.MustNewConstHistogram(latencyDesc, count, seconds, buckets, labels...)
	if count, seconds, buckets = s.integration.read(); count > 0 {
		out <- prometheus.MustNewConstHistogram(integrationDesc, count, seconds, buckets, labels...)
	}
}
