package policy

import (
	"strconv"
	"strings"
)

// The values of CacheStatus.Forward (RFC 9211 2.2).
const (
	ForwardBypass   = "bypass"
	ForwardMethod   = "method"
	ForwardURIMiss  = "uri-miss"
	ForwardVaryMiss = "vary-miss"
	ForwardMiss     = "miss"
	ForwardRequest  = "request"
	ForwardStale    = "stale"
	ForwardPartial  = "partial" // a part is stored, and not all that was asked for
)

// CacheStatus is what the Cache-Status of an answer says about this cache.
type CacheStatus struct {
	Hit           bool
	Forward       string // why the request was forwarded; not with Hit
	ForwardStatus int    // the backend's status; 0: it did not answer
	Stored        bool   // the backend's answer was stored
	Collapsed     bool   // several requests waited for one answer
	TTL           int64  // seconds of freshness left; below zero: stale
	HasTTL        bool
	Detail        string // anything; made safe for the header
}

// maxInteger is the largest integer of structured fields (RFC 8941 3.3.1).
const maxInteger = 999_999_999_999_999

// Append appends the member of this cache for a Cache-Status header (RFC 9211),
// such as "stagecache; hit; ttl=12". With Hit, what concerns forwarding is left
// out: the two exclude each other (2.1, 2.2). Detail is a token if it can be one, else
// a string, with anything but printable ASCII replaced by "?"; a Forward that is no
// token is left out. The result always parses as a structured field. It does not
// allocate if dst has room.
func (c CacheStatus) Append(dst []byte) []byte {
	dst = append(dst, "stagecache"...)
	if c.Hit {
		dst = append(dst, "; hit"...)
	} else if isFieldToken(c.Forward) {
		dst = append(dst, "; fwd="...)
		dst = append(dst, c.Forward...)
		if c.ForwardStatus != 0 {
			dst = append(dst, "; fwd-status="...)
			dst = appendInteger(dst, int64(c.ForwardStatus))
		}
	}
	if c.HasTTL {
		dst = append(dst, "; ttl="...)
		dst = appendInteger(dst, c.TTL)
	}
	if c.Stored && !c.Hit {
		dst = append(dst, "; stored"...)
	}
	if c.Collapsed && !c.Hit {
		dst = append(dst, "; collapsed"...)
	}
	switch {
	case c.Detail == "":
	case isFieldToken(c.Detail):
		dst = append(dst, "; detail="...)
		dst = append(dst, c.Detail...)
	default:
		dst = append(dst, "; detail="...)
		dst = appendFieldString(dst, c.Detail)
	}
	return dst
}

func appendInteger(dst []byte, v int64) []byte {
	return strconv.AppendInt(dst, max(-maxInteger, min(v, maxInteger)), 10)
}

// isFieldToken reports whether s is a token of structured fields (RFC 8941 3.3.4).
func isFieldToken(s string) bool {
	if s == "" || s[0] != '*' && (s[0]|0x20 < 'a' || s[0]|0x20 > 'z') {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isTokenByte(s[i]) && strings.IndexByte(":/", s[i]) < 0 {
			return false
		}
	}
	return true
}

// appendFieldString appends s as a string of structured fields (RFC 8941 3.3.3).
func appendFieldString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c > '~' {
			c = '?'
		}
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
