package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// many sends n requests at once and gives their answers when all are there. header(i) is the i-th request's.
type many struct {
	wg      sync.WaitGroup
	answers []answer
	errs    []error
}

func (r *rig) many(n int, path string, header func(i int) []string) *many {
	m := &many{answers: make([]answer, n), errs: make([]error, n)}
	for i := range n {
		var h []string
		if header != nil {
			h = header(i)
		}
		m.wg.Go(func() { m.answers[i], m.errs[i] = r.try(context.Background(), "GET", path, "", h...) })
	}
	return m
}

func (m *many) wait(t *testing.T) []answer {
	t.Helper()
	m.wg.Wait()
	for _, err := range m.errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return m.answers
}

func TestOneFetchForAHundred(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		body := strings.Repeat("y", 300_000)
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			io.WriteString(w, body)
		})
		m := r.many(100, "/prod/x", nil)
		synctest.Wait()
		close(release)
		collapsed := 0
		for _, a := range m.wait(t) {
			r.want(a, 200, body, "stagecache; fwd=uri-miss; stored")
			if strings.HasSuffix(a.cache(), "; collapsed") {
				collapsed++
			}
		}
		if collapsed != 99 {
			t.Errorf("%d answers were collapsed, want 99", collapsed)
		}
		r.wantAsked(1)
		r.want(r.get("/prod/x"), 200, body, "stagecache; hit")
		r.wantStats(func(s *RequestStats) { s.Hits, s.Misses, s.Coalesced, s.BackendRequests = 1, 1, 99, 1 })
	})
}

func TestWaitersReadTheBodyAsItComes(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		next := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "6")
			for _, part := range []string{"one", "two"} {
				io.WriteString(w, part)
				w.(http.Flusher).Flush()
				<-next
			}
		})
		resps := make([]*http.Response, 3)
		for i := range resps {
			resp, err := r.client.Get("http://" + r.addr + "/prod/x")
			if err != nil {
				t.Fatal(err)
			}
			resps[i] = resp
			buf := make([]byte, 3)
			if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != "one" {
				t.Fatalf("reader %d got %q, %v before the rest was there", i, buf, err)
			}
		}
		next <- struct{}{}
		next <- struct{}{}
		for _, resp := range resps {
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "two" {
				t.Errorf("the rest is %q, %v", b, err)
			}
			resp.Body.Close()
		}
		r.wantAsked(1)
	})
}

// The last byte of an answer is released only when the answer is stored.
func TestWhoHasTheAnswerFindsAHit(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Query().Get("chunked") != "" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, strings.Repeat("z", 50))
	})
	for i := range 200 {
		path := fmt.Sprintf("/prod/%d?chunked=%s", i, []string{"", "1"}[i%2])
		r.get(path)
		if a := r.get(path); !strings.Contains(a.cache(), "hit") {
			t.Fatalf("%s: the second request is %q", path, a.cache())
		}
	}
}

func TestPrivateAnswersGoAlone(t *testing.T) {
	for _, private := range [][2]string{{"Cache-Control", "private"}, {"Set-Cookie", "s=1"}, {"Vary", "*"}} {
		t.Run(private[0], func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					time.Sleep(time.Second)
					w.Header().Set(private[0], private[1])
					io.WriteString(w, "for "+q.Header.Get("X-Who"))
				})
				ask := func(n int) time.Duration {
					begun := time.Now()
					for i, a := range r.many(n, "/prod/x", func(i int) []string { return []string{"X-Who", fmt.Sprint(i)} }).wait(t) {
						r.want(a, 200, fmt.Sprint("for ", i), "stagecache; fwd=uri-miss")
						if strings.Contains(a.cache(), "stored") || strings.Contains(a.cache(), "collapsed") {
							t.Errorf("Cache-Status is %q", a.cache())
						}
					}
					return time.Since(begun)
				}
				if took := ask(100); took > 2*time.Second {
					t.Errorf("100 private answers took %s: they waited for each other", took)
				}
				r.wantAsked(100)
				// For two minutes nobody waits.
				if took := ask(50); took > time.Second {
					t.Errorf("50 more took %s", took)
				}
				r.wantAsked(150)
				r.clock.Advance(markTime + time.Second)
				if took := ask(10); took != 2*time.Second {
					t.Errorf("after the mark 10 took %s, want one wait and one more round", took)
				}
			})
		})
	}
}

