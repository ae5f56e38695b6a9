package gateway

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// validate makes the fetch one that asks whether the entry under key still holds (RFC 9111 4.3.1). The entry is looked up
// anew, now that the lease is held: one that was purged since the request found it must not come back by a 304, and one that
// is purged from now on makes the store refuse the put, for the lease is older than the purge.
func (j *job) validate(key []byte) {
	e, err := j.store.Get(nil, key)
	if err != nil || e.Plain && j.m.Encrypt {
		return
	}
	a, err := stored.Decode(e.Value)
	if err != nil {
		return
	}
	j.held = &found{e, a}
	validatorsOf(a).Conditions(j.req.Header)
}

// conditional tells whether the backend is asked to confirm what is held.
func (j *job) conditional() bool {
	return j.req.Header["If-None-Match"] != nil || j.req.Header["If-Modified-Since"] != nil
}

func validatorsOf(a stored.Answer) policy.Validators {
	return policy.NewValidators(a.Get("Etag"), a.Get("Last-Modified"), a.Get("Date"))
}

// ask asks the backend. A 304 becomes the answer that it is about; one that is about another is asked again without
// conditions (RFC 9111 4.3.4). What is missing to a part becomes the whole; if that fails the whole is asked for.
func (j *job) ask() (*upstream, *problem) {
	for {
		j.stage.counters.backend.Add(1)
		j.asked = j.g.now()
		begun := time.Now()
		up, p := j.backend.ask(j.fill.hear(j.g.ctx), j.req)
		j.series.Backend(time.Since(begun))
		if p == nil && j.half != nil {
			if j.join(up) {
				return up, nil
			}
			up.close()
			j.half = nil
			j.req.Header.Del("Range")
			j.req.Header.Del("If-Range")
			continue
		}
		if p != nil || j.held == nil || !j.conditional() || up.resp.StatusCode != http.StatusNotModified {
			return up, p
		}
		if policy.NotModifiedIsAbout(up.resp.Header, validatorsOf(j.held.answer)) {
			j.confirm(up)
			return up, nil
		}
		up.close()
		j.req.Header.Del("If-None-Match")
		j.req.Header.Del("If-Modified-Since")
	}
}

// confirm puts the answer that is held in the place of the 304 that confirmed it, with the header brought up to date. From
// here on it is like one that came whole.
func (j *job) confirm(up *upstream) {
	a := j.held.answer
	have := make(http.Header)
	a.CopyTo(have, nil, 0)
	delete(have, "Via") // it says which way the old one came
	policy.RemoveHopByHop(up.resp.Header)
	up.resp.Body.Close()
	up.confirmed = true
	up.resp = &http.Response{
		StatusCode: a.Status, Header: policy.Freshen(have, up.resp.Header), ContentLength: int64(len(a.Body)),
		Proto: up.resp.Proto, ProtoMajor: up.resp.ProtoMajor, ProtoMinor: up.resp.ProtoMinor,
		Body: io.NopCloser(bytes.NewReader(a.Body)),
	}
}

// heldStandsIn tells whether what is held may stand in for an error, by its own terms and the settings: for the error that has
// come, or while it is fetched anew once more.
func (j *job) heldStandsIn() bool {
	if j.held == nil {
		return false
	}
	t := j.held.answer.Terms
	past, window := j.g.now().Sub(j.held.entry.Expires), t.StaleWhileRevalidate
	if window < 0 {
		window = j.in.StaleWhileRevalidate
	}
	return !t.NeverStale && past < window || policy.StaleIfError(policy.StaleInput{
		HTTP: true, NeverStale: t.NeverStale, Stated: t.StaleIfError, Setting: j.in.StaleIfError,
		Past: past, Answered: true,
	})
}
