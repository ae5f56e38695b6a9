package policy

import "time"

// downWindow is how long a stale answer stands in, in mode http, for a backend that gives no answer at all, where neither
// the answer nor the settings say anything of the kind (RFC 9111 4.2.4 permits it for a cache that is disconnected).
const downWindow = time.Hour

// DecideHTTP decides for mode http, a shared cache by RFC 9111 3, where the lifetime is what the answer says (see Lifetime).
// The settings' TTL is only the freshness of answers that state none and could be stored in mode apigateway too, and
// NegativeTTL that of such 404 and 410.
//
// Not stored, and Private: no-store, unless must-understand lets this cache ignore it (RFC 9111 5.2.2.3); private; Set-Cookie
// (RFC 9111 7.3 leaves it to the backend's caution, and a session that goes to two clients cannot be called back); Vary: *
// or one too long to follow; an answer to a request with Authorization, unless it says public, must-revalidate or s-maxage
// (3.5); one to a request with cookies whose lifetime is not the backend's word, unless it says public; event streams.
//
// Not stored: what DecideAPIGateway leaves out for the method or the size; what answers one request alone (304, 401, 412, 416,
// 429, 431 and the like); 206 (parts are kept elsewhere: see Part); any
// status without a lifetime that does not count as cacheable by default; and what is stale on arrival without a validator
// or a window (RFC 5861) that would make it useful.
//
// Other errors than 404 and 410 are fresh for a minute at most, and never used stale.
//
// What comes with no-cache is stored if it has a validator, with no freshness.
func DecideHTTP(in StoreInput) StoreDecision {
	cc, targeted := ResponseDirectives(in.Header)
	in.CC = cc
	if cc.MustUnderstand {
		if !understood(in.Status) {
			return StoreDecision{Reason: ReasonUnclear, Private: true}
		}
		in.CC.NoStore = false
	}
	forCredentials := cc.Public || cc.MustRevalidate || cc.SMaxAge.Set
	lifetime, stated := Lifetime(FreshnessInput{Status: in.Status, Header: in.Header, CC: cc, Targeted: targeted, Came: in.Came})
	if reason := clientReason(&in, forCredentials, cc.Public || stated == Explicit); reason != "" {
		return StoreDecision{Reason: reason, Private: true}
	}
	reason := ""
	switch {
	case !storableMethod(in.Method, in.MethodOverride):
		reason = ReasonMethod
	case in.Status == 206 && !in.Part || in.Status < 200:
		reason = ReasonRange
	case aboutOneRequest(in.Status):
		reason = ReasonStatus
	case in.BodyTooLarge:
		reason = ReasonTooLarge
	case !tagsFit(in.Tags):
		reason = ReasonTooManyTags
	case in.Status >= 300 && in.Status < 400 && redirectsToItself(in.RequestURL, in.Header["Location"]):
		reason = ReasonRedirectLoop
	}
	if reason != "" {
		return StoreDecision{Reason: reason}
	}
	if stated != Explicit {
		switch in.Status {
		case 200, 203, 300, 301, 308:
			if in.TTL > 0 {
				lifetime, stated = in.TTL, Guessed
			}
		case 404, 410:
			if in.NegativeTTL > 0 {
				lifetime, stated = in.NegativeTTL, Guessed
			}
		}
	}
	d := StoreDecision{
		Store: true, ForCredentials: forCredentials, InitialAge: InitialAge(in.Header, in.Asked, in.Came),
		NeverStale:           cc.NoCache || cc.MustRevalidate || cc.ProxyRevalidate || cc.SMaxAge.Set,
		StaleWhileRevalidate: window(cc.StaleWhileRevalidate), StaleIfError: window(cc.StaleIfError),
	}
	if cc.NoCache {
		lifetime = 0
	}
	if isError(in.Status) {
		lifetime, d.NeverStale = min(lifetime, maxErrorLife), true
	}
	return d.keep(&in, lifetime, stated)
}

