package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"stagecache/gateway/policy"
)

// clientBody is the body of a request with a deadline for each read, so that a client that sends nothing does not hold its
// request for ever. While the gateway waits for the client the backend is not being timed.
type clientBody struct {
	io.ReadCloser
	control *http.ResponseController
	perRead time.Duration
	pace    pace      // of the whole
	dog     *watchdog // may be nil

	from, to http.Header // trailers: what came, and what is forwarded of it; to is nil where none are

	mu  sync.Mutex // held while a Read waits
	err error      // guarded by mu: the first, but io.EOF
}

func (x *exchange) requestBody(dog *watchdog) *clientBody {
	return &clientBody{
		ReadCloser: x.r.Body,
		control:    http.NewResponseController(x.w.ResponseWriter),
		pace:       pace{limit: x.g.o.BodyTimeout},
		perRead:    x.g.o.BodyTimeout,
		dog:        dog,
	}
}

// trailers makes the announced trailers of a request be forwarded, with their values when they are there: those of which no
// backend makes a header that it or a cache relies on. What was not announced is dropped.
func (b *clientBody) trailers(announced http.Header) http.Header {
	for name := range announced {
		if policy.MayBeTrailer(name) {
			if b.to == nil {
				b.from, b.to = announced, make(http.Header)
			}
			b.to[name] = nil
		}
	}
	return b.to
}

func (b *clientBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dog != nil {
		b.dog.disarm()
		defer b.dog.arm()
	}
	// Not every connection has deadlines (a test's recorder has none): then there is nothing to guard.
	begun := time.Now()
	_ = b.control.SetReadDeadline(begun.Add(b.perRead))
	n, err := b.ReadCloser.Read(p)
	if b.pace.tooSlow(time.Since(begun), n) && err == nil {
		err = errTrickle
	}
	if err == io.EOF {
		for name := range b.to {
			b.to[name] = b.from[name]
		}
	}
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
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTrickle) {
		return errSlowBody
	}
	return errBadBody
}
