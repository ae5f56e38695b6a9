package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultProducts is how many products a shop has unless Options say otherwise.
	DefaultProducts = 3000
	// MaxProducts is the most it can have.
	MaxProducts = 100_000

	// DefaultMinLatency and DefaultMaxLatency are what a demonstration should use: a backend that is neither
	// suspiciously fast nor a nuisance to wait for.
	DefaultMinLatency = 20 * time.Millisecond
	DefaultMaxLatency = 80 * time.Millisecond

	// MinAnswer and MaxAnswer bound the length in bytes of every successful answer from the catalogue.
	MinAnswer = 500
	MaxAnswer = 30_000

	// maxPaths bounds what is counted path by path, so that a scanner cannot fill the memory with paths.
	maxPaths = 20_000
)

// Options of a shop. The zero value is a shop of the usual size that answers at once.
type Options struct {
	Products   int           // how many; 0: DefaultProducts, at most MaxProducts
	MinLatency time.Duration // each answer waits between MinLatency and MaxLatency; both 0: no wait
	MaxLatency time.Duration // below MinLatency: every answer waits MinLatency
}

// Shop is the API. It is an http.Handler, safe for concurrent use.
type Shop struct {
	options Options
	catalog *catalog
	mux     *http.ServeMux

	requests atomic.Int64
	orders   atomic.Int64

	mu    sync.Mutex
	paths map[string]int64 // guarded by mu; at most maxPaths entries
}

// New generates the catalogue, which takes a fraction of a second.
func New(o Options) *Shop {
	if o.Products <= 0 {
		o.Products = DefaultProducts
	}
	o.Products = min(o.Products, MaxProducts)
	o.MaxLatency = max(o.MinLatency, o.MaxLatency)
	s := &Shop{options: o, catalog: newCatalog(o.Products), mux: http.NewServeMux(), paths: make(map[string]int64)}
	s.route()
	return s
}

// Requests tells how many requests the shop has had, whatever it answered.
func (s *Shop) Requests() int64 { return s.requests.Load() }

// RequestsTo tells how many of them were for that path, query not included: RequestsTo("/products/42").
func (s *Shop) RequestsTo(path string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[path]
}

// ServeHTTP answers one request.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count(r.URL.Path)
	s.mux.ServeHTTP(w, r)
}

func (s *Shop) count(path string) {
	s.requests.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.paths[path]; known || len(s.paths) < maxPaths {
		s.paths[path]++
	}
}

// An endpoint is one line of the API.
type endpoint struct {
	method, path string
	about        string
	prompt       bool // answers without the shop's latency
	handle       http.HandlerFunc
}

func (s *Shop) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/products", "a page of products; ?category=, ?page=, ?per_page=", false, s.listProducts},
		{"GET", "/products/{id}", "one product", false, s.showProduct},
		{"GET", "/products/{id}/reviews", "its reviews", false, s.showReviews},
		{"GET", "/categories", "all categories, in the client's language", false, s.listCategories},
		{"GET", "/categories/{slug}/products", "a page of one category", false, s.listCategory},
		{"GET", "/search", "a page of the products that match every word of ?q=", false, s.search},
		{"GET", "/cart", "one visitor's cart: private, sets a cookie", false, s.showCart},
		{"POST", "/orders", `takes {"items":[{"product_id":42,"quantity":1}]}`, false, s.placeOrder},
		{"GET", "/health", "no-store", true, s.showHealth},
		{"GET", "/slow", "answers after ?ms= milliseconds", true, s.answerSlowly},
		{"GET", "/large", "streams 5 MB", false, s.streamExport},
		{"GET", "/error", "answers with ?status=", false, s.answerError},
	}
}

func (s *Shop) route() {
	list := s.endpoints()
	allowed := make(map[string][]string)
	for _, e := range list {
		handle := e.handle
		if !e.prompt {
			handle = s.delayed(handle)
		}
		s.mux.HandleFunc(e.method+" "+e.path, handle)
		allowed[e.path] = append(allowed[e.path], e.method)
		if e.method == http.MethodGet {
			allowed[e.path] = append(allowed[e.path], http.MethodHead)
		}
	}
	// A path without a method catches the methods that the more specific patterns above have left.
	for path, methods := range allowed {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			fail(w, http.StatusMethodNotAllowed, "%s is not allowed on %s; allowed: %s", r.Method, r.URL.Path, allow)
		})
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.index(w, r, list) })
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is nothing at %s; GET / lists what there is", r.URL.Path)
	})
}

func (s *Shop) index(w http.ResponseWriter, r *http.Request, list []endpoint) {
	type line struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		About  string `json:"about"`
	}
	out := struct {
		Shop      string `json:"shop"`
		Products  int    `json:"products"`
		Endpoints []line `json:"endpoints"`
	}{"stagecache demo shop", len(s.catalog.products), nil}
	for _, e := range list {
		out.Endpoints = append(out.Endpoints, line{e.method, e.path, e.about})
	}
	answer(w, r, out, cacheable{modified: opened, maxAge: time.Hour, tags: []string{"index"}})
}

// delayed lets a request wait as it would at a real backend, and gives up when the client does.
func (s *Shop) delayed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wait := s.options.MinLatency
		if spread := s.options.MaxLatency - s.options.MinLatency; spread > 0 {
			wait += rand.N(spread + 1)
		}
		if err := pause(r.Context(), wait); err != nil {
			gaveUp(w, err)
			return
		}
		next(w, r)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waited less than %v: %w", d, context.Cause(ctx))
	}
}