func TestTheFirstClientLeaves(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			io.WriteString(w, "still here")
		})
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := r.try(ctx, "GET", "/prod/x", "")
			gone <- err
		}()
		synctest.Wait()
		m := r.many(5, "/prod/x", nil)
		synctest.Wait()
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatalf("the first client got %v", err)
		}
		synctest.Wait()
		close(release)
		for _, a := range m.wait(t) {
			r.want(a, 200, "still here", "stagecache; fwd=uri-miss; stored; collapsed")
		}
		r.wantAsked(1)
		r.want(r.get("/prod/x"), 200, "still here", "stagecache; hit")
	})
}

func TestEverybodyLeavesAndTheAnswerIsStored(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) { <-release; io.WriteString(w, "late") })
		ctx, leave := context.WithCancel(t.Context())
		go r.try(ctx, "GET", "/prod/x", "")
		synctest.Wait()
		leave()
		synctest.Wait()
		close(release)
		synctest.Wait()
		r.want(r.get("/prod/x"), 200, "late", "stagecache; hit")
	})
}

func TestABackendThatHangs(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		var well atomic.Bool
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			if !well.Load() {
				<-q.Context().Done()
				return
			}
			io.WriteString(w, "well")
		})
		begun := time.Now()
		for _, a := range r.many(20, "/prod/x", nil).wait(t) {
			if a.status != 504 || a.body != `{"message":"Gateway timeout: the backend did not answer in time"}`+"\n" {
				t.Errorf("got %d %q", a.status, a.body)
			}
			if !strings.HasPrefix(a.cache(), "stagecache; fwd=uri-miss") || strings.Contains(a.cache(), "stored") {
				t.Errorf("Cache-Status is %q", a.cache())
			}
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %s, want the backend's timeout of 2s", took)
		}
		if a, _ := r.try(t.Context(), "POST", "/prod/x", ""); a.status != 504 {
			t.Errorf("a bypass got %d", a.status)
		}
		well.Store(true)
		r.want(r.get("/prod/x"), 200, "well", "stagecache; fwd=uri-miss; stored")
		r.wantAsked(3)
	})
}

func TestABackendThatStallsInTheBody(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "some")
			w.(http.Flusher).Flush()
			<-q.Context().Done()
		})
		for _, path := range []string{"/prod/x", "/prod/uncached"} {
			for _, a := range r.many(3, path, nil).wait(t) {
				if a.body != "some" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: got %q, %v; want a cut", path, a.body, a.err)
				}
			}
		}
		if a := r.get("/prod/x"); strings.Contains(a.cache(), "hit") {
			t.Error("a part was stored")
		}
	})
}

func TestACutBodyIsCutForAllAndStoredForNobody(t *testing.T) {
	for name, header := range map[string]string{"length": "Content-Length: 100\r\n\r\n", "chunks": "Transfer-Encoding: chunked\r\n\r\n64\r\n"} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				release := make(chan struct{})
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					c, buf, err := w.(http.Hijacker).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					buf.WriteString("HTTP/1.1 200 OK\r\n" + header + "half of it")
					buf.Flush()
					<-release
					c.Close()
				})
				m := r.many(10, "/prod/x", nil)
				synctest.Wait()
				close(release)
				for _, a := range m.wait(t) {
					if a.status != 200 || a.err == nil {
						t.Errorf("got %d %q and a clean end", a.status, a.body)
					}
				}
				r.wantAsked(1)
				r.backend.serve(fixed(200, "whole"))
				r.want(r.get("/prod/x"), 200, "whole", "stagecache; fwd=uri-miss; stored")
			})
		})
	}
}