// maxErrorLife bounds the freshness that a backend may state for an error. Many servers put the same Cache-Control on all that they
// send, and a client that finds a header on which one chokes must not shut out everybody for as long (cpdos.org).
const maxErrorLife = time.Minute

// isError tells the statuses that are errors, but for those that say that there is nothing here, and for how long.
func isError(status int) bool { return status >= 400 && status != 404 && status != 410 }

// aboutOneRequest tells the statuses that answer something in the request that asked (its conditions, its range, its credentials,
// its size, its speed) and so nobody else's, whatever lifetime they state. A 304 updates an entry (RFC 9111 4.3.4), and is none.
func aboutOneRequest(status int) bool {
	switch status {
	case 304, 401, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429, 431:
		return true
	}
	return false
}

// keep finishes the decision to store an answer, once its lifetime is known.
func (d StoreDecision) keep(in *StoreInput, lifetime time.Duration, stated Stated) StoreDecision {
	d.TTL = lifetime - time.Duration(d.InitialAge)*time.Second
	standIn := time.Duration(0)
	if !d.NeverStale {
		standIn = max(or(d.StaleWhileRevalidate, in.StaleWhileRevalidate), or(d.StaleIfError, in.StaleIfError))
	}
	if d.TTL <= 0 {
		validatable := validatorsOf(in.Header).Usable() && (stated != NotStated || heuristicStatus(in.Status))
		switch {
		case stated == NotStated && !validatable:
			return StoreDecision{Reason: defaultReason(in.Status)}
		case !validatable && standIn <= -d.TTL:
			return StoreDecision{Reason: ReasonStale}
		}
	} else if !d.NeverStale && d.StaleIfError < 0 {
		standIn = max(standIn, downWindow)
	}
	d.Retain = retention(in, lifetime, standIn) + max(0, -d.TTL)
	if in.Part {
		d.Retain = 0 // a stale part is not worth a question: the whole is
		if d.TTL <= 0 {
			return StoreDecision{Reason: ReasonStale}
		}
	}
	return d
}

// StatesLifetime reports whether an answer itself says how long it is fresh (RFC 9111 4.2.1).
func StatesLifetime(h map[string][]string) bool {
	cc, targeted := ResponseDirectives(h)
	return cc.SMaxAge.Set || cc.MaxAge.Set || len(h["Expires"]) > 0 && !targeted
}

// defaultReason is why an answer that states no lifetime is not stored.
func defaultReason(status int) string {
	switch status {
	case 404, 410:
		return ReasonNegativeTTL
	case 200, 203, 300, 301, 308:
		return ReasonTTL
	}
	return ReasonStatus
}

// window is how long a directive of RFC 5861 lets a stale answer stand in; below zero: it says nothing.
func window(s Seconds) time.Duration {
	if !s.Set {
		return -1
	}
	return time.Duration(s.Value) * time.Second
}

// or takes the answer's window, or the settings' where the answer says nothing.
func or(stated, setting time.Duration) time.Duration {
	if stated >= 0 {
		return stated
	}
	return setting
}

// StaleInput is what decides whether a stale answer stands in for one that the backend did not give.
type StaleInput struct {
	HTTP       bool          // mode http
	NeverStale bool          // see StoreDecision
	Stated     time.Duration // the answer's stale-if-error; below zero: it does not say
	Setting    time.Duration // stale_if_error of the settings
	Past       time.Duration // for how long the answer has been stale; below zero for one that was softly purged
	Answered   bool          // the backend did answer, if only with an error
	Demanded   bool          // the request asked for the backend's word (no-cache, max-age, min-fresh)
}

// StaleIfError decides whether a stale answer stands in where the backend failed (RFC 5861 4, RFC 9111 4.2.4). In mode http
// one whose backend gave no answer at all does so for an hour, unless the answer says otherwise.
func StaleIfError(in StaleInput) bool {
	if in.NeverStale || in.Demanded {
		return false
	}
	allowed := or(in.Stated, in.Setting)
	if in.HTTP && !in.Answered && in.Stated < 0 {
		allowed = max(allowed, downWindow)
	}
	return allowed > 0 && in.Past < allowed
}
