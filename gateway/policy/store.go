package policy

import (
	"net/url"
	"strings"
	"time"
)

// StoreInput is all that decides whether an answer is stored.
type StoreInput struct {
	Method         string // as the client sent it: HEAD is not GET here
	MethodOverride bool   // the settings name this method expressly
	RequestURL     string // the absolute URL the client asked for; empty: a redirect is not checked for a loop

	HasAuthorization   bool // the request had an Authorization of the backend's
	AuthorizationKeyed bool // ... whose value is part of the key
	CookieForwarded    bool // the request's cookies reached the backend
	CookieKeyed        bool // ... and all of them are part of the key
	SetCookieForAll    bool // the settings say that everybody may have a Set-Cookie

	Status       int
	Part         bool                // a 206 to a request for one range, to be stored as a part
	Header       map[string][]string // the answer's
	CC           Directives          // the answer's Cache-Control
	Tags         []string            // the answer's, from Tags
	BodyTooLarge bool                // known to be past max_object

	TTL         time.Duration // of the stage or the method; 0: caching is off, or in mode http that of answers that state none is 0
	NegativeTTL time.Duration // of 404 and 410; 0: they are not stored

	// How long a stale answer may stand in by the settings; in mode http the answer's own word comes first.
	StaleWhileRevalidate, StaleIfError time.Duration

	Asked, Came time.Time // when the request was sent and its answer came; mode http only
}

// StoreDecision tells whether an answer is stored, and how long it lives.
type StoreDecision struct {
	Store bool
	// TTL is the freshness that is left. In mode apigateway it is above zero if Store; in mode http it may be below, for an
	// answer that is kept to be validated or for bad times.
	TTL    time.Duration
	Retain time.Duration // how long past TTL the answer is kept, stale

	ForCredentials bool  // requests with credentials may have it too
	NeverStale     bool  // it must not be used stale, whatever the settings say (RFC 9111 4.2.4)
	InitialAge     int64 // seconds: see InitialAge

	// How long the answer itself lets a stale copy stand in (RFC 5861); below zero: it does not say.
	StaleWhileRevalidate, StaleIfError time.Duration

	// Reason says in one token why not: for Cache-Status and the log. It is
	// one of the Reason constants, empty if Store.
	Reason string

	// Private tells that the answer is for one client: nobody who waits for
	// it may have it, and nobody needs to wait for the next one.
	Private bool
}

// The reasons not to store. The first group is about the client who asked.
const (
	ReasonNoStore       = "no-store"
	ReasonPrivate       = "private"
	ReasonNoCache       = "no-cache"
	ReasonSetCookie     = "set-cookie"
	ReasonVaryStar      = "vary-star"
	ReasonVaryNames     = "vary-names" // more than MaxVaryNames
	ReasonAuthorization = "authorization"
	ReasonCookie        = "cookie"
	ReasonStream        = "stream" // an answer that is not meant to end

	ReasonMethod       = "method"
	ReasonRange        = "range"
	ReasonStatus       = "status"
	ReasonTTL          = "ttl"            // the lifetime is 0
	ReasonNegativeTTL  = "negative-ttl"   // 404 or 410, and the lifetime of those is 0
	ReasonStale        = "stale"          // it came stale, and there is nothing to validate it by
	ReasonUnclear      = "not-understood" // must-understand, and this cache does not know the status
	ReasonRedirectLoop = "redirect-loop"
	ReasonTooLarge     = "too-large"
	ReasonTooManyTags  = "too-many-tags"
)

// DecideAPIGateway decides for mode apigateway: the lifetime is the one that the
// settings give, whatever max-age, s-maxage or Expires say ("Enable API caching":
// the TTL of the stage or method; the backend's Cache-Control does not change
// it), but the backend's word that an answer is not for everyone holds, which API
// Gateway itself ignores.
//
// Not stored, and Private: no-store, private, no-cache (RFC 9111 5.2.2), Set-Cookie
// (RFC 9111 7.3), Vary: * or a Vary too long to follow (RFC 9111 4.1), an answer to
// a request with Authorization (RFC 9111 3.5) or with cookies, unless these are
// keyed or the answer is public, and event streams. These come first, so that
// Private is right even where another reason would do.
//
// Not stored: methods other than GET without an override, and HEAD, TRACE and
// CONNECT always (a HEAD answer under GET's key would be an empty body for
// everyone); anything partial (RFC 9111 3.3); statuses other than 200, 203, 300,
// 301, 308 with TTL and 404, 410 with NegativeTTL, so that an error provoked by one
// client is never served to another; a permanent redirect to the very URL asked for
// (a poisoned loop); a body past the limit; more tags than could be purged.
func DecideAPIGateway(in StoreInput) StoreDecision {
	reason := clientReason(&in, in.CC.Public, in.CC.Public)
	if reason == "" && in.CC.NoCache {
		reason = ReasonNoCache
	}
	if reason != "" {
		return StoreDecision{Reason: reason, Private: true}
	}
	ttl := in.TTL
	switch {
	case !storableMethod(in.Method, in.MethodOverride):
		reason = ReasonMethod
	case in.Status == 206 || len(in.Header["Content-Range"]) > 0:
		reason = ReasonRange
	case in.TTL <= 0:
		reason = ReasonTTL
	case in.BodyTooLarge:
		reason = ReasonTooLarge
	case !tagsFit(in.Tags):
		reason = ReasonTooManyTags
	default:
		switch in.Status {
		case 200, 203, 300:
		case 301, 308:
			if redirectsToItself(in.RequestURL, in.Header["Location"]) {
				reason = ReasonRedirectLoop
			}
		case 404, 410:
			if ttl = in.NegativeTTL; ttl <= 0 {
				reason = ReasonNegativeTTL
			}
		default:
			reason = ReasonStatus
		}
	}
	if reason != "" {
		return StoreDecision{Reason: reason}
	}
	age, _ := ParseAge(in.Header["Age"])
	return StoreDecision{
		Store: true, TTL: ttl, Retain: retention(&in, ttl, max(in.StaleWhileRevalidate, in.StaleIfError)),
		ForCredentials: in.CC.Public, InitialAge: age, StaleWhileRevalidate: -1, StaleIfError: -1,
	}
}

