package policy

import "time"

// Longest lifetimes that are guessed rather than stated.
const (
	maxHeuristic      = 24 * time.Hour
	maxErrorHeuristic = time.Minute // of an error, which may be over at any moment
)

// Stated tells where a lifetime comes from.
type Stated int

const (
	NotStated Stated = iota // the answer says nothing from which a lifetime follows
	Guessed                 // from Last-Modified (RFC 9111 4.2.2)
	Explicit                // s-maxage, max-age or Expires (RFC 9111 4.2.1)
)

// FreshnessInput is what a lifetime follows from.
type FreshnessInput struct {
	Status   int
	Header   map[string][]string
	CC       Directives // those that count: see ResponseDirectives
	Targeted bool       // they are from a targeted field: Expires is ignored (RFC 9213 2.2)
	Came     time.Time  // when the answer came
}

// Lifetime gives the freshness lifetime of an answer in a shared cache (RFC 9111 4.2.1): s-maxage, else max-age, else
// Expires less Date, else for some statuses a tenth of the time since Last-Modified, at most a day, and a minute for
// errors. A number or a date that cannot be read makes the answer stale: the lifetime is 0, and Explicit. It is never
// negative.
func Lifetime(in FreshnessInput) (time.Duration, Stated) {
	switch {
	case in.CC.SMaxAge.Set:
		return time.Duration(in.CC.SMaxAge.Value) * time.Second, Explicit
	case in.CC.MaxAge.Set:
		return time.Duration(in.CC.MaxAge.Value) * time.Second, Explicit
	}
	date, ok := dateField(in.Header["Date"], in.Came)
	if !ok {
		date = in.Came // RFC 9110 6.6.1
	}
	if expires := in.Header["Expires"]; len(expires) > 0 && !in.Targeted {
		until, ok := dateField(expires, in.Came)
		if !ok {
			return 0, Explicit
		}
		return min(max(0, until.Sub(date)), maxSeconds*time.Second), Explicit
	}
	modified, ok := dateField(in.Header["Last-Modified"], in.Came)
	if !ok || !in.CC.Public && !heuristicStatus(in.Status) {
		return 0, NotStated
	}
	longest := maxHeuristic
	if in.Status >= 400 {
		longest = maxErrorHeuristic
	}
	return min(max(0, date.Sub(modified)/10), longest), Guessed
}

// heuristicStatus tells the statuses that are cacheable by default (RFC 9110 15.1). 206 is one of them, but is not stored
// as a whole answer.
func heuristicStatus(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood tells the statuses whose caching requirements this cache knows: the final ones of RFC 9110 15 (for
// must-understand, RFC 9111 5.2.2.3).
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 206, status >= 300 && status <= 305, status == 307, status == 308:
		return true
	case status >= 400 && status <= 417, status == 421, status == 422, status == 426:
		return true
	}
	return status >= 500 && status <= 505
}
