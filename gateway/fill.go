package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// A fill is one answer of a backend on its way to everybody who waits for it. Its life:
//
//	waiting -> shared   the answer may be stored: whoever waits, or comes while it runs, reads it as it arrives;
//	                    it ends complete, or cut, or as a window (below)
//	        -> alone    it may not: the holder's client gets it, everybody else asks the backend for himself
//	        -> failed   there was no answer: everybody who waited gets the same error
//
// The fetch runs in a goroutine of its own (fetch.go), so that no client's leaving harms another's answer. Requests are
// readers of the fill, the one that holds the lease like the others.
//
// A shared answer is kept whole until it is complete and stored, and the end of it is released to readers only then: a
// client that has got its answer finds it in the store. An answer that turns out larger than may be stored becomes a
// window: nobody joins any more, and only the last part of it is held. The fetch waits for the fastest reader; a reader
// that falls out of the window gets the rest by itself (laggard.go), so one that stands still cannot stop the others. Where
// there is one reader, it is the fastest, and so is simply waited for.
type fill struct {
	begun time.Time // the backend is asked after that

	mu sync.Mutex // guards everything below

	wake  chan struct{} // closed and replaced whenever something below changes
	state fillState

	interim  []interim // what the backend said before its answer, for the holder
	head     *fillHead // shared, alone; what it points to does not change
	problem  *problem  // failed
	upstream *upstream // alone: for the holder, nil once taken

	body  []byte // shared: what has arrived, all of it; bytes once written never change, so readers use them unlocked
	value []byte // shared and complete: head and body as they were stored
	ring  *ring  // shared, once it is a window and the body has been let go
	end   int64  // how much of the body readers may have

	window bool // too large to be stored
	kept   bool // the store has taken it
	over   bool // nothing comes after end
	cut    bool // ... but that is not the whole answer

	holderGone bool // nobody will take upstream
	readers    map[*reader]struct{}

	budget   *budget
	reserved int  // of the budget
	settled  bool // the fetch is over: when the readers are too, nothing holds the body any more
}

type fillState uint8

const (
	fillWaiting fillState = iota
	fillShared
	fillAlone
	fillFailed
	fillElsewhere // there was nothing to fetch: look in the store again
)

// fillHead is what is known of an answer once its headers are there.
type fillHead struct {
	status int
	header http.Header
	length int64 // of the body; -1: not known
	// names are the request headers by which the answer varies, and variant the key of the one that the holder asked for;
	// a reader whose own is another must not have this answer.
	names   []string
	variant string
	// exclusive tells that the answer is stored, but not for another request without asking the backend again.
	exclusive bool
	backend   int // the backend's own status, where the answer is made of what was stored: 304 or 206
}

func newFill(holder bool) *fill {
	return &fill{begun: time.Now(), wake: make(chan struct{}), holderGone: !holder, readers: make(map[*reader]struct{})}
}

// changed wakes everybody who sleeps; mu is held.
func (f *fill) changed() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// sleep waits for the next change; mu is held before and after.
func (f *fill) sleep(ctx context.Context) error {
	wake := f.wake
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// The fetch's side.

// share publishes the head of an answer that may be stored.
func (f *fill) share(head *fillHead) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.head = fillShared, head
	f.changed()
}

// alone hands the answer to the holder. It reports false if nobody is there to take it; closing it is then the caller's.
func (f *fill) alone(head *fillHead, up *upstream) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.head = fillAlone, head
	taken := !f.holderGone
	if taken {
		f.upstream = up
	}
	f.changed()
	return taken
}

// fail ends a fill that never had an answer; one that had is cut.
func (f *fill) fail(p *problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == fillWaiting {
		f.state, f.problem = fillFailed, p
	}
	f.over, f.cut = true, true
	f.changed()
}

// giveUp ends a fill before there was a fetch: the store has got the entry meanwhile.
func (f *fill) giveUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.over, f.cut = fillElsewhere, true, true
	f.changed()
}

// reserve takes n more bytes of the budget for the body.
func (f *fill) reserve(b *budget, n int) bool {
	if !b.reserve(n) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.budget = b
	f.reserved += n
	return true
}

func (f *fill) reservedBytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reserved
}

// unreserve gives back all but n bytes.
func (f *fill) unreserve(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if more := f.reserved - n; more > 0 {
		f.budget.release(more)
		f.reserved = n
	}
}

// settle is the fetch's last word.
func (f *fill) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = true
	f.letGo()
}

// letGo gives the body's part of the budget back once neither the fetch nor a reader holds it; mu is held.
func (f *fill) letGo() {
	if f.settled && len(f.readers) == 0 && f.reserved > 0 {
		f.budget.release(f.reserved)
		f.reserved = 0
	}
}

// publish lets readers have the body up to end.
func (f *fill) publish(body []byte, end int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body = body
	if end > f.end {
		f.end = end
		f.changed()
	}
}

