package gateway

import (
	"bytes"
	"io"
	"net/http"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// heldPart is a stored part that a fetch is to make whole: the backend is asked for what is missing, provided that it is still
// of the same body, and has the choice to send all of it instead (RFC 9111 3.4, RFC 9110 13.1.5).
type heldPart struct {
	answer stored.Answer
	part   policy.Part
	rest   policy.Rest
}

// askForRest makes the fetch of a whole one of what is missing to the part that is stored, if there is one which it can be joined
// to. Like validate it looks for the part now that the lease is held.
func (j *job) askForRest(x *exchange) bool {
	if !x.m.http || x.auth || x.body != nil || x.verb != http.MethodGet {
		return false
	}
	e, err := j.store.Get(nil, policy.AppendPartKey(nil, j.key))
	if err != nil || e.Stale || e.Plain && j.m.Encrypt {
		return false
	}
	a, err := stored.Decode(e.Value)
	if err != nil {
		return false
	}
	part, sound := partOf(a)
	if !sound || part.Size > int64(j.stage.cfg.Cache.MaxObject) {
		return false
	}
	rest, ok := policy.RestOf(part, validatorsOf(a))
	if !ok {
		return false
	}
	j.half = &heldPart{a, part, rest}
	rest.Ask(j.req.Header)
	return true
}

// join puts the whole together from the part that is stored and the answer to askForRest. It reports false where that answer is
// of no use, and all must be asked for: a part of another body, or none at all.
func (j *job) join(up *upstream) bool {
	half, resp := j.half, up.resp
	switch resp.StatusCode {
	case http.StatusPartialContent:
	case http.StatusRequestedRangeNotSatisfiable:
		return false
	default:
		return true // it is what a request for the whole would have got
	}
	missing := half.rest.Missing
	if !half.rest.Is(resp.Header) || resp.ContentLength != missing.Last-missing.First+1 {
		return false
	}
	have := make(http.Header)
	half.answer.CopyTo(have, nil, 0)
	delete(have, rangeAsked)
	policy.RemoveHopByHop(resp.Header)
	first, second := io.Reader(bytes.NewReader(half.answer.Body)), io.Reader(resp.Body)
	if missing.First == 0 {
		first, second = second, first
	}
	up.joined = true
	up.resp = &http.Response{
		StatusCode: http.StatusOK, Header: policy.Combine(have, resp.Header), ContentLength: half.part.Size,
		Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Body: struct {
			io.Reader
			io.Closer
		}{io.MultiReader(first, second), resp.Body},
	}
	return true
}
