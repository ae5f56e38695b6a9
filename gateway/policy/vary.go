package policy

import (
	"encoding/binary"
	"net/textproto"
	"slices"
	"strings"
)

// MaxVaryNames is how many names a Vary may list. An answer with more is not
// stored: its variants would hardly ever be hit, and each name is work on every
// lookup.
const MaxVaryNames = 10

// ParseVary reads the lines of a Vary header (RFC 9110 12.5.5): the names in
// lower case, sorted, each once. star tells that the answer depends on more than
// headers and matches no other request: a "*" anywhere, or a member that is no
// header's name and so could never be compared; then there are no names.
func ParseVary(values []string) (names []string, star bool) {
	for _, line := range values {
		for rest := line; rest != ""; {
			var name string
			name, rest = nextMember(rest)
			switch {
			case name == "":
			case name == "*" || !isToken(name):
				return nil, true
			default:
				names = append(names, strings.ToLower(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

// AppendVariantKey appends the key of one variant of an entry (RFC 9111 4.1):
// the entry's own key, and for each name that its Vary lists the values in h, the
// request's header as it is forwarded. A header that is absent matches only its absence.
// Accept-Encoding is compared in its normal form (see NormalizeAcceptEncoding),
// other values byte for byte but for surrounding white space. names are those of
// ParseVary. With no names the result still differs from primary.
func AppendVariantKey(dst, primary []byte, names []string, h map[string][]string) []byte {
	dst = append(dst, kindVariant)
	dst = binary.AppendUvarint(dst, uint64(len(primary)))
	dst = append(dst, primary...)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendString(dst, name)
		if name == "accept-encoding" {
			// The normal form is "" for an absent header and never otherwise.
			dst = appendString(dst, NormalizeAcceptEncoding(h["Accept-Encoding"]))
			continue
		}
		values := h[textproto.CanonicalMIMEHeaderKey(name)] // none: absent
		dst = binary.AppendUvarint(dst, uint64(len(values)))
		for _, v := range values {
			dst = appendString(dst, trimOWS(v))
		}
	}
	return dst
}
