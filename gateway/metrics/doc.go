// Package metrics counts what becomes of requests, and shows it with the stores' figures to Prometheus.
//
// The data plane asks a Recorder for the Resource of each stage and route when a configuration is loaded. A request then
// takes the Series of its method out of it, an index into an array, and adds to atomic counters: no lookup by labels, no lock,
// no allocation.
//
//	rec := metrics.NewRecorder()
//	res := rec.Resource("prod", "/products/{id}") // at load
//	s := res.Method("GET")                        // per request
//	s.Hit()
//	s.Done(200, took)
//	h := metrics.Handler(rec, service, log)       // GET /metrics
//
// What the counters mean is API Gateway's, and so are the names in the HELP lines: CacheHitCount, CacheMissCount, Count,
// Latency, IntegrationLatency, 4XXError, 5XXError, by stage, route and method. Routes are templates of the configuration
// and methods one of eight, so clients cannot make series. A series appears with its first request, and stays
// until the process ends: a reload resets nothing.
package metrics
