package metrics

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// verbs are the methods that have series of their own; the last stands for all others.
var verbs = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}

const otherVerb = len(verbs) - 1

// Recorder holds the series of one gateway.
type Recorder struct {
	mu        sync.Mutex
	resources map[place]*Resource // guarded by mu

	refreshes refreshes
}

type place struct{ stage, route string }

// NewRecorder makes an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{resources: make(map[place]*Resource)} }

// Resource gives what counts for one stage and one route template; the same one each time. Names that are empty are for
// requests that no stage, or no route, answers.
func (r *Recorder) Resource(stage, route string) *Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{stage, route}
	res := r.resources[p]
	if res == nil {
		// Prometheus refuses a label that is not UTF-8, and with it the whole page.
		res = &Resource{stage: strings.ToValidUTF8(stage, "?"), route: strings.ToValidUTF8(route, "?")}
		r.resources[p] = res
	}
	return res
}

func (r *Recorder) all() []*Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Resource, 0, len(r.resources))
	for _, res := range r.resources {
		all = append(all, res)
	}
	return all
}

// Resource has a Series for each method.
type Resource struct {
	stage, route string
	methods      [len(verbs)]Series
}

// Method gives the series of a request's method.
func (r *Resource) Method(verb string) *Series {
	for i, v := range verbs[:otherVerb] {
		if v == verb {
			return &r.methods[i]
		}
	}
	return &r.methods[otherVerb]
}

// Series counts the requests of one stage, route and method. All of it may be used by any goroutine.
type Series struct {
	hits, misses               atomic.Uint64
	clientErrors, serverErrors atomic.Uint64
	latency, integration       histogram
}

// Hit counts a request that was answered from the cache, fresh or stale.
func (s *Series) Hit() { s.hits.Add(1) }

// Miss counts a request on a method with caching that the backend answered.
func (s *Series) Miss() { s.misses.Add(1) }

// Backend adds how long the backend took to begin its answer, or to fail.
func (s *Series) Backend(took time.Duration) { s.integration.observe(took) }

// Done counts a request that is over: the status that its client got (0: the client left before there was one), and how
// long it was in the gateway.
func (s *Series) Done(status int, took time.Duration) {
	switch {
	case status >= 500:
		s.serverErrors.Add(1)
	case status >= 400:
		s.clientErrors.Add(1)
	}
	s.latency.observe(took)
}

// bounds of the histograms' buckets. A hit takes tens of microseconds, a backend up to its timeout of 29 s.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// histogram counts durations by size. The library's own keeps two copies and a spin lock to be read at one instant; this one
// needs two additions, and a page that is read while requests run may hold a duration whose sum it does not have yet.
type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	nanos   atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.nanos.Add(int64(d))
}

// read gives the histogram as Prometheus wants it: every bucket holds those before it too, and is named by its bound in seconds.
func (h *histogram) read() (count uint64, seconds float64, buckets map[float64]uint64) {
	seconds = time.Duration(h.nanos.Load()).Seconds()
	buckets = make(map[float64]uint64, len(bounds))
	for i, b := range bounds {
		count += h.buckets[i].Load()
		buckets[b.Seconds()] = count
	}
	return count + h.buckets[len(bounds)].Load(), seconds, buckets
}
