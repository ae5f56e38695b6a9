package gateway

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/engine"
)

// stream sends n blocks of 32 KiB, telling progress, in chunks.
func stream(n int, sent func(block int)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		block := []byte(strings.Repeat("0123456789abcdef", 2048))
		for i := range n {
			block[0] = byte(i)
			if _, err := w.Write(block); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			sent(i + 1)
		}
	}
}

func checkStream(t *testing.T, body io.Reader, n int) {
	t.Helper()
	buf := make([]byte, 32<<10)
	for i := range n {
		if _, err := io.ReadFull(body, buf); err != nil || buf[0] != byte(i) || string(buf[1:16]) != "123456789abcdef" {
			t.Fatalf("block %d: %q, %v", i, buf[:16], err)
		}
	}
	if rest, err := io.ReadAll(body); err != nil || len(rest) != 0 {
		t.Fatalf("behind the last block: %d bytes, %v", len(rest), err)
	}
}

func (r *rig) open(path string) *http.Response {
	r.t.Helper()
	resp, err := r.client.Get("http://" + r.addr + path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// A body past max_object goes through a window: with a client that does not read, the backend cannot send on.
func TestALargeBodyIsNotBuffered(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		const blocks = 1000
		sent := 0
		r.backend.serve(stream(blocks, func(n int) { sent = n }))
		resp := r.open("/prod/x")
		synctest.Wait() // the client reads nothing
		if sent*32<<10 > 2<<20+256<<10 {
			t.Errorf("%d blocks were taken from the backend for a client that reads nothing", sent)
		}
		checkStream(t, resp.Body, blocks)
		synctest.Wait()
		if a := r.get("/prod/x"); strings.Contains(a.cache(), "hit") {
			t.Error("a body past the limit was stored")
		}
		synctest.Wait()
		r.wantBudgetBack()
	})
}

func (r *rig) wantBudgetBack() {
	r.t.Helper()
	b := r.g.state.Load().stages[0].budget
	if free, total := b.free.Load(), b.total.Load(); free != total {
		r.t.Errorf("%d of %d bytes of the budget did not come back", total-free, total)
	}
}

func TestALargeBodyOfKnownLengthGoesAlone(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		body := strings.Repeat("w", 3_000_000)
		r.backend.serve(fixed(200, body, "Content-Length", "3000000"))
		for _, a := range r.many(5, "/prod/x", nil).wait(t) {
			r.want(a, 200, body, "stagecache; fwd=uri-miss")
			if strings.Contains(a.cache(), "stored") {
				t.Errorf("Cache-Status is %q", a.cache())
			}
		}
		r.wantAsked(5)
		synctest.Wait()
		r.wantBudgetBack()
	})
}

// Of several readers of a large body the fastest sets the pace. One that falls behind does not hold the others up, and gets the
// rest from the backend itself, if that still says the same.
func TestAReaderThatLags(t *testing.T) {
	for name, c := range map[string]struct {
		second http.HandlerFunc // what the backend answers to the second request
		whole  bool
	}{
		"the same":      {stream(200, func(int) {}), true},
		"a longer one":  {stream(300, func(int) {}), true},
		"a shorter one": {fixed(200, "short", "Content-Type", "application/octet-stream"), false},
		"another one":   {fixed(200, strings.Repeat("y", 7_000_000)), false},
		"an error":      {fixed(500, "no"), false},
		"nothing":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"another version": {func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Etag", `"2"`)
			stream(200, func(int) {})(w, q)
		}, false},
		"one that is cut": {func(w http.ResponseWriter, q *http.Request) {
			stream(150, func(int) {})(w, q)
			panic(http.ErrAbortHandler)
		}, false},
		"silent in midway": {func(w http.ResponseWriter, q *http.Request) { stream(150, func(int) {})(w, q); <-q.Context().Done() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				const blocks = 200
				begin := make(chan struct{})
				r.backend.serve(stream(blocks, func(n int) {
					if n == 1 {
						<-begin
					}
				}))
				fast, slow := r.open("/prod/x"), r.open("/prod/x")
				first := make([]byte, 32<<10)
				for _, resp := range []*http.Response{slow, fast} {
					if _, err := io.ReadFull(resp.Body, first); err != nil {
						t.Fatal(err)
					}
				}
				r.wantAsked(1)
				r.backend.serve(c.second)
				close(begin)
				checkStream(t, io.MultiReader(bytes.NewReader(first), fast.Body), blocks)
				b, err := io.ReadAll(io.MultiReader(bytes.NewReader(first), slow.Body))
				if !c.whole {
					if err == nil {
						t.Errorf("a reader that fell behind got %d bytes and a clean end", len(b))
					}
				} else if n := 200; err != nil || len(b) < n*32<<10 {
					t.Errorf("a reader that fell behind got %d bytes, %v", len(b), err)
				} else {
					checkStream(t, strings.NewReader(string(b)), len(b)/(32<<10))
				}
				if n := r.backend.count(); n != 2 && name != "nothing" { // which net/http tries again
					t.Errorf("the backend was asked %d times", n)
				}
				if got := slow.Header.Get("Cache-Status"); strings.Contains(got, "stored") {
					t.Errorf("Cache-Status is %q", got)
				}
				synctest.Wait()
				r.wantBudgetBack()
			})
		})
	}
}

