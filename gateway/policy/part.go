package policy

import (
	"encoding/binary"
	"strings"
)

// AppendPartKey appends the key under which a part of an entry is stored, a 206, from the key under which the whole would be.
func AppendPartKey(dst, whole []byte) []byte {
	dst = append(dst, kindPart)
	dst = binary.AppendUvarint(dst, uint64(len(whole)))
	return append(dst, whole...)
}

// Part is where a part of a body lies.
type Part struct {
	First, Last int64 // both inclusive
	Size        int64 // of the whole body
}

// ParseContentRange reads a Content-Range of bytes whose whole size is known (RFC 9110 14.4).
func ParseContentRange(values []string) (Part, bool) {
	if len(values) != 1 {
		return Part{}, false
	}
	unit, rest, ok := strings.Cut(trimOWS(values[0]), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return Part{}, false
	}
	span, size, ok1 := strings.Cut(rest, "/")
	first, last, ok2 := strings.Cut(span, "-")
	p := Part{}
	var good [3]bool
	for i, f := range []struct {
		text string
		to   *int64
	}{{first, &p.First}, {last, &p.Last}, {size, &p.Size}} {
		*f.to, good[i] = bigDigits(f.text)
	}
	ok = ok1 && ok2 && good[0] && good[1] && good[2] && p.First <= p.Last && p.Last < p.Size
	return p, ok
}

// bigDigits reads a number of at most 18 digits.
func bigDigits(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// OneRange reports whether a Range header asks for one range of bytes, and is well-formed (RFC 9110 14.1.2).
func OneRange(header string) bool {
	unit, spec, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(trimOWS(unit), "bytes") {
		return false
	}
	_, ok = parseSpec(trimOWS(spec), 1)
	return ok && strings.IndexByte(spec, ',') < 0
}
