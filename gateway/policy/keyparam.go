package policy

import (
	"fmt"
	"strings"
)

// Where a key parameter is read from.
const (
	FromMethod      = "method"      // the client's request
	FromIntegration = "integration" // the request to the backend

	InPath   = "path"
	InQuery  = "querystring"
	InHeader = "header"
)

// A KeyParameter is one entry of an integration's cacheKeyParameters.
type KeyParameter struct {
	Source   string // FromMethod or FromIntegration
	Location string // InPath, InQuery or InHeader
	Name     string // case-sensitive
}

// String gives the parameter in API Gateway's spelling.
func (p KeyParameter) String() string { return p.Source + ".request." + p.Location + "." + p.Name }

// ParseKeyParameter reads a name in API Gateway's spelling:
// method.request.path.NAME, method.request.querystring.NAME or
// method.request.header.NAME, or the same with integration. As there, the body
// and the multi-value maps cannot be keys ("Enable API caching"; API Gateway
// answers "Invalid mapping expression specified").
func ParseKeyParameter(s string) (KeyParameter, error) {
	bad := func(why string) (KeyParameter, error) {
		return KeyParameter{}, fmt.Errorf("cache key parameter %q: %s", s, why)
	}
	const want = "want method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME (or integration.request...)"
	source, rest, ok := strings.Cut(s, ".request.")
	if !ok || source != FromMethod && source != FromIntegration {
		return bad(want)
	}
	location, name, _ := strings.Cut(rest, ".")
	switch location {
	case InPath:
		if !isParamName(name) {
			return bad("a path parameter's name is made of letters, digits and ._$-")
		}
	case InQuery:
		if !isPrintable(name) {
			return bad("the query parameter's name is missing or holds a space or a control byte")
		}
	case InHeader:
		if !isToken(name) {
			return bad("the name is missing or not a header's name")
		}
	case "multivaluequerystring", "multivalueheader":
		return bad("multi-value parameters cannot be cache keys: use querystring or header, which take all values")
	case "body":
		return bad("the body cannot be a cache key")
	default:
		return bad(want)
	}
	return KeyParameter{source, location, name}, nil
}

func isPrintable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// Cookie gives every value of one cookie in the lines of a Cookie header, in
// the order they came in; none if it is absent, [""] if it is there and empty.
// Names are case-sensitive; values are raw, quotes included (RFC 6265 5.4). A
// pair without "=" counts as a cookie of that name with an empty value, as
// net/http reads it.
func Cookie(header []string, name string) (values []string) {
	for _, line := range header {
		for more := true; more; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			n, v, _ := strings.Cut(trimOWS(pair), "=")
			if n = trimOWS(n); n != "" && n == name {
				values = append(values, trimOWS(v))
			}
		}
	}
	return values
}
