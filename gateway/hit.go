package gateway

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// hit answers from a fresh entry, or from a stale one that may be used while it is refreshed.
func (x *exchange) hit(f *found) {
	x.takeHit(f)
	age, cs := x.aboutHit(f)
	x.serveStored(f.answer, age, cs)
}

// takeHit counts a hit.
func (x *exchange) takeHit(f *found) {
	x.countHit(f.entry.Stale)
	x.stage.counters.saved.Add(int64(f.answer.Fetch))
}

// aboutHit is what a client is told about a hit.
func (x *exchange) aboutHit(f *found) (age int64, cs policy.CacheStatus) {
	now := x.g.now()
	return policy.Age(f.entry.Stored, now, f.answer.InitialAge), policy.CacheStatus{Hit: true, HasTTL: true, TTL: ttlOf(f, now)}
}

// ttlOf is the freshness left in whole seconds, below zero for a stale entry, also for one that was softly purged.
func ttlOf(f *found, now time.Time) int64 {
	left := f.entry.Expires.Sub(now)
	if f.entry.Stale {
		return min(int64(left/time.Second), -1)
	}
	return max(int64(left/time.Second), 0)
}

// serveError answers from a stale entry because the backend could not: status is what it said, 0 if nothing.
func (x *exchange) serveError(f *found, status int) {
	now := x.g.now()
	x.countHit(true)
	x.serveStored(f.answer, policy.Age(f.entry.Stored, now, f.answer.InitialAge), policy.CacheStatus{
		Forward: policy.ForwardStale, ForwardStatus: status, HasTTL: true, TTL: ttlOf(f, now), Detail: "stale-if-error",
	})
}

// serveStored sends a stored answer, or the part of it or the word about it that the client asked for. An age below zero
// is none: the answer comes straight from the backend.
func (x *exchange) serveStored(a stored.Answer, age int64, cs policy.CacheStatus) {
	h := x.w.Header()
	own := cs.Append(x.text[:0])
	atAge := len(own)
	if age >= 0 {
		own = strconv.AppendInt(own, age, 10)
	}
	atLength := len(own)
	own = strconv.AppendInt(own, int64(len(a.Body)), 10)
	x.text = own
	text, room := a.CopyTo(h, own, 3)
	if age >= 0 {
		room[0] = text[atAge:atLength]
		h["Age"] = room[0:1:1]
	}
	room[1] = text[:atAge]
	x.addStatus(h, room[1:2:2])
	if x.verb == http.MethodGet && x.conditional() && x.servePart(a, h) {
		return
	}
	room[2] = text[atLength:]
	h["Content-Length"] = room[2:3:3]
	x.w.WriteHeader(a.Status)
	if !x.head {
		x.sendWhole(a.Body)
	}
}

// sendWhole is send for all that there is.
func (x *exchange) sendWhole(body []byte) {
	// Less than that the server sends together with the header by itself.
	if len(body) <= 2<<10 {
		x.send(body)
		return
	}
	c := connOf(x.r)
	if c == nil {
		x.send(body)
		return
	}
	c.hold()
	err := x.w.writeAll(body)
	if errors.Join(err, c.release()) != nil {
		panic(http.ErrAbortHandler)
	}
}

// send writes a body, and cuts the connection if it cannot be written as a whole.
func (x *exchange) send(body []byte) {
	if x.w.writeAll(body) != nil {
		panic(http.ErrAbortHandler)
	}
}

// servePart answers a conditional or a range request. It reports false if the whole answer is to be sent.
func (x *exchange) servePart(a stored.Answer, h http.Header) bool {
	in := x.r.Header
	if a.Status != http.StatusOK && a.Status != http.StatusNonAuthoritativeInfo {
		return false // neither conditions nor ranges apply
	}
	v := validatorsOf(a)
	switch policy.Evaluate(conditionsOf(in), v) {
	case policy.NotModified:
		x.notModified(h)
		return true
	case policy.PreconditionFailed:
		x.instead(errPrecondition, h, "")
		return true
	}
	ranges := in["Range"]
	if len(ranges) != 1 || a.Status != http.StatusOK || x.head || !policy.RangeAllowed(in["If-Range"], v) {
		return false
	}
	size := int64(len(a.Body))
	parts, verdict := policy.ParseRange(ranges[0], size)
	switch verdict {
	case policy.Unsatisfiable:
		x.instead(errRange, h, "bytes */"+strconv.FormatInt(size, 10))
		return true
	case policy.Satisfiable:
		x.serveRanges(a, h, parts)
		return true
	}
	return false
}

func conditionsOf(h http.Header) policy.Conditional {
	return policy.Conditional{
		IfNoneMatch: h["If-None-Match"], IfModifiedSince: h["If-Modified-Since"],
		IfMatch: h["If-Match"], IfUnmodifiedSince: h["If-Unmodified-Since"],
	}
}

// notModified sends a 304 in the place of an answer with header h (RFC 9110 15.4.5).
func (x *exchange) notModified(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Range", "Content-Length"} {
		delete(h, name)
	}
	x.w.WriteHeader(http.StatusNotModified)
}

// instead sends a problem where a stored answer was about to be sent: of that the header keeps only what is about the cache.
func (x *exchange) instead(p *problem, h http.Header, contentRange string) {
	kept := make(http.Header, 4)
	for _, name := range []string{"Cache-Status", "Age", "Warning"} {
		if v := h[name]; v != nil {
			kept[name] = v
		}
	}
	clear(h)
	maps.Copy(h, kept)
	if contentRange != "" {
		h["Content-Range"] = []string{contentRange}
	}
	p.write(&x.w, x.head)
}
