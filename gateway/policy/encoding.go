package policy

import "strings"

// The codings that the normal form knows, as bits.
const (
	codeGzip = 1 << iota
	codeBrotli
	codeZstd
	allCodes = codeGzip | codeBrotli | codeZstd
)

// encodings is the normal form by the set of accepted codings.
var encodings = [allCodes + 1]string{
	0:                     "identity",
	codeGzip:              "gzip",
	codeBrotli:            "br",
	codeBrotli | codeGzip: "br, gzip",
	codeZstd:              "zstd",
	codeZstd | codeGzip:   "zstd, gzip",
	codeZstd | codeBrotli: "zstd, br",
	allCodes:              "zstd, br, gzip",
}

// NormalizeAcceptEncoding reduces the lines of an Accept-Encoding header to what
// matters: those of zstd, br and gzip that the client accepts with a weight
// above zero, always in this order, so that there are at most nine variants and
// not one per browser version (RFC 9110 12.5.3; RFC 9111 4.1 allows it). It is
// forwarded in this form as well: what is forwarded is what is keyed.
//
// The result is "" only if there is no such header (values is empty; then none
// is forwarded either), and "identity" if nothing of the three is accepted:
// members that are unknown or malformed count as not there. "*" stands for what
// is not named; x-gzip is gzip (RFC 9110 8.4.1.3). A coding that is named twice
// is accepted only if both times are. Idempotent; never allocates.
func NormalizeAcceptEncoding(values []string) string {
	if len(values) == 0 {
		return ""
	}
	var accepted, refused int // bits of codings that were named
	star, starRefused := false, false
	for _, line := range values {
		for rest := line; rest != ""; {
			var member string
			member, rest = nextMember(rest)
			coding, weight, weighted := strings.Cut(member, ";")
			ok, valid := true, true
			if weighted {
				ok, valid = parseWeight(trimOWS(weight))
			}
			if !valid {
				continue
			}
			coding = trimOWS(coding)
			if coding == "*" {
				star, starRefused = star || ok, starRefused || !ok
				continue
			}
			if bit := codeBit(coding); ok {
				accepted |= bit
			} else {
				refused |= bit
			}
		}
	}
	if star && !starRefused {
		accepted = allCodes
	}
	return encodings[accepted&^refused]
}

func codeBit(coding string) int {
	switch {
	case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
		return codeGzip
	case strings.EqualFold(coding, "br"):
		return codeBrotli
	case strings.EqualFold(coding, "zstd"):
		return codeZstd
	}
	return 0
}

// parseWeight reads "q=0.5" (RFC 9110 12.4.2: at most three decimals, at most
// 1) and tells whether it is above zero.
func parseWeight(s string) (positive, valid bool) {
	if len(s) < 3 || len(s) > 7 || s[0]|0x20 != 'q' || s[1] != '=' || s[2] != '0' && s[2] != '1' {
		return false, false
	}
	one := s[2] == '1'
	positive = one
	if len(s) > 3 && s[3] != '.' {
		return false, false
	}
	for i := 4; i < len(s); i++ {
		c := s[i]
		if c < '0' || c > '9' || one && c != '0' {
			return false, false
		}
		positive = positive || c != '0'
	}
	return positive, true
}
