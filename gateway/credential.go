package gateway

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"stagecache/gateway/audit"
	"stagecache/gateway/identity"
	"stagecache/gateway/policy"
	"stagecache/gateway/sigv4"
)

// Identity is who may invalidate and administer, by the configuration at work.
func (g *Gateway) Identity() *identity.Directory { return g.state.Load().identity }

// ClientAddr is where a request came from: the peer, or what trusted proxies vouch for.
func (g *Gateway) ClientAddr(r *http.Request) netip.Addr {
	s := g.state.Load()
	return s.source(s.clientOf(r), r.Header)
}

// source is the client's address as a value; invalid if it is not known.
func (s *state) source(c client, h http.Header) netip.Addr {
	a, err := netip.ParseAddr(s.address(c, h))
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// findClaim looks for a credential of ours. It is judged only when a decision needs it.
func (x *exchange) findClaim() {
	x.claim = x.state.identity.Claim(x.r.Header, x.r.URL.RawQuery)
}

// dropClaim takes it out of the request: no backend, key or log gets to see it, be it true or false.
func (x *exchange) dropClaim() {
	if x.claim == nil {
		return
	}
	query := x.claim.Strip(x.header, x.r.URL.RawQuery)
	x.claim.Strip(x.r.Header, "") // another map, where Connection took something away
	x.r.URL.RawQuery = query
}

// origin is what conditions of policies are about.
func (x *exchange) from() identity.Origin {
	return identity.Origin{Source: x.state.source(x.client, x.r.Header), Secure: x.scheme == "https", Time: x.g.now()}
}

// verify proves the claim. A signature is for the data plane, and must cover the headers that make the request what it is.
func (x *exchange) verify(mustSign ...string) (*identity.User, error) {
	r := &sigv4.Request{
		Method: x.r.Method, Path: x.path, RawQuery: x.r.URL.RawQuery, Host: x.r.Host, Header: x.r.Header,
		Length: x.r.ContentLength, BodyHash: sha256.Sum256(x.body),
	}
	if host, ok := x.believed("X-Forwarded-Host"); ok {
		r.Host = host // what the client signed, before a proxy of ours made another of it
	}
	return x.state.identity.Verify(x.claim, r, sigv4.Check{Now: x.g.now(), Service: identity.DataPlane, MustSign: mustSign})
}

// actor is who a record says it was; the user may be nil.
func (x *exchange) actor(u *identity.User, from identity.Origin) audit.Actor {
	a := audit.Actor{Via: "anonymous"}
	if from.Source.IsValid() {
		a.Source = from.Source.String()
	}
	if u != nil {
		if a.User, a.Via = u.Name, "token"; x.claim.Signed() {
			a.Via = "signature"
		}
	}
	return a
}

// mayRefresh decides whether a client may make the gateway ask the backend although there may be a fresh answer. The reason of a
// refusal is for the log. The problem is for a credential that is ours and false.
func (x *exchange) mayRefresh() (bool, *problem) {
	from := x.from()
	var user *identity.User
	caller := "address " + from.Source.String()
	if x.m.RequireAuthorization {
		if x.claim == nil {
			x.refused(nil, from, "no credential of ours", &x.stage.refreshes.Anonymous)
			return false, nil
		}
		var err error
		if user, err = x.verify("cache-control"); err != nil {
			x.refused(nil, from, err.Error(), &x.stage.refreshes.False)
			return false, errFalse
		}
		caller = "user " + user.Name
		path := policy.DecodedPath(x.below)
		arn := x.state.identity.Names.Method(x.stage.name, x.verb, path)
		d := user.May(identity.InvalidateCache, arn, from)
		// A slash at the end makes no other resource for routes and declared keys, so it must not lead past a denial.
		if bare := strings.TrimRight(path, "/"); d.Allowed && bare != path {
			if n := user.May(identity.InvalidateCache, x.state.identity.Names.Method(x.stage.name, x.verb, bare), from); n.Statement != nil {
				d = n
			}
		}
		if !d.Allowed {
			x.refused(user, from, d.Reason()+": execute-api:InvalidateCache on "+arn, &x.stage.refreshes.Denied)
			return false, nil
		}
	}
	if !x.g.demands.allow(caller, x.g.now()) {
		x.refused(user, from, "more than 10 refreshes a second", &x.stage.refreshes.Limited)
		return false, nil
	}
	x.paid = true
	x.stage.refreshes.Allowed.Add(1)
	x.g.o.Audit.Write(audit.With(x.r.Context(), x.actor(user, from)),
		audit.Record{Action: audit.Refresh, Stage: x.stage.name, What: x.verb + " " + policy.DecodedPath(x.below), AtMost: 1})
	return true, nil
}

// refused counts a refusal and logs why: at most once a second for each stage where nobody in particular asked, because any
// browser's reload sends max-age=0, and likewise for credentials that are false.
func (x *exchange) refused(u *identity.User, from identity.Origin, reason string, count *atomic.Uint64) {
	n := count.Add(1)
	name, kind := "", 0
	if count == &x.stage.refreshes.False {
		kind = 1
	}
	if u != nil {
		name = u.Name
	} else if !x.stage.mayLog(kind, time.Now()) {
		return
	}
	x.g.log.Info("refresh denied", "stage", x.stage.name, "method", x.verb, "path", x.path, "user", name,
		"source", from.Source.String(), "reason", reason, "so_far", n)
}

// mayLog tells whether a second has passed since the last line of a kind.
func (s *site) mayLog(kind int, now time.Time) bool {
	last := s.logged[kind].Load()
	return now.Unix() > last && s.logged[kind].CompareAndSwap(last, now.Unix())
}
