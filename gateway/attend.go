package gateway

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"strconv"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// What became of a reader.
type outcome int

const (
	attended     outcome = iota // the client has its answer
	goAlone                     // the answer is not for this request
	otherVariant                // ... because it is another variant; x.variant is the one that is wanted
	lookAgain                   // the store has got the entry
)

// attend waits for a fill and answers from it.
func (x *exchange) attend(r *reader, why string, stale *found) outcome {
	defer r.leave()
	ctx, cancel := context.WithTimeoutCause(x.r.Context(), x.backend.cfg.Timeout, errSilent)
	defer cancel()
	state, head, p, err := r.answered(ctx, x.sendInterim)
	if err != nil {
		if !errors.Is(err, errSilent) {
			x.gone()
		}
		state, p = fillFailed, errTimeout
	}
	switch state {
	case fillElsewhere:
		return lookAgain
	case fillFailed:
		if x.standsIn(stale, false) {
			x.serveError(stale, 0)
			return attended
		}
		x.countShared(r)
		x.decorate(x.w.Header(), policy.CacheStatus{Forward: why, Collapsed: !r.holder})
		x.fail(p)
		return attended
	case fillAlone:
		up := r.take()
		if isFailure(head.status) && x.standsIn(stale, true) {
			if up != nil {
				up.close()
			}
			x.serveError(stale, head.status)
			return attended
		}
		if up == nil {
			return goAlone
		}
		if head.status == http.StatusOK && x.verb == http.MethodGet && x.conditional() && !x.validates() {
			up.close() // it was asked for without the conditions; now that nobody shares it, they may be put
			return goAlone
		}
		x.countMiss()
		x.streamAlone(up, why)
		return attended
	}
	if head.exclusive && !r.holder {
		return goAlone
	}
	if !r.holder && len(head.names) > 0 {
		x.variant = policy.AppendVariantKey(x.variant[:0], x.key, head.names, x.variantHeader(head.names))
		if string(x.variant) != head.variant {
			x.target = x.variant
			return otherVariant
		}
	}
	return x.share(r, head, policy.CacheStatus{Forward: why, ForwardStatus: head.backend, Collapsed: !r.holder})
}

// isFailure tells the statuses for which a stale answer is the better one (RFC 5861 4).
func isFailure(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (x *exchange) countShared(r *reader) {
	if r.holder {
		x.countMiss()
	} else {
		x.stage.counters.coalesced.Add(1)
		x.result = "collapsed"
	}
}

// share answers from a fill that everybody may read.
func (x *exchange) share(r *reader, head *fillHead, cs policy.CacheStatus) outcome {
	ctx := x.r.Context()
	if x.conditional() && x.verb == http.MethodGet && head.status != http.StatusPartialContent {
		value, err := r.whole(ctx)
		if err == nil && value != nil {
			a, err := stored.Decode(value)
			if err != nil {
				panic(err) // it was encoded a moment ago
			}
			x.countShared(r)
			age := int64(-1)
			if a.InitialAge > 0 {
				age = a.InitialAge
			}
			cs.Stored = r.stored(ctx)
			x.serveStored(a, age, cs)
			return attended
		}
		if errors.Is(err, errCut) {
			x.countShared(r)
			x.fail(errCutAnswer)
			return attended
		}
		if err != nil {
			x.gone()
		}
	}
	start := func() {
		if x.w.status != 0 {
			return
		}
		x.countShared(r)
		h := x.w.Header()
		for name, values := range head.header {
			h[name] = values[:len(values):len(values)]
		}
		if head.length >= 0 {
			h["Content-Length"] = []string{strconv.FormatInt(head.length, 10)}
		}
		if cs.Stored = r.stored(ctx); !cs.Stored && head.length < 0 {
			cs.Detail = "length-unknown"
		}
		x.decorate(h, cs)
		x.w.WriteHeader(head.status)
	}
	flush := func() { start(); x.w.Flush() }
	buf := copyPool.Get()
	defer copyPool.Put(buf)
	var done int64
	var sent maphash.Hash
	for {
		p, err := r.next(ctx, buf, flush)
		switch {
		case err == nil:
			start()
			if head.length < 0 {
				done += int64(len(p))
				sent.Write(p)
			}
			x.send(p)
		case err == io.EOF:
			start()
			return attended
		case errors.Is(err, errLagged) && x.w.status == 0:
			return goAlone // nothing is sent yet, so nothing is lost
		case errors.Is(err, errLagged) && head.length < 0:
			r.leave()
			x.sendRest(head, done, &sent)
			return attended
		case errors.Is(err, errCut) && x.w.status == 0:
			x.countShared(r)
			x.fail(errCutAnswer)
			return attended
		default:
			x.cut()
		}
	}
}

// gone ends a request whose client has left.
func (x *exchange) gone() {
	x.result = "gone"
	panic(http.ErrAbortHandler)
}
