package gateway

import "stagecache/gateway/policy"

// reuse decides what may be done with an entry for this request.
func (x *exchange) reuse(f *found) policy.Reuse {
	if !f.entry.Stale && !policy.Demands(x.want) {
		return policy.Serve
	}
	now := x.g.now()
	left := f.entry.Expires.Sub(now)
	revalidate := x.m.StaleWhileRevalidate
	t := f.answer.Terms
	if x.m.http && t.StaleWhileRevalidate >= 0 {
		revalidate = t.StaleWhileRevalidate
	}
	return policy.DecideReuse(policy.Held{
		Age: policy.Age(f.entry.Stored, now, f.answer.InitialAge), Left: left, Stale: f.entry.Stale,
		NeverStale: t.NeverStale, StaleWhileRevalidate: revalidate,
	}, x.want)
}

// standsIn tells whether a stale entry, which may be nil, is the answer where the backend failed. answered tells that the
// backend said something, if only a status of the kind that isFailure tells.
func (x *exchange) standsIn(f *found, answered bool) bool {
	return f != nil && policy.StaleIfError(policy.StaleInput{
		HTTP: x.m.http, NeverStale: f.answer.Terms.NeverStale,
		Stated: f.answer.Terms.StaleIfError, Setting: x.m.StaleIfError,
		Past: x.g.now().Sub(f.entry.Expires), Answered: answered, Demanded: policy.Demands(x.want),
	})
}
