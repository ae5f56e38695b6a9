package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// In mode http an unsafe request that succeeded invalidates what is stored for its URI, and for what Location and
// Content-Location of its answer name (RFC 9111 4.4). That is a purge: durable, and with all variants, since those are found
// through the resource's own key only. A purge also refuses what is fetched at the moment, so that a slow GET that the
// backend answered before the change is not stored after it.
//
// A purge costs a write to disk and a place in the store's list. It is spared where there is nothing to invalidate: no
// entry, and no fetch under way.

// underWay counts the fetches for each resource's key. Its zero value is ready.
type underWay struct {
	mu sync.Mutex
	n  map[string]int // guarded by mu
}

func (u *underWay) begin(key []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == nil {
		u.n = make(map[string]int)
	}
	u.n[string(key)]++
}

func (u *underWay) end(key []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n[string(key)]--; u.n[string(key)] == 0 {
		delete(u.n, string(key))
	}
}

func (u *underWay) has(key []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.n[string(key)] > 0
}

// invalidate does what the answer to this request, if it is an unsafe one, asks for. It must be called before the client
// sees the answer: who has seen it must not be given what was before.
func (x *exchange) invalidate(status int, h http.Header) {
	if !x.m.http || x.store == nil || policy.Safe(x.r.Method) || !policy.Invalidates(status) {
		return
	}
	x.invalidateGroups(h)
	x.invalidatePath(x.below, x.r.URL.RawQuery)
	if x.unsettled {
		if read := policy.Resolve(x.below); read.Merged != x.below {
			x.invalidatePath(read.Merged, x.r.URL.RawQuery)
		}
	}
	self := x.scheme + "://" + x.host + x.path + queryPart(x.r.URL.RawQuery)
	for _, name := range []string{"Location", "Content-Location"} {
		for _, location := range h[name] {
			path, query, ok := policy.InvalidationTarget(self, location, x.backend.cfg.URL.Host)
			if !ok {
				continue
			}
			// Whether the backend knows of the stage's base path nobody can tell, so both readings count.
			if below, ok := x.stage.below(path); ok {
				x.invalidatePath(below, query)
			}
			if below, ok := strings.CutPrefix(path, x.backend.base); ok && strings.HasPrefix(below, "/") && x.stage.base+below != path {
				x.invalidatePath(below, query)
			}
		}
	}
}

// invalidatePath invalidates what GETs of a path of the stage, and a query as clients send it, have stored.
func (x *exchange) invalidatePath(below, rawQuery string) {
	y := x.asGet(below, rawQuery)
	targets := []engine.Target{engine.Key(y.key)}
	if y.m.Key.Mode == config.KeyDeclared || len(y.m.keyHeaders) > 0 || len(y.m.cookies) > 0 {
		// Other clients' headers make other keys, which nobody can list: all that is stored for the path goes.
		targets = []engine.Target{engine.Path(policy.DecodedPath(below))}
	} else {
		part := policy.AppendPartKey(nil, y.key)
		// The order counts: a fetch that ends between the two looks has stored its answer by the second.
		busy := x.stage.underWay.has(y.key)
		if targets = slices.DeleteFunc(append(targets, engine.Key(part)), func(t engine.Target) bool {
			key := y.key
			if t == engine.Key(part) {
				key = part
			}
			_, err := x.store.Get(nil, key)
			return err != nil && !busy
		}); len(targets) == 0 {
			return
		}
	}
	for _, t := range targets {
		// The request may end now; what it changed stays changed.
		if _, err := x.store.Purge(context.WithoutCancel(x.r.Context()), t, engine.Hard); err != nil {
			x.g.log.Error("an entry that a request changed could not be invalidated", "stage", x.stage.name, "path", below, "error", err)
		}
	}
}

// asGet is the exchange that a GET of a path of the stage, with a query as clients send it and otherwise this request's
// header, would be.
func (x *exchange) asGet(below, rawQuery string) *exchange {
	y := &exchange{
		g: x.g, state: x.state, r: x.r, client: x.client, scheme: x.scheme, host: x.host, forwardedHost: x.forwardedHost,
		fields: x.fields, header: x.header, path: x.stage.base + below, below: below, stage: x.stage, route: x.route,
		backend: x.backend, store: x.store, verb: http.MethodGet, buffers: &buffers{},
	}
	y.m, y.template = x.stage.settings(y.verb, below)
	y.query = policy.Query(rawQuery, y.m.query, !y.m.http)
	y.buildKey()
	return y
}