// The least and the most time for which an answer with a validator is kept after its freshness, so that the backend can be
// asked whether it still holds.
const (
	minValidation = time.Hour
	maxValidation = 24 * time.Hour
)

// retention is how long an answer is of use after its freshness of ttl: window is how long it may stand in.
func retention(in *StoreInput, ttl, window time.Duration) time.Duration {
	if validatorsOf(in.Header).Usable() {
		return max(window, min(max(ttl, minValidation), maxValidation))
	}
	return window
}

func validatorsOf(h map[string][]string) Validators {
	first := func(name string) string {
		if v := h[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	return NewValidators(first("Etag"), first("Last-Modified"), first("Date"))
}

// clientReason looks for a reason that lies in the client who asked: forCredentials and forCookies tell that the answer is
// for everybody although such were sent.
func clientReason(in *StoreInput, forCredentials, forCookies bool) string {
	switch {
	case in.CC.NoStore:
		return ReasonNoStore
	case in.CC.Private:
		return ReasonPrivate
	case len(in.Header["Set-Cookie"]) > 0 && !in.SetCookieForAll:
		return ReasonSetCookie
	case in.HasAuthorization && !in.AuthorizationKeyed && !forCredentials:
		return ReasonAuthorization
	case in.CookieForwarded && !in.CookieKeyed && !forCookies:
		return ReasonCookie
	case isStream(in.Header["Content-Type"]):
		return ReasonStream
	}
	names, star := ParseVary(in.Header["Vary"])
	switch {
	case star:
		return ReasonVaryStar
	case len(names) > MaxVaryNames:
		return ReasonVaryNames
	}
	return ""
}

func storableMethod(method string, override bool) bool {
	switch method {
	case "GET":
		return true
	case "HEAD", "TRACE", "CONNECT":
		return false
	}
	return override
}

// isStream reports whether an answer is of a type that is delivered piece by
// piece for as long as the client listens.
func isStream(contentType []string) bool {
	for _, ct := range contentType {
		media, _, _ := strings.Cut(ct, ";")
		media = trimOWS(media)
		if strings.EqualFold(media, "text/event-stream") || strings.EqualFold(media, "multipart/x-mixed-replace") ||
			len(media) >= 16 && strings.EqualFold(media[:16], "application/grpc") {
			return true
		}
	}
	return false
}

// redirectsToItself reports whether a Location, relative or not, is the URL that
// was asked for; the fragment does not count. A Location that cannot be read is
// taken for a loop: nobody could follow it anyway.
func redirectsToItself(request string, locations []string) bool {
	if request == "" {
		return false
	}
	base, err := url.Parse(request)
	if err != nil {
		return true
	}
	for _, l := range locations {
		to, err := base.Parse(trimOWS(l))
		if err != nil || sameURL(base, to) {
			return true
		}
	}
	return false
}

func sameURL(a, b *url.URL) bool {
	if !strings.EqualFold(a.Scheme, b.Scheme) || a.RawQuery != b.RawQuery {
		return false
	}
	pathOf := func(u *url.URL) string {
		if p := u.EscapedPath(); p != "" {
			return p
		}
		return "/"
	}
	hostOf := func(u *url.URL) string {
		if h, err := CleanHost(u.Host, strings.ToLower(u.Scheme)); err == nil {
			return h
		}
		return strings.ToLower(u.Host)
	}
	return pathOf(a) == pathOf(b) && hostOf(a) == hostOf(b)
}

// ClientRefresh reports whether a request asks for its entry to be refreshed:
// Cache-Control: max-age=0, the only directive of a request that counts in mode
// apigateway ("Enable API caching", invalidate an API Gateway cache entry). A
// max-age that cannot be read is not 0 here.
func ClientRefresh(d Directives) bool {
	return d.MaxAge.Set && d.MaxAge.Value == 0 && !d.MaxAge.Bad
}
