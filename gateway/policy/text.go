package policy

import "strings"

// isTokenByte reports whether c may stand in a token (RFC 9110 5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// trimOWS removes the optional white space of RFC 9110 5.6.3: spaces and tabs,
// not the wider set of strings.TrimSpace.
func trimOWS(s string) string { return strings.Trim(s, " \t") }

// nextMember cuts the first member off a comma-separated list. It knows no
// quoted strings: use it only where the members cannot hold any.
func nextMember(list string) (member, rest string) {
	member, rest, _ = strings.Cut(list, ",")
	return trimOWS(member), rest
}

// unhex gives the value of a hexadecimal digit.
func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// escapeAt reads the percent escape that begins at s[i], if one does.
func escapeAt(s string, i int) (byte, bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	hi, ok1 := unhex(s[i+1])
	lo, ok2 := unhex(s[i+2])
	return hi<<4 | lo, ok1 && ok2
}

// appendDecoded appends s with its percent escapes decoded once; what is no
// escape stays as it is. plus turns '+' into a space, as in a query.
func appendDecoded(dst []byte, s string, plus bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if d, ok := escapeAt(s, i); ok {
			c = d
			i += 2
		} else if plus && c == '+' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// decoded is appendDecoded for strings; without anything to decode it returns s.
func decoded(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	return string(appendDecoded(make([]byte, 0, len(s)), s, plus))
}
