package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"stagecache/engine"
	"stagecache/gateway/metrics"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// job is one fetch for the cache: it holds a lease, asks the backend, and feeds a fill. It has copies of everything it needs,
// for the request that began it may be over long before it is.
type job struct {
	g       *Gateway
	stage   *stage
	m       *method
	backend *backend
	store   *engine.Store
	lease   *engine.Lease
	fill    *fill
	series  *metrics.Series

	req      *http.Request
	key      []byte            // of the resource
	leaseKey []byte            // what the lease is for: the resource, a variant, or a class of requests for one of them
	markKey  []byte            // where it is noted that waiting is pointless
	path     string            // for purges
	origin   string            // likewise
	stale    bool              // there is a stale entry under leaseKey
	in       policy.StoreInput // what is known before there is an answer
	shared   http.Header       // the request's header as the backend gets it
	held     *found            // the stale entry, for the backend to confirm if it has a validator; nil: there is none
	asked    time.Time         // when the backend was asked

	part       []byte // where a part is stored, for a fetch of one; nil: the whole is asked for
	rangeAsked string // what Range says then

	half *heldPart // the part that the answer is to make whole; nil: there is none
}

// Why a lease ended without its key being filled.
var (
	errNotStored = errors.New("the answer is not stored")
	errElsewhere = errors.New("the answer was stored under another key")
	errFilled    = errors.New("somebody else was faster")
)

// run is the fetch's goroutine.
func (j *job) run() {
	defer j.g.fetches.done()
	// The lease is older than this: what is invalidated before is seen by the backend's answer, what is after by underWay.
	j.stage.underWay.begin(j.key)
	defer j.stage.underWay.end(j.key)
	defer func() {
		if p := recover(); p != nil {
			j.g.log.Error("a fetch panicked", "panic", fmt.Sprint(p), "stage", j.stage.name, "stack", string(debug.Stack()))
			j.lease.Abandon(errNotStored)
			j.fill.fail(errInternal)
		}
		j.fill.settle()
	}()
	begun := time.Now()
	up, p := j.ask()
	if p != nil {
		j.g.backendFailed(j.stage, j.backend, p)
		j.lease.Abandon(errNotStored)
		j.fill.fail(p)
		return
	}
	handed := false
	defer func() {
		if !handed {
			up.close()
		}
	}()
	handed = j.receive(up, begun)
}

// receive deals with an answer. It reports whether the holder's request has taken it over.
func (j *job) receive(up *upstream, begun time.Time) (handed bool) {
	resp := up.resp
	policy.RemoveHopByHop(resp.Header)
	j.m.stripSetCookie(resp.Header)
	resp.Header["Via"] = append(resp.Header["Via"], viaResponse)
	head := &fillHead{status: resp.StatusCode, header: resp.Header, length: resp.ContentLength}
	switch {
	case up.confirmed:
		head.backend = http.StatusNotModified
	case up.joined:
		head.backend = http.StatusPartialContent
	}
	d, meta := j.decide(resp)
	if !d.Store {
		lasting := pointless(resp.StatusCode)
		if lasting && j.stale {
			j.lease.Forget() // the backend has another answer now, so the stale one is of no use any more
		}
		up.reason = d.Reason
		return j.release(up, head, lasting)
	}
	if head.names = varyNames(j.shared, resp.Header); len(head.names) > 0 {
		if len(head.names) > policy.MaxVaryNames || j.partial(resp) {
			up.reason = policy.ReasonVaryNames
			return j.release(up, head, true)
		}
		head.variant = string(policy.AppendVariantKey(nil, j.key, head.names, j.shared))
	}
	delete(resp.Header, "Content-Length")
	if resp.Header["Date"] == nil {
		resp.Header["Date"] = []string{j.g.now().UTC().Format(http.TimeFormat)}
	}
	keep := resp.Header
	if keep["Age"] != nil || j.partial(resp) {
		keep = resp.Header.Clone()
		delete(keep, "Age")
		if j.partial(resp) {
			keep[rangeAsked] = []string{j.rangeAsked}
		}
	}
	start, err := stored.AppendHead(nil, headOf(resp.StatusCode, d, keep))
	if err != nil {
		up.reason = policy.ReasonTooLarge
		return j.release(up, head, true)
	}
	size := resp.ContentLength
	if size < 0 {
		size = min(16<<10, int64(j.stage.cfg.Cache.MaxObject))
	}
	if !j.fill.reserve(j.stage.budget, len(start)+int(size)+j.room(head, &meta)) {
		up.reason = "busy" // too many answers are on their way already
		return j.release(up, head, false)
	}
	if head.exclusive = d.TTL <= 0; head.exclusive {
		j.stage.marks.add(j.markKey)
	} else {
		j.stage.marks.remove(j.markKey)
	}
	j.keep(up, head, meta, start, int(size), begun)
	return false
}

// partial tells a part that was asked for.
func (j *job) partial(resp *http.Response) bool {
	return j.part != nil && resp.StatusCode == http.StatusPartialContent
}

// headOf is the head of an answer as it is stored.
func headOf(status int, d policy.StoreDecision, h http.Header) stored.Head {
	return stored.Head{
		Status: status, InitialAge: d.InitialAge, Header: h,
		Terms: stored.Terms{
			ForCredentials: d.ForCredentials, NeverStale: d.NeverStale,
			StaleWhileRevalidate: d.StaleWhileRevalidate, StaleIfError: d.StaleIfError,
		},
	}
}

