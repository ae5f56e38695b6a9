package policy

import "time"

// Held is what a stored answer says to a request.
type Held struct {
	Age        int64         // in seconds: see Age
	Left       time.Duration // of freshness; below zero: for how long it has been stale
	Stale      bool          // also by a soft purge, whatever Left says
	NeverStale bool          // it must not be used stale (RFC 9111 4.2.4)
	// StaleWhileRevalidate is how long after its freshness it may be used while it is fetched anew (RFC 5861 3).
	StaleWhileRevalidate time.Duration
}

// Reuse is what may be done with a stored answer.
type Reuse int

const (
	Serve      Reuse = iota // fresh enough for this request
	ServeStale              // stale, but the client takes it so
	Refresh                 // stale: serve it, and fetch it anew in the background
	Validate                // ask the backend first
)

// DecideReuse decides for mode http whether a stored answer may be used for a request with these directives (RFC 9111 4.2,
// 5.2.1, RFC 5861 3). A directive whose number cannot be read counts as absent: a client's typing error should not send
// its requests past the cache.
func DecideReuse(h Held, req Directives) Reuse {
	if req.NoCache {
		return Validate
	}
	if req.MaxAge.Set && !req.MaxAge.Bad && (h.Age > req.MaxAge.Value || req.MaxAge.Value == 0) {
		return Validate
	}
	if req.MinFresh.Set && !req.MinFresh.Bad && h.Left < time.Duration(req.MinFresh.Value)*time.Second {
		return Validate
	}
	switch {
	case !h.Stale:
		return Serve
	case h.NeverStale:
		return Validate
	case req.MaxStale.Set && !req.MaxStale.Bad && -h.Left <= time.Duration(req.MaxStale.Value)*time.Second:
		return ServeStale
	case h.StaleWhileRevalidate > 0 && -h.Left < h.StaleWhileRevalidate:
		return Refresh
	}
	return Validate
}

// RequestDirectives gives the directives of a request: those of Cache-Control, or where there is none no-cache if Pragma
// says it (RFC 9111 5.4).
func RequestDirectives(h map[string][]string) Directives {
	if cc := h["Cache-Control"]; len(cc) > 0 {
		return ParseCacheControl(cc)
	}
	if pragma := h["Pragma"]; len(pragma) > 0 {
		return Directives{NoCache: ParseCacheControl(pragma).NoCache}
	}
	return Directives{}
}

// Demands tells whether a request asks for more than a fresh answer from the cache: that the backend be asked although
// there may be one.
func Demands(d Directives) bool {
	return d.NoCache || d.MaxAge.Set && !d.MaxAge.Bad || d.MinFresh.Set && !d.MinFresh.Bad
}
