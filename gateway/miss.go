package gateway

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// answer answers a request that the cache applies to.
func (x *exchange) answer() {
	f, why := x.lookup()
	if f != nil && x.auth && !f.answer.Terms.ForCredentials {
		f = nil // somebody else's credentials, or none, got that answer: it is not for these
	}
	if f != nil {
		use := x.reuse(f)
		if use == policy.Validate && policy.Demands(x.want) && !x.mayDemand() {
			x.dropDemands() // it asked too often, and gets what is there
			use = x.reuse(f)
		}
		switch use {
		case policy.Refresh:
			x.refresh()
			fallthrough
		case policy.Serve, policy.ServeStale:
			x.hit(f)
			x.plain = use == policy.Serve
			return
		}
		why = insufficient(f)
	}
	if x.want.OnlyIfCached {
		x.stage.counters.misses.Add(1)
		x.decorate(x.w.Header(), policy.CacheStatus{Forward: why})
		x.fail(errOnlyCached)
		return
	}
	if x.auth {
		why = policy.ForwardRequest
	}
	if x.want.NoStore || policy.Oversized(x.header) {
		// Its answer must not be stored (RFC 9111 5.2.1.5), or may well be an error that is this client's doing: nobody need wait.
		x.forward(why, f)
		return
	}
	if x.head {
		x.forward(why, f) // an answer to HEAD has no body to store, and GETs must not wait for it
		return
	}
	if why == policy.ForwardURIMiss && x.partly() {
		return
	}
	x.miss(why, f)
}

// insufficient says why an entry that is there does not answer a request.
func insufficient(f *found) string {
	if f.entry.Stale {
		return policy.ForwardStale
	}
	return policy.ForwardRequest
}

// The classes of requests for one resource that do not wait for each other: the answer to one with cookies or credentials is
// usually not for the others, and if they waited for it they would all have to go alone after all. Each class has leases of
// its own; what may be stored is stored under the resource's key. No key of policy begins with a zero byte.
const (
	classCookie = "\x00cookie"
	classAuth   = "\x00auth"
	classAlone  = "\x00alone"
)

var aloneCount atomic.Uint64

// classKey is what requests of this one's class for the same entry have in common.
func (x *exchange) classKey() []byte {
	switch {
	case x.auth:
		return append([]byte(classAuth), x.target...)
	case x.cookies:
		return append([]byte(classCookie), x.target...)
	}
	return slices.Clone(x.target)
}

// miss gets the answer from the backend, together with everybody who wants the same. stale, which may be nil, is for the case
// that the backend fails.
func (x *exchange) miss(why string, stale *found) {
	x.w.stream() // the backend's time is not the client's
	refresh := why == policy.ForwardRequest && stale != nil
	// Each round but the first follows from something that happened meanwhile: an entry came, or the answer varies. A request
	// that is overtaken again and again goes alone.
	for range 4 {
		mark := x.classKey()
		marked := x.stage.marks.has(mark)
		if marked && x.conditional() {
			break // it will not be stored, so the backend may as well answer exactly what was asked
		}
		key := mark
		if x.auth {
			// Whether the answer is public nobody knows before it is there: none of these waits for another.
			key = binary.BigEndian.AppendUint64([]byte(classAlone), aloneCount.Add(1))
		}
		lease, err := x.store.Lease(x.r.Context(), key, engine.LeaseOptions{
			Path: policy.DecodedPath(x.below), About: x.key, Timeout: 2 * x.backend.cfg.Timeout, Refresh: refresh,
			Data: func() any { return newFill(true) },
		})
		if err != nil {
			break // the store is closing: the backend still answers
		}
		if lease.Found != nil {
			f, whyNow := x.lookup()
			switch {
			case f != nil && x.reuse(f) != policy.Validate:
				x.hit(f)
				return
			case f != nil:
				stale, why, refresh = f, insufficient(f), !f.entry.Stale
			default:
				// A marker came, which leads to a variant that is not there; or the entry is one that must not be used.
				stale, why = nil, whyNow
				refresh = string(x.classKey()) == string(mark)
			}
			continue
		}
		f, _ := lease.Data().(*fill)
		if f == nil {
			break
		}
		if lease.Held {
			if string(key) != string(x.target) && !x.auth {
				// The lease looked again under its own key, not under that of the entry.
				if stale, _ = x.lookup(); stale != nil && x.reuse(stale) != policy.Validate {
					f.giveUp()
					lease.Abandon(errFilled)
					x.hit(stale)
					return
				}
			}
			if !x.g.fetches.begin() {
				lease.Abandon(errNotStored)
				f.fail(errStopping)
				break
			}
			r, _ := f.join(true)
			j := x.job(lease, f, key, mark, stale != nil)
			if why == policy.ForwardURIMiss && j.askForRest(x) {
				why = policy.ForwardPartial
			}
			go j.run()
			if next := x.attend(r, why, stale); next == attended {
				return
			}
			break
		}
		if marked {
			break
		}
		r, ok := f.join(false)
		if !ok {
			break
		}
		if policy.Demands(x.want) && f.begun.Before(x.begun) {
			// It was asked before this client demanded a new answer: what it brings may be what the client knows to be old.
			err := r.ended(x.r.Context(), x.backend.cfg.Timeout)
			r.leave()
			if err != nil {
				break
			}
			refresh = true
			continue
		}
		switch x.attend(r, why, stale) {
		case attended:
			return
		case goAlone:
			x.forward(why, stale)
			return
		case otherVariant:
			why, stale = policy.ForwardVaryMiss, nil
			if now, ok := x.get(x.variant); ok {
				if a, err := stored.Decode(now.Value); err == nil && x.reuse(&found{now, a}) != policy.Validate {
					x.hit(&found{now, a})
					return
				}
			}
		case lookAgain:
			now, whyNow := x.lookup()
			if stale, why = now, whyNow; now == nil {
				continue
			}
			if x.reuse(now) != policy.Validate {
				x.hit(now)
				return
			}
			why = insufficient(now)
		}
	}
	x.forward(why, stale)
}

