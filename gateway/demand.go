package gateway

import (
	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// readDirectives finds out what a request's Cache-Control asks for, and whether its client may ask that. In mode apigateway
// max-age=0 alone counts; in mode http every directive of RFC 9111 5.2.1 does. Where a demand needs no permission in mode http, its
// rate is looked at when it would cost the backend something.
func (x *exchange) readDirectives() *problem {
	if !x.has(hasDirectives) || x.header["Cache-Control"] == nil && (!x.m.http || x.header["Pragma"] == nil) {
		return nil
	}
	want := policy.RequestDirectives(x.header)
	demands := policy.ClientRefresh(want)
	if x.m.http {
		x.want = want
		demands = policy.Demands(want) && x.m.RequireAuthorization
	}
	if !demands {
		return nil
	}
	allowed, p := x.mayRefresh()
	switch {
	case p != nil:
		return p
	case allowed && !x.m.http:
		x.want.NoCache = true // the answer is the backend's, however young the entry is
		return nil
	case allowed:
		return nil
	}
	x.dropDemands()
	switch x.m.Strategy {
	case config.FailWith403:
		return errNoRefresh
	case config.SucceedWithoutResponseHeader:
	default:
		x.warn = true
	}
	return nil
}

// dropDemands makes the request one that takes what is there.
func (x *exchange) dropDemands() {
	x.want.NoCache, x.want.MaxAge, x.want.MinFresh = false, policy.Seconds{}, policy.Seconds{}
}

// mayDemand tells whether a client that needs no authorization may once more make the gateway ask the backend although there
// is a fresh answer.
func (x *exchange) mayDemand() bool {
	return x.paid || x.g.demands.allow("address "+x.state.address(x.client, x.r.Header), x.g.now())
}
