package gateway

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stream sends n blocks of 32 KiB, telling progress, in chunks.
func stream(n int, sent func(block int)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
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

// Of several readers of a large body the fastest sets the pace; one that stands still is cut and does not hold the others up.
func TestAReaderThatLagsIsCut(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		const blocks = 200
		begin := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.(http.Flusher).Flush()
			<-begin
			stream(blocks, func(int) {})(w, q)
		})
		fast, slow := r.open("/prod/x"), r.open("/prod/x")
		r.wantAsked(1)
		close(begin)
		checkStream(t, fast.Body, blocks)
		if _, err := io.ReadAll(slow.Body); err == nil {
			t.Error("a reader that fell behind got a clean end")
		}
		synctest.Wait()
		r.wantBudgetBack()
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
