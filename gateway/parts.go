package gateway

import (
	"net/http"
	"strconv"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// In mode http the first request for a range of something that is not stored goes to the backend as it is, and the part that
// comes is kept under a key of its own, never as the whole. It answers the same request again, and those for less. As soon as
// somebody wants another part, the whole is fetched, so that many small ranges cost the backend one request and not many; if
// the whole is too large to be stored, ranges keep going through. Of the whole only what is missing is fetched, where what is
// stored is its beginning or its end and has a strong validator (rest.go).

// rangeAsked is the stored header field that holds the Range for which a part was the answer. It is no field of an answer, so
// no backend's word is lost, and it is not sent.
const rangeAsked = "Range"

// classRange begins the keys under which fetches of ranges are leased: nobody waits for another range than the one he wants.
const classRange = "\x00range"

// partly answers a request for a range of something that is not stored. It reports false if the whole is to be fetched.
func (x *exchange) partly() bool {
	h := x.header
	if !x.m.http || !x.has(hasRange) || x.has(hasCondition) || x.head || x.auth || x.body != nil ||
		x.verb != http.MethodGet || len(h["Range"]) != 1 || h["If-Range"] != nil || !policy.OneRange(h["Range"][0]) {
		return false
	}
	asked := h["Range"][0]
	key := policy.AppendPartKey(nil, x.key)
	if e, ok := x.get(key); ok {
		a, err := stored.Decode(e.Value)
		if f := (&found{e, a}); err == nil && x.reuse(f) == policy.Serve {
			part, sound := partOf(a)
			if x.serveFromPart(f, part, sound, asked) {
				return true
			}
			if sound && part.Size <= int64(x.stage.cfg.Cache.MaxObject) {
				return false
			}
		}
	}
	x.w.stream()
	class := append([]byte(classRange+asked+"\x00"), key...)
	if x.stage.marks.has(class) {
		x.forward(policy.ForwardURIMiss, nil)
		return true
	}
	lease, err := x.store.Lease(x.r.Context(), class, engine.LeaseOptions{
		Path: policy.DecodedPath(x.below), About: x.key, Timeout: 2 * x.backend.cfg.Timeout, Data: func() any { return newFill(true) },
	})
	if err != nil || lease.Found != nil {
		return false
	}
	f := lease.Data().(*fill)
	if lease.Held && !x.g.fetches.begin() {
		lease.Abandon(errNotStored)
		f.fail(errStopping)
		return false
	}
	r, ok := f.join(lease.Held)
	if ok && lease.Held {
		j := x.job(lease, f, class, class, false)
		j.part, j.rangeAsked = key, asked
		j.req.Header["Range"] = []string{asked}
		go j.run()
	}
	if !ok || x.attend(r, policy.ForwardURIMiss, nil) != attended {
		x.forward(policy.ForwardURIMiss, nil)
	}
	return true
}

// partOf tells where a stored part lies. Of one that is shorter than it says, what came counts (RFC 9111 3.3); one that is
// longer is good for nothing but the request that it was the answer to.
func partOf(a stored.Answer) (policy.Part, bool) {
	p, ok := policy.ParseContentRange([]string{a.Get("Content-Range")})
	last := p.First + int64(len(a.Body)) - 1
	ok = ok && last <= p.Last && len(a.Body) > 0
	p.Last = last
	return p, ok
}

// serveFromPart answers a request for a range from a stored part, if it has what is asked for.
func (x *exchange) serveFromPart(f *found, part policy.Part, sound bool, asked string) bool {
	a := f.answer
	body, contentRangeIs := a.Body, a.Get("Content-Range")
	if asked != a.Get(rangeAsked) {
		if !sound {
			return false
		}
		want, verdict := policy.ParseRange(asked, part.Size)
		if verdict != policy.Satisfiable || len(want) != 1 || want[0].Start < part.First || want[0].Start+want[0].Length-1 > part.Last {
			return false
		}
		at := want[0].Start - part.First
		body, contentRangeIs = body[at:at+want[0].Length], contentRange(want[0], int(part.Size))
	}
	now := x.g.now()
	x.countHit(false)
	x.stage.counters.saved.Add(int64(a.Fetch))
	h := x.w.Header()
	a.CopyTo(h, nil, 0)
	delete(h, rangeAsked)
	h["Content-Range"] = []string{contentRangeIs}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Age"] = []string{strconv.FormatInt(policy.Age(f.entry.Stored, now, a.InitialAge), 10)}
	x.decorate(h, policy.CacheStatus{Hit: true, HasTTL: true, TTL: ttlOf(f, now)})
	x.w.WriteHeader(http.StatusPartialContent)
	x.send(body)
	return true
}
