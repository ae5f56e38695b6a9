package gateway

import (
	"time"

	"stagecache/gateway/metrics"
)

// Metrics are the counters by stage, route and method, for a /metrics page.
func (g *Gateway) Metrics() *metrics.Recorder { return g.metrics }

// countUnder chooses the series that a request counts in: that of its settings' template, else of its route's. Both come
// from the file, so no client can make a new one.
func (x *exchange) countUnder() {
	res := x.m.count
	if res == nil {
		res = x.route.count
	}
	x.series = res.Method(x.r.Method)
}

// countHit counts an answer from the store.
func (x *exchange) countHit(stale bool) {
	c := &x.stage.counters
	c.hits.Add(1)
	x.series.Hit()
	x.result = "hit"
	if stale {
		c.stale.Add(1)
		x.result = "stale"
	}
}

// countMiss counts an answer that the backend was asked for.
func (x *exchange) countMiss() {
	x.stage.counters.misses.Add(1)
	x.series.Miss()
	x.result = "miss"
}

// countDone counts a request that is over, also one that no stage or no route answered.
func (x *exchange) countDone() {
	s := x.series
	switch {
	case s != nil:
	case x.stage != nil:
		s = x.g.metrics.Resource(x.stage.name, "").Method(x.r.Method)
	default:
		s = x.g.metrics.Resource("", "").Method(x.r.Method)
	}
	s.Done(x.w.status, time.Since(x.begun))
}