// Many clients of a large body of unknown length, as fast as they come, all get it.
func TestManyReadersOfALargeBody(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		const blocks = 60
		r.backend.serve(stream(blocks, func(int) {}))
		for _, a := range r.many(30, "/prod/x", nil).wait(t) {
			if a.err != nil {
				t.Errorf("%d bytes, then %v", len(a.body), a.err)
				continue
			}
			checkStream(t, strings.NewReader(a.body), blocks)
			if strings.Contains(a.cache(), "stored") {
				t.Errorf("Cache-Status is %q, of a body that is too large", a.cache())
			}
		}
	})
}

// What is said of being stored is true, also where the length is not known when the answer begins.
func TestStoredIsTrue(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "x")
			switch q.URL.Path {
			case "/api/slow":
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			case "/api/cut":
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			case "/api/large":
				w.Write(make([]byte, 2_000_000))
			case "/api/purged":
				if _, err := r.g.Stores()["prod"].Purge(q.Context(), engine.Prefix("/purged"), engine.Hard); err != nil {
					t.Error(err)
				}
			}
		})
		for path, stored := range map[string]bool{"/prod/x": true, "/prod/slow": false, "/prod/cut": false, "/prod/large": false, "/prod/purged": false} {
			a, err := r.try(t.Context(), "GET", path, "")
			if err == nil && strings.Contains(a.cache(), "stored") != stored {
				t.Errorf("%s: Cache-Status is %q", path, a.cache())
			}
		}
		if a := r.get("/prod/slow"); !strings.HasPrefix(a.cache(), "stagecache; hit") {
			t.Errorf("what came slowly: %q", a.cache())
		}
	})
}

func TestNobodyReadsALargeBody(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		var err error
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
			for err == nil {
				_, err = w.Write(make([]byte, 64<<10))
			}
		})
		resp := r.open("/prod/x")
		synctest.Wait()
		resp.Body.Close()
		synctest.Wait()
		if err == nil {
			t.Error("the backend goes on sending to nobody")
		}
		r.wantBudgetBack()
	})
}

// Past the budget answers go through without being stored.
func TestBudget(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		b := r.g.state.Load().stages[0].budget
		total := b.total.Load()
		b.resize(10_000)
		for name, chunked := range map[string]bool{"/prod/length": false, "/prod/chunks": true} {
			body := strings.Repeat("v", 100_000)
			r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
				if chunked {
					w.(http.Flusher).Flush()
				}
				io.WriteString(w, body)
			})
			r.want(r.get(name), 200, body, "stagecache; fwd=uri-miss")
			if a := r.get(name); strings.Contains(a.cache(), "hit") {
				t.Errorf("%s: stored past the budget", name)
			}
		}
		synctest.Wait()
		r.wantBudgetBack()
		b.resize(total)
		r.want(r.get("/prod/chunks"), 200, strings.Repeat("v", 100_000), "stagecache; fwd=uri-miss; stored")
		synctest.Wait()
		r.wantBudgetBack()
	})
}

// Readers at random speeds get what was written, or are told that they do not.
func TestFillAtRandomSpeeds(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			f := newFill(true)
			want := make([]byte, 3<<20)
			for i := range want {
				want[i] = byte(i ^ i>>8 ^ i>>16)
			}
			const readers = 4
			results := make(chan error, readers)
			for i := range readers {
				rd, _ := f.join(i == 0)
				pause := rnd.IntN(3)
				own := rand.New(rand.NewPCG(seed, uint64(i)+2))
				go func() {
					defer rd.leave()
					results <- readAll(t, rd, want, func() {
						time.Sleep(time.Duration(own.IntN(pause+1)) * time.Millisecond)
					})
				}()
			}
			f.share(&fillHead{status: 200, length: -1})
			at := 1 << 20
			for n := 0; n < at; n += 100_000 {
				f.publish(want[:n], int64(n))
			}
			if !f.openWindow(t.Context(), want[:at], minWindow+int64(rnd.IntN(windowSize-minWindow))) {
				t.Error("nobody reads")
			}
			for at < len(want) {
				n := min(1+rnd.IntN(copyBuffer), len(want)-at)
				if !f.push(t.Context(), want[at:at+n]) {
					t.Error("nobody reads any more")
					break
				}
				at += n
			}
			f.finish(false)
			whole := 0
			for range readers {
				if err := <-results; err == nil {
					whole++
				} else if !errors.Is(err, errLagged) {
					t.Error(err)
				}
			}
			if whole == 0 {
				t.Error("the fastest reader was cut")
			}
		})
	}
}

func readAll(t *testing.T, rd *reader, want []byte, pause func()) error {
	buf := make([]byte, 1000)
	for at := 0; ; {
		p, err := rd.next(t.Context(), buf, nil)
		if err == io.EOF {
			if at != len(want) {
				t.Errorf("a clean end after %d of %d bytes", at, len(want))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if string(p) != string(want[at:at+len(p)]) {
			t.Errorf("wrong bytes at %d", at)
		}
		at += len(p)
		if pause != nil {
			pause()
		}
	}
}
