package gateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// keepPost stores, in mode http, the answer to a POST as that to a GET of the same URI, if the backend says that this is what
// it is: with a Content-Location that is the URI, and a lifetime (RFC 9110 9.3.3). It must follow invalidate. The body passes
// through as it comes, and is stored once it is there as a whole.
func (x *exchange) keepPost(resp *http.Response) {
	if !x.m.http || x.store == nil || x.r.Method != http.MethodPost || resp.StatusCode != http.StatusOK || x.unsettled ||
		len(resp.Header["Content-Location"]) != 1 || resp.ContentLength < 0 || resp.ContentLength > int64(x.stage.cfg.Cache.MaxObject) {
		return
	}
	y := x.asGet(x.below, x.r.URL.RawQuery)
	if !y.m.caches(http.MethodGet) {
		return
	}
	self := x.scheme + "://" + x.host + x.path + queryPart(x.r.URL.RawQuery)
	path, query, ok := policy.InvalidationTarget(self, resp.Header["Content-Location"][0])
	if !ok || path != x.path || query != x.r.URL.RawQuery {
		return
	}
	if policy.RequestDirectives(x.header).NoStore || policy.Oversized(x.header) || saysMore(resp.Request.Header, y.outHeader(true)) {
		return
	}
	y.classify()
	in := y.storeInput()
	header := resp.Header.Clone()
	y.m.stripSetCookie(header) // the client that sent the POST keeps it
	in.Status, in.Header, in.Tags = resp.StatusCode, header, y.m.tags(x.clientOrigin(), header)
	in.Asked, in.Came, in.RequestURL = x.g.now(), x.g.now(), self
	d := policy.DecideHTTP(in)
	if !d.Store || d.TTL <= 0 || !policy.StatesLifetime(header) || len(varyNames(y.header, header)) > 0 {
		return
	}
	size := int(resp.ContentLength)
	if !x.stage.budget.reserve(size) {
		return
	}
	lease, err := x.store.Lease(context.WithoutCancel(x.r.Context()), y.key, engine.LeaseOptions{
		Path: policy.DecodedPath(x.below), Timeout: 2 * x.backend.cfg.Timeout, Refresh: true,
	})
	if err != nil || !lease.Held {
		x.stage.budget.release(size)
		return
	}
	delete(header, "Content-Length")
	delete(header, "Age")
	if header["Date"] == nil {
		header["Date"] = []string{x.g.now().UTC().Format(http.TimeFormat)}
	}
	value, err := stored.AppendHead(nil, headOf(resp.StatusCode, d, header))
	k := &keptBody{ReadCloser: resp.Body, lease: lease, value: value, left: size, begun: time.Now(), done: func() { x.stage.budget.release(size) }}
	k.meta = engine.Meta{TTL: d.TTL, Retain: d.Retain, Path: policy.DecodedPath(x.below), Tags: in.Tags, Plain: !y.m.Encrypt}
	if err != nil {
		k.end()
		return
	}
	resp.Body = k
}

// saysMore tells whether a request said anything to the backend that a shared fetch, with the header get, would not have: the answer
// may then be about that, and is not everybody's. What is about its own body is left aside, and so are codings: an answer in one is
// not stored.
func saysMore(post, get http.Header) bool {
	post = post.Clone()
	policy.RemoveBodyFields(post)
	delete(post, "Accept-Encoding")
	for name, values := range post {
		if strings.Join(values, "\n") != strings.Join(get[name], "\n") {
			return true
		}
	}
	return false
}

// keptBody is a body that is stored when it has been read to its end.
type keptBody struct {
	io.ReadCloser
	lease *engine.Lease
	value []byte
	meta  engine.Meta
	left  int
	begun time.Time
	done  func()
}

func (k *keptBody) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	if k.done != nil {
		k.value = append(k.value, p[:n]...)
		if k.left -= n; k.left <= 0 && (err == nil || err == io.EOF) {
			// Before the last byte is passed on: who has the answer finds it stored.
			stored.SetFetch(k.value, time.Since(k.begun))
			// Not stored is not wrong: something was purged meanwhile, or the store is closing.
			_ = k.lease.Put(k.value, k.meta)
			k.end()
		}
	}
	return n, err
}

func (k *keptBody) Close() error {
	k.end()
	return k.ReadCloser.Close()
}

func (k *keptBody) end() {
	if k.done != nil {
		k.lease.Abandon(errNotStored)
		k.done()
		k.done, k.value = nil, nil
	}
}
