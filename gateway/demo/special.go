package demo

import (
	"net/http"
	"time"
)

const (
	// MaxSlow is the longest that /slow waits; without ?ms= it waits DefaultSlow.
	MaxSlow     = 10 * time.Second
	DefaultSlow = time.Second

	// LargeSize is how many bytes /large streams at least; it ends with the row that reaches it.
	LargeSize = 5_000_000
)

func (s *Shop) showHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answerPrivate(w, http.StatusOK, map[string]any{"status": "ok", "requests": s.Requests()})
}

// answerSlowly is what a request costs without a cache, made large enough to feel.
func (s *Shop) answerSlowly(w http.ResponseWriter, r *http.Request) {
	ms, err := number(r.URL.Query(), "ms", int(DefaultSlow.Milliseconds()), 0, int(MaxSlow.Milliseconds()))
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	if err := pause(r.Context(), time.Duration(ms)*time.Millisecond); err != nil {
		gaveUp(w, err)
		return
	}
	answer(w, r, map[string]any{"waited_ms": ms, "note": "this is what the backend takes; a cached answer is not waited for"},
		cacheable{modified: opened, maxAge: time.Minute, tags: []string{"slow"}})
}

func (s *Shop) answerError(w http.ResponseWriter, r *http.Request) {
	status, err := number(r.URL.Query(), "status", http.StatusServiceUnavailable, 400, 599)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	fail(w, status, "asked for")
}

// streamExport writes the price list over and over, a row at a time and without a Content-Length: nobody knows
// beforehand how long it will be. Where it cannot go on it aborts the handler, net/http's way to cut the connection: a
// plain return would end the answer as if it were whole.
func (s *Shop) streamExport(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Set("Last-Modified", opened.Format(http.TimeFormat))
	if r.Method == http.MethodHead {
		return
	}
	random := source(exportStream, 0)
	control := http.NewResponseController(w)
	for written, row := 0, 0; written < LargeSize; row++ {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
		p := &s.catalog.products[row%len(s.catalog.products)]
		line, err := encode(map[string]any{
			"row": row + 1, "product": p.summary, "stock": random.IntN(500), "material": p.Material,
		})
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		n, err := w.Write(line)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		written += n
		if row%500 == 499 {
			control.Flush() // a writer that cannot flush sends when it is full, which is as good
		}
	}
}