// complete ends the fill well. If it is not shared yet, head makes it so: an answer without a body is complete at once.
func (f *fill) complete(head *fillHead, value, body []byte, kept bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = kept
	f.state, f.head = fillShared, head
	f.value, f.body, f.end, f.over = value, body, int64(len(body)), true
	f.changed()
}

// The readers' side.

// reader is one request's place in a fill. Its fields are guarded by the fill's mu.
type reader struct {
	f      *fill
	holder bool
	pos    int64
	lagged bool
}

var (
	errCut    = errors.New("the answer was cut short")
	errLagged = errors.New("fell too far behind the other readers")
)

// join adds a reader. It reports false where this answer is not to be had any more.
func (f *fill) join(holder bool) (*reader, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window || f.cut || f.head != nil && f.head.exclusive || f.state == fillAlone || f.state == fillFailed || f.state == fillElsewhere {
		if !holder {
			return nil, false
		}
	}
	r := &reader{f: f, holder: holder}
	f.readers[r] = struct{}{}
	return r, true
}

// leave must be called for every reader; it lets go of what nobody else will use.
func (r *reader) leave() {
	f := r.f
	f.mu.Lock()
	delete(f.readers, r)
	var up *upstream
	if r.holder {
		f.holderGone = true
		up, f.upstream = f.upstream, nil
	}
	f.letGo()
	f.changed() // the fetch may be waiting for readers
	f.mu.Unlock()
	if up != nil {
		up.close()
	}
}

// answered waits until the fill has left its first state. early is given what the backend says before, if this reader is the
// holder: it is an answer to the holder's own request.
func (r *reader) answered(ctx context.Context, early func(interim)) (fillState, *fillHead, *problem, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if r.holder && len(f.interim) > 0 {
			said := f.interim
			f.interim = nil
			f.mu.Unlock() // it writes to a client
			for _, i := range said {
				early(i)
			}
			f.mu.Lock()
			continue
		}
		if f.state != fillWaiting {
			break
		}
		if err := f.sleep(ctx); err != nil {
			return f.state, nil, nil, err
		}
	}
	return f.state, f.head, f.problem, nil
}

// ended waits until nothing more comes of the fill, for as long as somebody would wait for an answer.
func (r *reader) ended(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.state == fillWaiting || f.state == fillShared && !f.over {
		if err := f.sleep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// take gives the holder the answer that is its alone, and anybody else nothing. Closing it is the holder's from now on.
func (r *reader) take() *upstream {
	if !r.holder {
		return nil // it may be the faster one to ask
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	up := r.f.upstream
	r.f.upstream = nil
	return up
}

// whole waits for the complete value. It is nil where there will be none that is kept whole: the answer became a window,
// and can still be read from its beginning.
func (r *reader) whole(ctx context.Context) ([]byte, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.cut:
			return nil, errCut
		case f.over || f.window:
			return f.value, nil
		}
		if err := f.sleep(ctx); err != nil {
			return nil, err
		}
	}
}

// endGrace is how long the head of an answer of unknown length waits for its end: most are here as a whole in no time, and then
// what is said of them is true.
const endGrace = 5 * time.Millisecond

// stored tells whether the answer is stored, as far as that can be known now: of one whose length is known, that it is going to be.
// Of one that turns out too large, was cut, or has no known end yet, it says no.
func (r *reader) stored(ctx context.Context) bool {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head.length < 0 {
		ctx, cancel := context.WithTimeout(ctx, endGrace)
		defer cancel()
		for !f.over && !f.window && f.sleep(ctx) == nil {
		}
	}
	if f.over {
		return f.kept
	}
	return f.head.length >= 0
}

// next gives the next part of the body: io.EOF after the last, errCut if there should have been more, errLagged if this
// reader was too slow for the others, and has to see to the rest itself. buf is where it is copied to if it cannot be lent. idle is called before next has to
// wait: the moment to flush.
func (r *reader) next(ctx context.Context, buf []byte, idle func()) ([]byte, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case r.lagged:
			return nil, errLagged
		case r.pos < f.end && f.ring != nil:
			n := f.ring.read(buf, r.pos, f.end)
			r.pos += int64(n)
			f.changed()
			return buf[:n], nil
		case r.pos < f.end:
			p := f.body[r.pos:min(f.end, r.pos+maxWrite)]
			r.pos += int64(len(p))
			if f.window {
				f.changed()
			}
			return p, nil
		case f.cut:
			return nil, errCut
		case f.over:
			return nil, io.EOF
		}
		if idle != nil {
			// Outside the lock: it writes to a client. What changed meanwhile is seen in the next round.
			f.mu.Unlock()
			idle()
			f.mu.Lock()
			idle = nil
			continue
		}
		if err := f.sleep(ctx); err != nil {
			return nil, err
		}
	}
}
