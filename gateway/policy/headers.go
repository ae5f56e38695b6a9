package policy

import (
	"net/textproto"
	"slices"
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
	"Accept-Encoding": true, "Age": true, "Authorization": true, "Cache-Control": true, "Cache-Group-Invalidation": true,
	"Cache-Groups": true, "Cache-Status": true,
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
	name, _ = plainSpelling(name)
	return !steers(name)
}

// steers tells a field, in its canonical form, that frames or routes a message, or that a cache or a backend relies on.
func steers(name string) bool {
	return slices.Contains(hopByHop[:], name) || slices.Contains(unkeyed[:], name) || slices.Contains(claims[:], name) || !mayBeListed(name)
}

// plainSpelling is a field's name with "-" for whatever is neither a letter nor a digit, in the canonical form. odd tells that
// there was any such byte. Backends that make variables of header fields (CGI and what follows it: WSGI, Rack, PHP) cannot tell
// X_Forwarded_Host from X-Forwarded-Host: both are HTTP_X_FORWARDED_HOST.
func plainSpelling(name string) (plain string, odd bool) {
	for i := 0; i < len(name); i++ {
		if !isPlain(name[i]) {
			b := []byte(name)
			for ; i < len(b); i++ {
				if !isPlain(b[i]) {
					b[i] = '-'
				}
			}
			return textproto.CanonicalMIMEHeaderKey(string(b)), true
		}
	}
	return textproto.CanonicalMIMEHeaderKey(name), false
}

func isPlain(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-'
}

// RemoveAliases removes from a request the fields that a backend may take for one that frames or routes the message, or that
// it relies on, though their name is another (see plainSpelling). From a request whose answer may be for others too (shared)
// it removes all that a backend may take for another field, for that one may be in the key, or in the answer's Vary. keep names
// the fields that stay, in any case.
func RemoveAliases(h map[string][]string, shared bool, keep []string) {
	for name := range h {
		if plain, odd := plainSpelling(name); odd && (shared || steers(plain)) && !inFold(keep, name) {
			delete(h, name)
		}
	}
}

// Sound reports whether all names in an answer's header are names (RFC 9110 5.1). net/http gives those with a space before the
// colon as they came: whether the line "Content-Length : 5" counts is for every reader to decide, so nobody should have to.
func Sound(h map[string][]string) bool {
	for name := range h {
		if !isToken(name) {
			return false
		}
	}
	return true
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
	"X-Host", "X-Original-Host", "X-Backend-Host", "X-Http-Host-Override", "X-Forwarded", "Forwarded-For",
	"Forwarded", "X-Url-Scheme", "Front-End-Https", "Expect", "X-Http-Destinationurl", "Base-Url", "Request-Uri",
	"Proxy", // CGI makes HTTP_PROXY of it, which many HTTP clients obey
	// What a framework tells itself: a client's word would skip its middleware, or make it answer with an error.
	"X-Middleware-Subrequest", "X-Middleware-Prefetch", "X-Invoke-Status", "X-Invoke-Path", "X-Invoke-Query",
}

// claims are request fields by which proxies of many makes tell a backend who the client is. Like X-Forwarded-For they are
// worth as much as whoever sent them.
var claims = [...]string{
	"X-Real-Ip", "True-Client-Ip", "X-Client-Ip", "Client-Ip", "X-Cluster-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
	"X-Remote-Addr", "X-Remote-Ip", "X-Originating-Ip", "X-Forwarder-For",
}

// RemoveClaims removes what a client says about its own address, but for X-Forwarded-For, which the gateway sets itself. keep
// names the fields that stay, in any case.
func RemoveClaims(h map[string][]string, keep []string) {
	for _, name := range claims {
		if h[name] != nil && !inFold(keep, name) {
			delete(h, name)
		}
	}
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

// What the most careful of common servers take of a request's header: Apache and gunicorn a hundred fields, Tomcat and nginx
// 8 KiB (others 16 KiB and more).
const (
	maxFields    = 100
	maxFieldsSum = 8 << 10
)

// Oversized reports whether a request's header is one that a backend may well refuse for its size (the HHO variant of cpdos.org):
// an answer to it is no answer for others, even if the backend says how long it is fresh.
func Oversized(h map[string][]string) bool {
	fields, sum := 0, 0
	for name, values := range h {
		fields += len(values)
		for _, v := range values {
			sum += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return fields > maxFields || sum > maxFieldsSum
}
