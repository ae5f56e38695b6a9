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
// Accept-Encoding is compared in its normal form (see NormalizeAcceptEncoding), and so
// is Accept-Language where it is well-formed. Of other values, lines are joined and white
// space around commas outside quotes does not count: RFC 9111 4.1 names both, for neither
// changes what a header means (RFC 9110 5.3, 5.6.1). names are those of ParseVary. With no
// names the result still differs from primary.
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
		dst = appendSelecting(dst, name, h[textproto.CanonicalMIMEHeaderKey(name)])
	}
	return dst
}

// How a selecting header stands in a variant's key.
const (
	selectAbsent = iota
	selectJoined
	selectLanguages
)

// appendSelecting appends the values of a header by which an answer varies.
func appendSelecting(dst []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return append(dst, selectAbsent)
	}
	var room [256]byte
	if name == "accept-language" {
		if text, ok := appendLanguages(room[:0], values); ok {
			dst = append(dst, selectLanguages)
			dst = binary.AppendUvarint(dst, uint64(len(text)))
			return append(dst, text...)
		}
	}
	text := appendJoined(room[:0], values)
	dst = append(dst, selectJoined)
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// appendJoined appends the lines of a header as one, without white space beside commas. What stands in quotes stays.
func appendJoined(dst []byte, lines []string) []byte {
	quoted := false
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, ',')
			quoted = false // a quoted string ends with its line
		}
		line = trimOWS(line)
		for j := 0; j < len(line); j++ {
			c := line[j]
			switch {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted && j+1 < len(line):
				dst = append(dst, c)
				j++
				c = line[j]
			case c == ',' && !quoted:
				dst = trimEnd(dst)
				dst = append(dst, c)
				for j+1 < len(line) && (line[j+1] == ' ' || line[j+1] == '\t') {
					j++
				}
				continue
			}
			dst = append(dst, c)
		}
	}
	return dst
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// AppendLanguageKey appends the key under which the variant of an entry in one language can be found by a request that
// prefers that language to all others, whatever else its Accept-Language says. The other names select as they do in
// AppendVariantKey. It reports false where the answers do not vary by Accept-Language.
func AppendLanguageKey(dst, primary []byte, names []string, h map[string][]string, tag string) ([]byte, bool) {
	at := slices.Index(names, "accept-language")
	if at < 0 {
		return dst, false
	}
	others := append(append(make([]string, 0, len(names)), names[:at]...), names[at+1:]...)
	dst = append(dst, kindLanguage)
	dst = appendString(dst, tag)
	return AppendVariantKey(dst, primary, others, h), true
}
