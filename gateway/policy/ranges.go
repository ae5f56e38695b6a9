package policy

import (
	"math"
	"strings"
)

// A ByteRange is a part of a body: Length bytes (at least one) from Start on.
type ByteRange struct{ Start, Length int64 }

// A RangeVerdict says what to do with a Range header.
type RangeVerdict int

const (
	Ignore        RangeVerdict = iota // serve the whole answer, 200
	Satisfiable                       // serve the ranges, 206
	Unsatisfiable                     // 416, with Content-Range: bytes */size
)

// maxRanges is how many ranges one request may ask for. Many small or overlapping
// ranges make a server send or buffer far more than the body (CVE-2011-3192), and
// RFC 9110 14.2 lets a server ignore such a header.
const maxRanges = 8

// ParseRange reads a Range header (RFC 9110 14.1.2 and 14.2) for a body of size
// bytes. The ranges come in the order asked for, cut to the size, without those
// that lie past the end. Ignored, as if there were no header: other units than
// bytes, bad syntax, more than eight ranges, ranges that overlap. Unsatisfiable: no
// range has a byte of the body. A request with several Range lines has no valid
// Range: the caller passes "". Ranges apply to a GET whose answer is a 200.
func ParseRange(header string, size int64) ([]ByteRange, RangeVerdict) {
	unit, set, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(trimOWS(unit), "bytes") || size < 0 {
		return nil, Ignore
	}
	var ranges []ByteRange
	asked := 0
	for rest := set; rest != ""; {
		var spec string
		spec, rest = nextMember(rest)
		if spec == "" {
			continue // RFC 9110 5.6.1: empty members are permitted
		}
		if asked++; asked > maxRanges {
			return nil, Ignore
		}
		r, ok := parseSpec(spec, size)
		if !ok {
			return nil, Ignore
		}
		if r.Length == 0 {
			continue
		}
		for _, o := range ranges {
			if r.Start < o.Start+o.Length && o.Start < r.Start+r.Length {
				return nil, Ignore
			}
		}
		ranges = append(ranges, r)
	}
	switch {
	case asked == 0:
		return nil, Ignore
	case len(ranges) == 0:
		return nil, Unsatisfiable
	}
	return ranges, Satisfiable
}

// parseSpec reads one of "a-b", "a-" and "-n". Length is 0 if no byte of the body
// lies in it.
func parseSpec(spec string, size int64) (ByteRange, bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return ByteRange{}, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		if n > 0 && size == 0 {
			return ByteRange{}, false // all of nothing: satisfiable, but no Content-Range can say so
		}
		n = min(n, size)
		return ByteRange{size - n, n}, ok
	}
	a, ok1 := parsePosition(first)
	b, ok2 := int64(math.MaxInt64), true
	if last != "" {
		b, ok2 = parsePosition(last)
	}
	switch {
	case !ok1 || !ok2 || b < a:
		return ByteRange{}, false
	case a >= size:
		return ByteRange{}, true
	}
	return ByteRange{a, min(b, size-1) - a + 1}, true
}

// parsePosition reads digits and saturates: a position past any size is past this
// one too.
func parsePosition(s string) (int64, bool) {
	var v int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		d := int64(s[i] - '0')
		if v > (math.MaxInt64-d)/10 {
			v = math.MaxInt64
			continue
		}
		v = v*10 + d
	}
	return v, s != ""
}
