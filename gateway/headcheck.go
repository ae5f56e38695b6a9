package gateway

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// checkByHead looks at what the backend's answer to HEAD says of an entry that was not fit to answer it, which may be nil (RFC
// 9111 4.3.5). One whose body is not the current one any more is dropped: its next reader then gets the new one even where a
// stale one would have done. One whose body it is, by a validator, is brought up to date.
// purges is what the store's PurgeClock said before HEAD was sent.
func (x *exchange) checkByHead(f *found, purges uint64, resp *http.Response) {
	if f == nil || !x.head || !x.m.http || resp.StatusCode != http.StatusOK {
		return
	}
	v, size := validatorsOf(f.answer), strconv.Itoa(len(f.answer.Body))
	switch {
	case !policy.SameBody(resp.Header, v, size):
		if _, err := x.store.Purge(context.WithoutCancel(x.r.Context()), engine.Key(x.target), engine.Hard); err != nil {
			x.g.log.Debug("an entry that HEAD showed to be old could not be dropped", "stage", x.stage.name, "error", err)
		}
	case policy.Confirms(resp.Header, v) && x.asksForAll():
		x.freshenByHead(purges, resp.Header)
	}
}

// asksForAll tells whether a request that went through for itself alone might as well have been a fetch for the cache: it said
// nothing but what those say, to which everybody may have the answer.
func (x *exchange) asksForAll() bool {
	return !x.want.NoStore && !policy.Oversized(x.header) && maps.EqualFunc(x.outHeader(false), x.outHeader(true), slices.Equal)
}

// freshenByHead stores the entry anew with what HEAD said of it. As with a 304 (validate.go) the entry is looked up once more
// under a lease, which makes the store refuse what is purged from then on. What was purged since HEAD was sent would be fresh again
// by an answer from before, if the purge was a soft one: then nothing is done.
func (x *exchange) freshenByHead(purges uint64, update http.Header) {
	lease, err := x.store.Lease(context.WithoutCancel(x.r.Context()), x.target, engine.LeaseOptions{
		Path: policy.DecodedPath(x.below), About: x.key, Timeout: 2 * x.backend.cfg.Timeout, Refresh: true,
	})
	if err != nil || !lease.Held {
		return // somebody fetches it at the moment
	}
	defer lease.Abandon(errNotStored)
	if x.store.PurgeClock() != purges {
		return
	}
	e, err := x.store.Get(nil, x.target)
	if err != nil || e.Plain && x.m.Encrypt {
		return
	}
	a, err := stored.Decode(e.Value)
	if err != nil || a.Status != http.StatusOK {
		return
	}
	v := validatorsOf(a)
	if !policy.SameBody(update, v, strconv.Itoa(len(a.Body))) || !policy.Confirms(update, v) {
		return // it is another one by now
	}
	have := make(http.Header)
	a.CopyTo(have, nil, 0)
	delete(have, "Via")
	h := policy.Freshen(have, update)
	in := x.storeInput()
	in.Status, in.Header, in.Tags = a.Status, h, x.m.tags(x.clientOrigin(), h)
	in.Asked, in.Came = x.g.now(), x.g.now()
	d := policy.DecideHTTP(in)
	target := x.key
	if shared := x.outHeader(true); d.Store {
		if names := varyNames(shared, h); len(names) > 0 {
			target = policy.AppendVariantKey(nil, x.key, names, shared)
		}
	}
	if !d.Store || d.TTL <= 0 || !bytes.Equal(target, x.target) {
		return
	}
	delete(h, "Content-Length")
	delete(h, "Age")
	value, err := stored.AppendHead(nil, headOf(a.Status, d, h))
	if err != nil {
		return
	}
	value = append(value, a.Body...)
	stored.SetFetch(value, a.Fetch)
	meta := engine.Meta{TTL: d.TTL, Retain: d.Retain, Path: policy.DecodedPath(x.below), Tags: in.Tags, Plain: !x.m.Encrypt}
	if err := lease.Put(value, meta); err != nil {
		x.g.log.Debug("an entry was not brought up to date by HEAD", "stage", x.stage.name, "reason", err)
	}
}
