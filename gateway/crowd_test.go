package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However many want the same, they get it from one request, or learn that there is none; nobody hangs, and none takes a part for the
// whole. The first of them, whose request made the gateway ask, leaves. With STAGECACHE_LONG=1 they are ten thousand; the race
// detector follows no more than 8128.
func TestACrowdOfWaiters(t *testing.T) {
	body := strings.Repeat("0123456789", 100)
	for name, c := range map[string]struct {
		backend http.HandlerFunc
		status  int // what everybody gets; 0: cut
		within  time.Duration
	}{
		"slow":  {func(w http.ResponseWriter, _ *http.Request) { time.Sleep(time.Second); io.WriteString(w, body) }, 200, time.Second},
		"dies":  {func(w http.ResponseWriter, _ *http.Request) { time.Sleep(time.Second); panic(http.ErrAbortHandler) }, 502, time.Second},
		"hangs": {func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, 504, 2 * time.Second},
		"dies late": {func(w http.ResponseWriter, q *http.Request) {
			begin(w, body)
			time.Sleep(time.Second)
			panic(http.ErrAbortHandler)
		}, 0, time.Second},
		"stalls": {func(w http.ResponseWriter, q *http.Request) { begin(w, body); <-q.Context().Done() }, 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				crowd := int32(1000)
				if os.Getenv("STAGECACHE_LONG") != "" {
					crowd = 10_000
				}
				r.backend.serve(c.backend)
				h := r.g.Handler()
				var good, cut atomic.Int32
				var wg sync.WaitGroup
				ask := func(ctx context.Context) {
					w := httptest.NewRecorder()
					defer func() {
						if p := recover(); p == http.ErrAbortHandler {
							cut.Add(1)
						} else if p != nil {
							panic(p)
						} else if w.Code == c.status && (c.status != 200 || w.Body.String() == body) {
							good.Add(1)
						}
					}()
					q := httptest.NewRequestWithContext(ctx, "GET", "/prod/x", nil)
					q.Host = r.addr
					h.ServeHTTP(w, q)
				}
				begun := time.Now()
				first, leave := context.WithCancel(t.Context())
				wg.Go(func() { ask(first) })
				synctest.Wait()
				for range crowd {
					wg.Go(func() { ask(t.Context()) })
				}
				synctest.Wait()
				leave()
				wg.Wait()
				if took := time.Since(begun); took > c.within+100*time.Millisecond {
					t.Errorf("the last was answered after %v", took)
				}
				want, wantCut := crowd, int32(1) // who left
				if c.status == 0 {
					want, wantCut = 0, crowd+1
				}
				if good.Load() != want || cut.Load() != wantCut {
					t.Errorf("%d got what they should, %d were cut; want %d and %d", good.Load(), cut.Load(), want, wantCut)
				}
				if name != "dies" { // which net/http may try again
					r.wantAsked(1)
				}
				r.wantBudgetBack()
			})
		})
	}
}

// begin sends all but the end.
func begin(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Length", "2000")
	io.WriteString(w, body)
	w.(http.Flusher).Flush()
}
