package gateway

import (
	"net/http"
	"time"
)

// response is the server's ResponseWriter with what the access log wants to know, and with a deadline for every write of
// a streamed answer. Only the request's own goroutine uses it.
type response struct {
	http.ResponseWriter
	status int   // 0: no answer has begun
	bytes  int64 // of the body

	// streaming makes each Write set its own deadline. A deadline for the whole answer would cut a large body on a slow
	// but honest line; none at all would let a client that reads nothing hold its request for ever.
	streaming bool
	perWrite  time.Duration
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	// 1xx are not the answer, except 101, after which there is no other.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin is called once, before an answer's header is sent.
func (w *response) begin(status int) {
	w.status = status
	// net/http would guess a Content-Type where the backend has left it out. What the bytes are is not the gateway's to say, and
	// a guess of HTML undoes the backend's nosniff.
	h := w.ResponseWriter.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil
	}
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if w.streaming {
		w.deadline()
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush is asked for by the reverse proxy, after each part of a streamed answer.
func (w *response) Flush() {
	if w.streaming {
		w.deadline()
	}
	// An error means that the client is gone, which the next Write tells as well.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *response) deadline() {
	// Not every ResponseWriter has deadlines (a recorder in a test has none): then there is nothing to guard.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.perWrite))
}

// stream lifts the server's deadline for the answer, which counts from the request's arrival and would punish a client for
// a slow backend, and sets one for each write instead.
func (w *response) stream() {
	if w.streaming {
		return
	}
	w.streaming = true
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Time{})
}

// maxWrite is the most that goes to a client under one deadline.
const maxWrite = 64 << 10

// writeAll writes a body that is held in memory.
func (w *response) writeAll(p []byte) error {
	if len(p) > maxWrite {
		w.stream()
	}
	for len(p) > maxWrite {
		if _, err := w.Write(p[:maxWrite]); err != nil {
			return err
		}
		p = p[maxWrite:]
	}
	if len(p) == 0 {
		return nil
	}
	_, err := w.Write(p)
	return err
}