// pointless tells whether an answer that is not stored makes waiting for the next one pointless: not if it is an error that
// will pass, for then nobody waiting would send everybody to a backend that struggles.
func pointless(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// decide asks the policy whether the answer is stored.
func (j *job) decide(resp *http.Response) (d policy.StoreDecision, meta engine.Meta) {
	in := j.in
	in.Status = resp.StatusCode
	in.Header = resp.Header
	in.CC = policy.ParseCacheControl(resp.Header["Cache-Control"])
	in.Tags = j.m.tags(j.origin, resp.Header)
	in.BodyTooLarge = resp.ContentLength > int64(j.stage.cfg.Cache.MaxObject)
	switch {
	case j.m.http && isFailure(in.Status) && j.heldStandsIn():
		d = policy.StoreDecision{Reason: "stale-if-error"} // what is held is of more use than the error
	case j.m.http:
		in.Asked, in.Came, in.Part = j.asked, j.g.now(), j.partial(resp)
		d = policy.DecideHTTP(in)
	default:
		d = policy.DecideAPIGateway(in)
	}
	if d.Store && endUnknown(resp) {
		d = policy.StoreDecision{Reason: "no-end"}
	}
	return d, engine.Meta{TTL: d.TTL, Retain: d.Retain, Path: j.path, Tags: in.Tags, Plain: !j.m.Encrypt}
}

// endUnknown tells an answer whose whole nobody could tell from a part: an HTTP/1 answer with neither a length nor chunks
// ends when its connection does, for whatever reason.
func endUnknown(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
}

// release gives the answer to the holder alone. mark notes that nobody should wait for the next one.
func (j *job) release(up *upstream, head *fillHead, mark bool) (handed bool) {
	if mark {
		j.stage.marks.add(j.markKey)
	}
	j.lease.Abandon(errNotStored)
	return j.fill.alone(head, up)
}

// keep receives the body of an answer that is to be stored.
func (j *job) keep(up *upstream, head *fillHead, meta engine.Meta, start []byte, size int, begun time.Time) {
	f, at, limit := j.fill, len(start), j.stage.cfg.Cache.MaxObject
	room := j.room(head, &meta)
	meta.Given = true
	full := at + size // how much of value is for what the backend sends
	value := append(make([]byte, 0, full+room), start...)
	if head.length != 0 {
		f.share(head)
	} // else the header is all that the client waits for, and is sent when it is stored
	for {
		if len(value) == full && head.length < 0 {
			// Double, but leave room for one byte past the limit: reading it tells that the body is too large.
			more := min(full, at+limit+1-full)
			if !f.reserve(j.stage.budget, more) {
				j.lease.Abandon(errNotStored)
				j.pass(up, value[at:], nil)
				return
			}
			full += more
			value = append(make([]byte, 0, full+room), value...)
		}
		var n int
		var err error
		if len(value) < full {
			n, err = up.resp.Body.Read(value[len(value):full])
		} else {
			var one [1]byte // all is here: what is left to read is the end
			if n, err = up.resp.Body.Read(one[:]); n > 0 {
				n, err = 0, io.ErrUnexpectedEOF
			}
		}
		value = value[:len(value)+n]
		got := len(value) - at
		switch {
		case got > limit:
			j.stage.marks.add(j.markKey)
			j.lease.Abandon(errNotStored)
			j.pass(up, value[at:], err)
			return
		case err == nil && head.length >= 0:
			// The last byte of a known length waits for the store: with it the client has its answer.
			f.publish(value[at:], min(int64(got), head.length-1))
		case err == nil:
			f.publish(value[at:], int64(got))
		case err == io.EOF && (head.length < 0 || int64(got) == head.length):
			stored.SetFetch(value, time.Since(begun))
			err := j.put(value, head, meta)
			if err != nil {
				j.g.log.Debug("an answer was not stored", "stage", j.stage.name, "reason", err)
			}
			f.complete(head, value, value[at:], err == nil)
			return
		default:
			j.lease.Abandon(errNotStored)
			f.fail(errCutAnswer)
			return
		}
	}
}

// room is what an answer takes in the store besides its value, under the longest key that it may be put under.
func (j *job) room(head *fillHead, meta *engine.Meta) int {
	return meta.Room(max(len(j.key), len(j.leaseKey), len(j.part), len(head.variant)))
}

// put stores the value and ends the lease.
func (j *job) put(value []byte, head *fillHead, meta engine.Meta) error {
	if len(head.names) > 0 {
		err := j.putVariant(value, head, meta)
		if err != nil {
			j.lease.Abandon(errNotStored)
		}
		return err
	}
	key := j.key
	if j.part != nil && head.status == http.StatusPartialContent {
		key = j.part
	}
	return j.putUnder(key, value, meta)
}

// putUnder stores a value under a key, which may be another than the leased one, and ends the lease.
func (j *job) putUnder(key, value []byte, meta engine.Meta) error {
	if string(key) == string(j.leaseKey) {
		return j.lease.Put(value, meta)
	}
	err := j.lease.PutKey(key, value, meta)
	j.lease.Abandon(errElsewhere)
	return err
}

// pass lets the readers have a body that is not stored after all, through a window. so far is what has arrived of it, err
// what the last read said.
func (j *job) pass(up *upstream, soFar []byte, err error) {
	f := j.fill
	size := min(max(int64(f.reservedBytes()), minWindow), windowSize)
	if !f.openWindow(up.ctx, soFar, size) {
		f.finish(true)
		return
	}
	f.unreserve(int(size))
	buf := copyPool.Get()
	defer copyPool.Put(buf)
	for {
		if err == io.EOF {
			f.finish(false)
			return
		}
		if err != nil {
			f.finish(true)
			return
		}
		var n int
		n, err = up.resp.Body.Read(buf)
		if n > 0 && !f.push(up.ctx, buf[:n]) {
			f.finish(true) // nobody is left
			return
		}
	}
}
