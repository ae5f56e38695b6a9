package gateway

import "net/http"

// fields says which of the request headers that a hit has to look at a request has. Most requests have next to none of
// them, and one walk over what is there costs less than a look for each that might be.
type fields uint32

const (
	hasAccept fields = 1 << iota
	hasAuthorization
	hasDirectives // Cache-Control or Pragma
	hasConnection
	hasCookie
	hasCondition // If-None-Match and the like
	hasRange
	hasUpgrade
	hasVia
	hasForwarded // X-Forwarded-*
)

func fieldsOf(h http.Header) (f fields) {
	for name := range h {
		switch name {
		case "Accept":
			f |= hasAccept
		case "Authorization":
			f |= hasAuthorization
		case "Cache-Control", "Pragma":
			f |= hasDirectives
		case "Connection":
			f |= hasConnection
		case "Cookie":
			f |= hasCookie
		case "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since":
			f |= hasCondition
		case "Range":
			f |= hasRange
		case "Upgrade":
			f |= hasUpgrade
		case "Via":
			f |= hasVia
		case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
			f |= hasForwarded
		}
	}
	return f
}

// has tells whether a request came with any of some headers. What Connection takes away is still counted, so an answer of true
// is a reason to look, no more.
func (x *exchange) has(f fields) bool { return x.fields&f != 0 }
