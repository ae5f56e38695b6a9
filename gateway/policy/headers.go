package policy

import (
	"net/textproto"
	"strings"
)

// hopByHop are the fields that belong to one connection (RFC 9110 7.6.1) and the
// older ones that still turn up.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Authentication-Info", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// endToEnd are the fields that a Connection header must not remove although it
// lists them: a client could otherwise strip what a cache or a backend relies on.
var endToEnd = map[string]bool{
	"Accept-Encoding": true, "Age": true, "Authorization": true, "Cache-Control": true, "Cache-Status": true,
	"Cache-Tag": true, "Cdn-Cache-Control": true, "Cdn-Loop": true, "Cookie": true, "Date": true, "Etag": true,
	"Expires": true, "Forwarded": true, "Host": true, "Last-Modified": true, "Location": true, "Origin": true,
	"Pragma": true, "Range": true, "Set-Cookie": true, "Surrogate-Control": true, "Surrogate-Key": true,
	"Vary": true, "Via": true, "Warning": true, "Www-Authenticate": true,
}

var endToEndPrefixes = [...]string{"Content-", "X-Forwarded-", "If-", "X-Amz-", "Access-Control-"}

func mayBeListed(name string) bool {
	if endToEnd[name] {
		return false
	}
	for _, p := range endToEndPrefixes {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	return true
}

// MayBeTrailer tells a field that may be forwarded behind a body (RFC 9110 6.5.1): none that frames a message, routes it, or that
// a cache or a backend relies on, for some merge trailers into the header.
func MayBeTrailer(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	for _, hop := range hopByHop {
		if name == hop {
			return false
		}
	}
	for _, n := range unkeyed {
		if name == n {
			return false
		}
	}
	return mayBeListed(name)
}

// RemoveHopByHop removes the fields that end at this hop, in a request or a
// response: the fixed ones, and what Connection lists, but for the end-to-end
// fields that a cache or a backend depends on (RFC 9110 7.6.1 forbids to list
// those; clients do, to strip them). Call it before anything is keyed or decided:
// a field that it removes is not forwarded, so it must not be keyed.
func RemoveHopByHop(h map[string][]string) {
	for _, line := range h["Connection"] {
		for rest := line; rest != ""; {
			var name string
			name, rest = nextMember(rest)
			if !isToken(name) {
				continue
			}
			if name = textproto.CanonicalMIMEHeaderKey(name); mayBeListed(name) {
				delete(h, name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// unkeyed are request fields by which many backends let a client choose the URL,
// the method or the host that they answer for. None is part of a key.
var unkeyed = [...]string{
	"X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Override-Url",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
	"X-Host", "X-Original-Host", "X-Http-Host-Override", "X-Forwarded", "Forwarded-For",
	"Forwarded", "X-Url-Scheme", "Front-End-Https", "Expect",
}

// RemoveUnkeyed removes from a cacheable request the fields that change an answer
// without being in the key (cache poisoning by unkeyed headers): URL, method and
// host overrides, Forwarded, and all of X-Forwarded-* but For, Host and Proto, which
// the gateway sets itself. Whether the client's own For, Host and Proto were
// believed must be decided before.
func RemoveUnkeyed(h map[string][]string) {
	for _, name := range unkeyed {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			switch name {
			case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
			default:
				delete(h, name)
			}
		}
	}
}

// RemoveConditionals removes Range and every If-* field. An answer to one
// client's condition (304, 412, 206, 416) must never be fetched for all of them;
// conditions are evaluated against the stored answer instead (RFC 9111 4.3.1).
func RemoveConditionals(h map[string][]string) {
	delete(h, "Range")
	delete(h, "Request-Range")
	delete(h, "If")
	for name := range h {
		if strings.HasPrefix(name, "If-") {
			delete(h, name)
		}
	}
}

// RemoveBodyFields removes the fields that describe a body: for a cacheable GET,
// whose body is not forwarded. A Content-Type alone makes some backends fail, and
// the failure would be stored for all.
func RemoveBodyFields(h map[string][]string) {
	for name := range h {
		if strings.HasPrefix(name, "Content-") {
			delete(h, name)
		}
	}
}

// KeepOnly removes all request fields but the allowed ones and those that every
// request to a backend needs: Accept-Encoding (in its normal form), Host, Via and
// CDN-Loop (the guards against loops) and X-Forwarded-*. Names in allowed may be in
// any case. User-Agent, Cookie and Authorization stay only if they are listed.
func KeepOnly(h map[string][]string, allowed []string) {
	for name := range h {
		if !alwaysKept(name) && !inFold(allowed, name) {
			delete(h, name)
		}
	}
}

func alwaysKept(name string) bool {
	switch name {
	case "Accept-Encoding", "Host", "Via", "Cdn-Loop":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

func inFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