// refresh fetches the entry anew in the background, unless somebody does already.
func (x *exchange) refresh() {
	if x.head || x.g.ctx.Err() != nil || policy.Oversized(x.header) {
		return
	}
	key := x.classKey()
	if (x.auth || x.cookies) && x.stage.marks.has(key) {
		return // the last such answer was its client's alone; those who have neither refresh the entry
	}
	lease, err := x.store.Lease(x.g.ctx, key, engine.LeaseOptions{
		Path: policy.DecodedPath(x.below), About: x.key, Timeout: 2 * x.backend.cfg.Timeout,
		Data: func() any { return newFill(false) },
	})
	if err != nil || !lease.Held {
		return
	}
	f := lease.Data().(*fill)
	if !x.g.fetches.begin() {
		lease.Abandon(errNotStored)
		f.fail(errStopping)
		return
	}
	go x.job(lease, f, key, key, true).run()
}

// job makes the fetch that this request's lease is for.
func (x *exchange) job(lease *engine.Lease, f *fill, key, mark []byte, stale bool) *job {
	shared := x.outHeader(true)
	j := &job{
		g: x.g, stage: x.stage, m: x.m, backend: x.backend, store: x.store, lease: lease, fill: f, series: x.series,
		req:      x.outRequest(shared),
		key:      slices.Clone(x.key),
		leaseKey: key,
		markKey:  mark,
		path:     policy.DecodedPath(x.below),
		origin:   x.clientOrigin(),
		stale:    stale && string(key) == string(x.target),
		shared:   shared,
		in:       x.storeInput(),
	}
	if stale && (x.m.http || !policy.Demands(x.want)) { // API Gateway's refresh replaces the entry, and asks nothing
		j.validate(x.target)
	}
	return j
}

// storeInput is what is known of an answer before there is one.
func (x *exchange) storeInput() policy.StoreInput {
	return policy.StoreInput{
		Method: x.verb, MethodOverride: x.m.explicit,
		RequestURL:       x.scheme + "://" + x.host + x.path + queryPart(x.query),
		HasAuthorization: x.auth, CookieForwarded: x.cookies, // keyed ones are not among these
		SetCookieForAll: x.m.SetCookie == config.SetCookieStore,
		TTL:             x.m.TTL, NegativeTTL: x.m.NegativeTTL,
		StaleWhileRevalidate: x.m.StaleWhileRevalidate, StaleIfError: x.m.StaleIfError,
	}
}

func queryPart(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}
