package policy

import (
	"slices"
	"strings"
)

// maxLanguages is how many languages a value may list and still be brought into normal form.
const maxLanguages = 16

// language is one member of an Accept-Language: its tag in lower case and its weight in thousandths.
type language struct {
	tag    string
	weight int
}

// languages reads the lines of an Accept-Language header (RFC 9110 12.5.4). It gives false where anything about them is not
// as the grammar has it.
func languages(room *[maxLanguages]language, lines []string) ([]language, bool) {
	out := room[:0]
	for _, line := range lines {
		for rest := line; rest != ""; {
			var member string
			member, rest = nextMember(rest)
			if member == "" {
				continue
			}
			tag, weight, weighted := strings.Cut(member, ";")
			l := language{tag: strings.ToLower(trimOWS(tag)), weight: 1000}
			if !isLanguage(l.tag) || len(out) == maxLanguages {
				return nil, false
			}
			if weighted {
				weight = trimOWS(weight)
				if _, ok := parseWeight(weight); !ok {
					return nil, false
				}
				l.weight = thousandths(weight[2:])
			}
			out = append(out, l)
		}
	}
	return out, len(out) > 0
}

func isLanguage(tag string) bool {
	if tag == "*" {
		return true
	}
	for part := range strings.SplitSeq(tag, "-") {
		if part == "" || len(part) > 8 {
			return false
		}
		for i := 0; i < len(part); i++ {
			if c := part[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// thousandths reads a weight that parseWeight has taken, without its "q=".
func thousandths(s string) int {
	if s[0] == '1' {
		return 1000
	}
	n, scale := 0, 100
	for i := 2; i < len(s); i++ {
		n += int(s[i]-'0') * scale
		scale /= 10
	}
	return n
}

// appendLanguages appends the normal form of an Accept-Language header: languages by weight, equal ones by name, so that
// case, white space and the order of equals make no variant of their own (RFC 9111 4.1; RFC 9110 12.5.4 gives the order no
// meaning). It reports false, and appends nothing, where the header is not well-formed.
func appendLanguages(dst []byte, lines []string) ([]byte, bool) {
	var room [maxLanguages]language
	list, ok := languages(&room, lines)
	if !ok {
		return dst, false
	}
	slices.SortStableFunc(list, func(a, b language) int {
		if a.weight != b.weight {
			return b.weight - a.weight
		}
		return strings.Compare(a.tag, b.tag)
	})
	for i, l := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, l.tag...)
		if l.weight != 1000 {
			dst = append(dst, ';', byte('0'+l.weight/100), byte('0'+l.weight/10%10), byte('0'+l.weight%10))
		}
	}
	return dst, true
}

// PreferredLanguage gives the one language that a request would rather have than any other, in lower case.
func PreferredLanguage(lines []string) (string, bool) {
	var room [maxLanguages]language
	list, ok := languages(&room, lines)
	if !ok {
		return "", false
	}
	best, shared := language{}, false
	for _, l := range list {
		switch {
		case l.weight > best.weight:
			best, shared = l, false
		case l.weight == best.weight && l.tag != best.tag:
			shared = true
		}
	}
	return best.tag, best.weight > 0 && !shared && best.tag != "*"
}

// ContentLanguage gives the language of an answer, in lower case, if it says just one.
func ContentLanguage(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	tag := strings.ToLower(trimOWS(lines[0]))
	return tag, isLanguage(tag) && tag != "*"
}

// ListsLanguages reports whether an Accept-Language header is there and well-formed.
func ListsLanguages(lines []string) bool {
	var room [maxLanguages]language
	_, ok := languages(&room, lines)
	return ok
}
