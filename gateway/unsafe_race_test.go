package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// slowFirst is a backend whose first answer to a GET is made before, and arrives after, whatever the test does meanwhile. Its
// answers say which state they are of.
type slowFirst struct {
	release chan struct{}
	state   string
	vary    string
}

func newSlowFirst(r *rig) *slowFirst {
	b := &slowFirst{release: make(chan struct{}), state: "old"}
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPost {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, status := b.state+" answer", http.StatusOK
		h := w.Header()
		h.Set("Cache-Control", "max-age=600")
		if b.vary != "" {
			h.Set("Vary", b.vary)
		}
		if q.Header.Get("Range") != "" {
			h.Set("Content-Range", fmt.Sprintf("bytes 0-3/%d", len(body)))
			body, status = body[:4], http.StatusPartialContent
		}
		h.Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		w.(http.Flusher).Flush()
		if r.backend.count() == 1 {
			<-b.release
		}
		fmt.Fprint(w, body)
	})
	return b
}

// Whoever asks after a POST has succeeded must not be given an answer that was under way before it (RFC 9111 4.4), whichever
// requests his own waits together with.
func TestNobodyJoinsAFetchFromBeforeAPost(t *testing.T) {
	for name, ask := range map[string][]string{
		"plain": nil, "cookie": {"Cookie", "a=b"}, "range": {"Range", "bytes=0-3"}, "credentials": {"Authorization", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				b := newSlowFirst(r)
				var done sync.WaitGroup
				done.Go(func() { r.get("/prod/x", ask...) })
				synctest.Wait()
				if a := r.do("POST", "/prod/x"); a.status != http.StatusNoContent {
					t.Fatalf("POST: %d", a.status)
				}
				b.state = "new"
				var after answer
				done.Go(func() { after = r.get("/prod/x", ask...) })
				synctest.Wait()
				close(b.release)
				done.Wait()
				if !strings.HasPrefix(after.body, "new") {
					t.Errorf("after the POST: %q, %s", after.body, after.cache())
				}
			}, withStage(modeHTTP))
		})
	}
}

// A variant that was stored after a POST must not be replaced by one that was under way before it.
func TestASlowVariantIsNotStoredAfterAPost(t *testing.T) {
	for name, ask := range map[string][]string{"plain": {"Foo", "1"}, "cookie": {"Foo", "1", "Cookie", "a=b"}} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				b := newSlowFirst(r)
				b.vary = "Foo"
				var done sync.WaitGroup
				done.Go(func() { r.get("/prod/x", ask...) })
				synctest.Wait()
				r.do("POST", "/prod/x")
				b.state = "new"
				r.want(r.get("/prod/x", "Foo", "1"), 200, "new answer", "stagecache; fwd=uri-miss; stored")
				close(b.release)
				done.Wait()
				r.want(r.get("/prod/x", "Foo", "1"), 200, "new answer", "stagecache; hit")
			}, withStage(modeHTTP))
		})
	}
}
