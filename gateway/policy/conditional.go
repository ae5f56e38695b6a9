package policy

import (
	"cmp"
	"strings"
	"time"
)

// Validators are what a stored answer can be compared by, as its headers have
// them; empty if it has none. Make them with NewValidators.
type Validators struct {
	ETag         string
	LastModified string
	Date         string // makes LastModified a strong validator if it is at least a second later
}

// NewValidators takes the values of an answer's headers. White space around them is no part of them (RFC 9110 5.5), and not every backend's
// protocol takes it off.
func NewValidators(etag, lastModified, date string) Validators {
	return Validators{ETag: trimOWS(etag), LastModified: trimOWS(lastModified), Date: trimOWS(date)}
}

// Conditional holds the lines of a request's conditional headers; no lines: the
// header is absent.
type Conditional struct {
	IfNoneMatch, IfModifiedSince, IfMatch, IfUnmodifiedSince, IfRange []string
}

// A Condition is what the preconditions of a GET or HEAD come to.
type Condition int

const (
	Proceed            Condition = iota // serve the answer
	NotModified                         // 304
	PreconditionFailed                  // 412
)

// Evaluate evaluates the preconditions of a GET or HEAD against a stored answer,
// in the order of RFC 9110 13.2.2: If-Match, or else If-Unmodified-Since; then
// If-None-Match, or else If-Modified-Since. If-Match compares strongly,
// If-None-Match weakly. A date that is malformed or that came on several lines is
// ignored. An answer without Last-Modified is not modified since its Date (RFC 9111
// 4.3.2), and If-Unmodified-Since does not apply to it (13.1.4).
// If-Range is not looked at: see RangeAllowed.
//
// Call it only where the stored answer is a 2xx: preconditions do not apply to any
// other (13.2.1).
func Evaluate(c Conditional, v Validators) Condition {
	if len(c.IfMatch) > 0 {
		if !anyETag(c.IfMatch, v.ETag, true) {
			return PreconditionFailed
		}
	} else if later, ok := modifiedAfter(v.LastModified, c.IfUnmodifiedSince); ok && later {
		return PreconditionFailed
	}
	if len(c.IfNoneMatch) > 0 {
		if anyETag(c.IfNoneMatch, v.ETag, false) {
			return NotModified
		}
	} else if later, ok := modifiedAfter(cmp.Or(v.LastModified, v.Date), c.IfModifiedSince); ok && !later {
		return NotModified
	}
	return Proceed
}

// RangeAllowed reports whether a Range may be honoured (RFC 9110 13.1.5): there
// is no If-Range, or it equals the stored answer's validator by the strong
// comparison. A weak entity tag never does; a date does only if it is exactly the
// Last-Modified and that is known to be strong (8.8.2.2). If not: serve the whole
// answer.
func RangeAllowed(ifRange []string, v Validators) bool {
	if len(ifRange) == 0 {
		return true
	}
	if len(ifRange) > 1 {
		return false
	}
	value := trimOWS(ifRange[0])
	if tag, rest, ok := cutETag(value); ok {
		return rest == "" && strongMatch(tag, v.ETag)
	}
	asked, ok1 := parseDate(value)
	modified, ok2 := parseDate(v.LastModified)
	date, ok3 := parseDate(v.Date)
	return ok1 && ok2 && ok3 && asked.Equal(modified) && date.Sub(modified) >= time.Second
}

// anyETag reports whether the lines of an If-Match or If-None-Match match tag.
// "*" matches any answer there is.
func anyETag(lines []string, tag string, strong bool) bool {
	for _, line := range lines {
		rest := trimOWS(line)
		if rest == "*" {
			return true
		}
		for {
			rest = strings.TrimLeft(rest, " \t,")
			t, tail, ok := cutETag(rest)
			if !ok {
				break // the end, or something that is no entity tag: where it would end is anyone's guess
			}
			if strong && strongMatch(t, tag) || !strong && weakMatch(t, tag) {
				return true
			}
			rest = trimOWS(tail)
			if rest != "" && rest[0] != ',' {
				break
			}
		}
	}
	return false
}

// cutETag cuts an entity tag (RFC 9110 8.8.3) off the front of s. The opaque part
// may hold commas, and never a quote.
func cutETag(s string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if start >= len(s) || s[start] != '"' {
		return "", s, false
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c <= ' ' || c == 0x7f:
			return "", s, false
		}
	}
	return "", s, false
}

// isETag reports whether s is exactly one entity tag.
func isETag(s string) bool {
	_, rest, ok := cutETag(s)
	return ok && rest == ""
}

// weakMatch and strongMatch are the two comparisons of RFC 9110 8.8.3.2. What is
// no entity tag matches nothing.
func weakMatch(a, b string) bool {
	return isETag(a) && strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

func strongMatch(a, b string) bool { return a == b && isETag(a) && a[0] == '"' }

// modifiedAfter compares a Last-Modified with the date of a conditional header;
// ok tells that both are there and can be read.
func modifiedAfter(lastModified string, lines []string) (later, ok bool) {
	if len(lines) != 1 || lastModified == "" {
		return false, false
	}
	since, ok1 := parseDate(trimOWS(lines[0]))
	modified, ok2 := parseDate(lastModified)
	return modified.After(since), ok1 && ok2
}
