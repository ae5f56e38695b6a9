package policy

import (
	"strings"
	"time"
)

// maxAge is where Age saturates (RFC 9111 1.2.2).
const maxAge = 2147483648

// Age gives the Age of a stored answer in whole seconds (RFC 9111 4.2.3): the time
// since it was stored, plus the age it had by then (initial: see InitialAge). A clock
// that went back makes it no younger than initial; it is never negative and saturates
// at 2^31.
func Age(stored, now time.Time, initial int64) int64 {
	initial = min(max(initial, 0), maxAge)
	resident := max(int64(now.Sub(stored)/time.Second), 0)
	return min(initial+min(resident, maxAge), maxAge)
}

// ParseAge reads the lines of an answer's Age header (RFC 9111 5.1): the first member
// of the first line counts. One that is no number is as good as none; one that is too
// large saturates at 2^31.
func ParseAge(values []string) (seconds int64, ok bool) {
	if len(values) == 0 {
		return 0, false
	}
	first, _, _ := strings.Cut(values[0], ",")
	s := parseSeconds(trimOWS(first), false)
	if s.Bad || strings.HasPrefix(trimOWS(first), `"`) {
		return 0, false
	}
	return s.Value, true
}

// InitialAge gives the age of an answer when it came, in whole seconds (RFC 9111
// 4.2.3, corrected_initial_age): the larger of what its Date says, and what its Age
// says plus the time that the request took. A Date in the future, or none, says
// nothing.
func InitialAge(h map[string][]string, asked, came time.Time) int64 {
	var apparent int64
	if date, ok := dateField(h["Date"], came); ok {
		apparent = max(0, came.Unix()-date.Unix())
	}
	age, _ := ParseAge(h["Age"])
	delay := max(0, int64(came.Sub(asked)/time.Second))
	return min(max(apparent, age+delay), maxAge)
}

// dateField reads a header that holds one date. Several lines are none, unless they are the same.
func dateField(values []string, now time.Time) (time.Time, bool) {
	if len(values) == 0 {
		return time.Time{}, false
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return time.Time{}, false
		}
	}
	return ParseDate(trimOWS(values[0]), now)
}
