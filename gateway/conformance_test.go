package gateway

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// step is one request of a scenario, and what the backend would say to it. Lists of headers are name, value, name, value; a
// value of "@" and a number of seconds is the date that lies so far from now.
type step struct {
	wait   time.Duration // before the request
	method string        // "": GET
	at     string        // the end of the path, for scenarios over several resources
	ask    []string      // the request's headers
	status int           // the backend's; 0: 200; -1: it closes the connection
	say    []string      // the backend's headers; it answers 304 by itself where the request has its Etag or Last-Modified
	body   string        // the backend's; "": the number of the step

	from string   // "backend", "store", "both" (from the store, and the backend is asked in the background)
	got  int      // the status; 0: the backend's, or 200 from the store
	text string   // the body; "": not looked at
	have []string // headers that the answer must have; a value of "-" must not be there
	sent []string // headers that the backend must be asked with; likewise
}

// book holds the behaviours of mode http. Each scenario's name is the rule that it is about.
type book map[string][]step

func (b book) add(rule string, steps ...step) {
	if b[rule] != nil {
		panic("twice: " + rule)
	}
	b[rule] = steps
}

// reused and notReused are the two commonest scenarios: an answer with these headers, and the same request again after a while.
func (b book) reused(rule string, say ...string) {
	b.add(rule, step{say: say, from: "backend"}, step{wait: 3 * time.Second, from: "store"})
}

func (b book) notReused(rule string, say ...string) {
	b.add(rule, step{say: say, from: "backend"}, step{wait: 3 * time.Second, from: "backend"})
}

func TestConformance(t *testing.T) {
	b := make(book)
	b.freshness()
	b.requests()
	b.validation()
	b.parts()
	b.variants()
	b.invalidation()
	bubbled(t, func(t *testing.T, r *rig) {
		for i, rule := range slices.Sorted(maps.Keys(b)) {
			r.play(rule, fmt.Sprintf("/prod/s%d", i), b[rule])
		}
	}, withStage("mode: http\ncache: {capacity: 64MB, memory: 48MB}"))
}

// play plays one scenario.
func (r *rig) play(rule, path string, steps []step) {
	r.t.Helper()
	for i, s := range steps {
		r.clock.Advance(s.wait)
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) { r.sayStep(w, q, s, i) })
		before := r.backend.count()
		method := s.method
		if method == "" {
			method = http.MethodGet
		}
		a := r.do(method, path+s.at, r.dated(s.ask)...)
		synctest.Wait()
		asked := r.backend.count() - before
		fail := func(format string, args ...any) {
			r.t.Helper()
			r.t.Errorf("%s: step %d: %s\nanswer %d %q %v", rule, i+1, fmt.Sprintf(format, args...), a.status, a.body, a.header)
		}
		fromStore := strings.Contains(a.cache(), "; hit") || strings.Contains(a.cache(), "stale-if-error")
		switch s.from {
		case "backend":
			if asked == 0 || fromStore {
				fail("it is from the store")
			}
		case "store":
			if asked != 0 && s.status == 0 || !fromStore {
				fail("the backend was asked %d times", asked)
			}
		case "both":
			if asked != 1 || !fromStore {
				fail("the backend was asked %d times, want the store and one refresh", asked)
			}
		}
		want := s.got
		if want == 0 && s.from == "backend" {
			want = max(s.status, 0)
		}
		if want == 0 {
			want = 200
		}
		if a.status != want {
			fail("want status %d", want)
		}
		if s.text != "" && a.body != s.text {
			fail("want body %q", s.text)
		}
		wantHeaders(a.header, r.dated(s.have), fail)
		if asked > 0 {
			wantHeaders(r.backend.last().Header, r.dated(s.sent), fail)
		}
	}
}

func wantHeaders(h http.Header, want []string, fail func(string, ...any)) {
	for i := 0; i < len(want); i += 2 {
		got, ok := h[http.CanonicalHeaderKey(want[i])]
		if want[i+1] == "-" && ok || want[i+1] != "-" && strings.Join(got, ", ") != want[i+1] {
			fail("%s is %q, want %q", want[i], got, want[i+1])
		}
	}
}

// dated puts dates in the place of what stands for them.
func (r *rig) dated(header []string) []string {
	out := slices.Clone(header)
	for i := 1; i < len(out); i += 2 {
		var seconds int
		if n, _ := fmt.Sscanf(out[i], "@%d", &seconds); n == 1 {
			out[i] = r.clock.Wall().Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
		}
	}
	return out
}

func (r *rig) sayStep(w http.ResponseWriter, q *http.Request, s step, i int) {
	if s.status == -1 {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h["Date"] = r.dated([]string{"", "@0"})[1:]
	own := false
	say := r.dated(s.say)
	for j := 0; j < len(say); j += 2 {
		if say[j] == "Date" && !own {
			own = true
			h.Del("Date")
		}
		h.Add(say[j], say[j+1])
	}
	status, body := s.status, s.body
	if status == 0 {
		status = 200
	}
	if tag := h.Get("Etag"); tag != "" && q.Header.Get("If-None-Match") == tag || h.Get("Last-Modified") != "" && q.Header.Get("If-Modified-Since") == h.Get("Last-Modified") && tag == "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if body == "" && status != 204 {
		body = fmt.Sprint("step ", i+1)
	}
	if status != 204 {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(status)
	if q.Method != http.MethodHead && status != 204 {
		io.WriteString(w, body)
	}
}
