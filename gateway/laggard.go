package gateway

import (
	"context"
	"hash/maphash"
	"io"
	"net/http"
	"time"
)

// A reader of a shared answer that falls out of the window (fill.go) has sent its client a part, and cannot have the rest from
// there. It asks the backend again, for itself alone, passes over as many bytes as it has sent, and goes on from there if they
// were the same ones. So the client has a whole answer of the backend's, whatever became of the resource meanwhile; where the
// beginning is another now, it is cut.

// sameAnswer tells whether a second answer may be gone on with under the head of the first.
func sameAnswer(head *fillHead, resp *http.Response) bool {
	if resp.StatusCode != head.status {
		return false
	}
	for _, name := range [...]string{"Content-Type", "Content-Encoding", "Content-Language", "Etag", "Last-Modified"} {
		if resp.Header.Get(name) != head.header.Get(name) {
			return false
		}
	}
	return true
}

// sendRest finishes an answer of which the client has so many bytes, of which sent is the sum. It panics if it cannot.
func (x *exchange) sendRest(head *fillHead, done int64, sent *maphash.Hash) {
	x.stage.counters.backend.Add(1)
	asked := time.Now()
	up, p := x.backend.ask(x.r.Context(), x.outRequest(x.outHeader(true)))
	x.series.Backend(time.Since(asked))
	if p != nil {
		x.g.backendFailed(x.stage, x.backend, p)
		x.cut()
	}
	defer up.close()
	// The context of the request ends the fetch with it; a fetch that is not read to its end must not outlive it either.
	defer context.AfterFunc(x.r.Context(), func() { up.cancel(errUnread) })()
	if !sameAnswer(head, up.resp) {
		x.cut()
	}
	var again maphash.Hash
	again.SetSeed(sent.Seed())
	if n, err := io.Copy(&again, io.LimitReader(up.resp.Body, done)); err != nil || n != done || again.Sum64() != sent.Sum64() {
		x.cut()
	}
	buf := copyPool.Get()
	defer copyPool.Put(buf)
	for {
		n, err := up.resp.Body.Read(buf)
		if n > 0 {
			x.send(buf[:n])
			x.w.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			x.cut()
		}
	}
}

// cut ends an answer that cannot be finished, so that its client does not take the part for the whole.
func (x *exchange) cut() {
	x.result = "cut"
	panic(http.ErrAbortHandler)
}