// An HTTP/1 answer without length or chunks ends with its connection: nobody can tell the whole from a part.
func TestAnAnswerWithoutAnEndIsNotStored(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
		c, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		buf.WriteString("HTTP/1.1 200 OK\r\n\r\nuntil the end")
		buf.Flush()
		c.Close()
	})
	for range 2 {
		a := r.get("/prod/x")
		r.want(a, 200, "until the end", "stagecache; fwd=uri-miss")
		if strings.Contains(a.cache(), "stored") {
			t.Errorf("Cache-Status is %q", a.cache())
		}
	}
	r.wantAsked(2)
}

func TestBackendDown(t *testing.T) {
	r := newRig(t)
	r.get("/prod/stored")
	r.backend.Close()
	for _, path := range []string{"/prod/x", "/prod/x", "/prod/uncached"} {
		a := r.get(path)
		if a.status != 502 || a.body != `{"message":"Bad gateway: the backend cannot be reached"}`+"\n" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %q", path, a.status, a.body)
		}
	}
	if a := r.do("HEAD", "/prod/x"); a.status != 502 {
		t.Errorf("HEAD: got %d", a.status)
	}
	if a := r.get("/prod/stored"); a.status != 200 {
		t.Errorf("what is stored: got %d", a.status)
	}
}

func TestErrorsAreNeverStored(t *testing.T) {
	r := newRig(t)
	for _, status := range []int{400, 401, 403, 404, 405, 410, 429, 500, 502, 503, 504} {
		r.backend.serve(fixed(status, "no", "Cache-Control", "max-age=600"))
		path := fmt.Sprintf("/prod/%d", status)
		for range 2 {
			if a := r.get(path); a.status != status || strings.Contains(a.cache(), "hit") || strings.Contains(a.cache(), "stored") {
				t.Errorf("got %d, %q", a.status, a.cache())
			}
		}
		r.backend.serve(fixed(200, "yes"))
		r.want(r.get(path), 200, "yes", "stagecache; fwd=uri-miss; stored")
	}
}

func TestNegativeTTL(t *testing.T) {
	r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB, negative_ttl: 30s}"))
	r.backend.serve(fixed(404, "none"))
	r.want(r.get("/prod/x"), 404, "none", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x"), 404, "none", "stagecache; hit; ttl=30")
	r.clock.Advance(30 * time.Second)
	r.want(r.get("/prod/x"), 404, "none", "stagecache; fwd=uri-miss")
}

func TestAPanicInAFetch(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		s := r.g.state.Load().stages[0]
		s.marks.now = nil // a bug, in the fetch's own goroutine
		r.backend.serve(fixed(200, "x", "Cache-Control", "private"))
		for range 2 {
			if a := r.get("/prod/x"); a.status != 500 {
				t.Errorf("got %d %q", a.status, a.body)
			}
		}
		s.marks.now = r.g.now
		r.backend.serve(fixed(200, "well"))
		r.want(r.get("/prod/x"), 200, "well", "stagecache; fwd=uri-miss; stored")
	})
}

// TestAMissAllocatesItsBodyOnce: an answer of known length is stored in the buffer in which it comes, with nothing left over.
func TestAMissAllocatesItsBodyOnce(t *testing.T) {
	const size, misses = 900_000, 40
	r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB, ttl: 5s}")) // so short-lived stays in memory
	body := make([]byte, size)
	r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write(body)
	})
	get := func(i int) {
		resp := r.open("/prod/" + strconv.Itoa(i))
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil || !strings.Contains(resp.Header.Get("Cache-Status"), "stored") {
			t.Fatalf("%d bytes, %v, %q", n, err, resp.Header.Get("Cache-Status"))
		}
	}
	get(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range misses {
		get(i + 1)
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / misses; per > size*3/2 {
		t.Errorf("a miss of %d bytes allocates %d", size, per)
	}
}
