package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// clientBody is the body of a request with a deadline for each read, so that a client that sends nothing does not hold its
// request for ever. While the gateway waits for the client the backend is not being timed.
type clientBody struct {
	io.ReadCloser
	control *http.ResponseController
	perRead time.Duration
	dog     *watchdog // may be nil

	mu  sync.Mutex // held while a Read waits
	err error      // guarded by mu: the first, but io.EOF
}

func (x *exchange) requestBody(dog *watchdog) *clientBody {
	return &clientBody{
		ReadCloser: x.r.Body,
		control:    http.NewResponseController(x.w.ResponseWriter),
		perRead:    x.g.o.BodyTimeout,
		dog:        dog,
	}
}

func (b *clientBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dog != nil {
		b.dog.disarm()
		defer b.dog.arm()
	}
	// Not every connection has deadlines (a test's recorder has none): then there is nothing to guard.
	_ = b.control.SetReadDeadline(time.Now().Add(b.perRead))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// The server goes on reading the connection, to see the client leave; it must not take this deadline for that.
		_ = b.control.SetReadDeadline(time.Time{})
		if err != io.EOF && b.err == nil {
			b.err = err
		}
	}
	return n, err
}

// problem is what was wrong with the body, or nil. The server ends a request's context before it tells the reader of its body
// why, so a Read that is under way is waited for: its error is there, or it is about to be cut by its deadline.
func (b *clientBody) problem() *problem {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return nil
	}
	return problemOfBody(b.err)
}

// problemOfBody names what was wrong with a client's body.
func problemOfBody(err error) *problem {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlowBody
	}
	return errBadBody
}
