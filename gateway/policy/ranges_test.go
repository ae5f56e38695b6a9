package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		source, header string
		size           int64
		want           []ByteRange
		verdict        RangeVerdict
	}{
		{"RFC 9110 14.1.2: first 500", "bytes=0-499", 10000, []ByteRange{{0, 500}}, Satisfiable},
		{"RFC 9110 14.1.2: last 500", "bytes=-500", 10000, []ByteRange{{9500, 500}}, Satisfiable},
		{"RFC 9110 14.1.2: from 9500", "bytes=9500-", 10000, []ByteRange{{9500, 500}}, Satisfiable},
		{"RFC 9110 14.1.2: first and last byte", "bytes=0-0,-1", 10000, []ByteRange{{0, 1}, {9999, 1}}, Satisfiable},
		{"RFC 9110 14.1.2: white space and empty members", "bytes= 0-0, , 4-5\t,", 10, []ByteRange{{0, 1}, {4, 2}}, Satisfiable},
		{"order asked for", "bytes=5-6,0-1", 10, []ByteRange{{5, 2}, {0, 2}}, Satisfiable},
		{"RFC 9110 14.1: the unit in any case", "Bytes=0-0", 10, []ByteRange{{0, 1}}, Satisfiable},
		{"past the end is cut", "bytes=8-100", 10, []ByteRange{{8, 2}}, Satisfiable},
		{"D4: longer suffix is everything", "bytes=-11", 10, []ByteRange{{0, 10}}, Satisfiable},
		{"D4: first past the end", "bytes=10-", 10, nil, Unsatisfiable},
		{"D4: suffix of nothing", "bytes=-0", 10, nil, Unsatisfiable},
		{"one of two lies past the end", "bytes=20-30,1-2", 10, []ByteRange{{1, 2}}, Satisfiable},
		{"both lie past the end", "bytes=20-30,40-", 10, nil, Unsatisfiable},
		{"empty body", "bytes=0-", 0, nil, Unsatisfiable},
		{"RFC 9110 14.1.2: empty body, suffix: all of it", "bytes=-5", 0, nil, Ignore},
		{"empty body, suffix of nothing", "bytes=-0", 0, nil, Unsatisfiable},
		{"RFC 9110 14.1.1: last before first", "bytes=5-4", 10, nil, Ignore},
		{"RFC 9110 14.1.1: one bad member spoils the set", "bytes=0-1,5-4", 10, nil, Ignore},
		{"RFC 9110 14.2: unknown unit", "items=0-1", 10, nil, Ignore},
		{"no header", "", 10, nil, Ignore},
		{"no set", "bytes=", 10, nil, Ignore},
		{"only commas", "bytes=,,", 10, nil, Ignore},
		{"no dash", "bytes=5", 10, nil, Ignore},
		{"only a dash", "bytes=-", 10, nil, Ignore},
		{"two dashes", "bytes=1-2-3", 10, nil, Ignore},
		{"negative", "bytes=--1", 10, nil, Ignore},
		{"letters", "bytes=a-b", 10, nil, Ignore},
		{"sign", "bytes=+1-2", 10, nil, Ignore},
		{"space inside", "bytes=1 -2", 10, nil, Ignore},
		{"saturates", "bytes=1-99999999999999999999999999", 10, []ByteRange{{1, 9}}, Satisfiable},
		{"saturates past the end", "bytes=99999999999999999999999999-", 10, nil, Unsatisfiable},
		{"saturated suffix", "bytes=-99999999999999999999999999", 10, []ByteRange{{0, 10}}, Satisfiable},
		{"size unknown", "bytes=0-1", -1, nil, Ignore},
		{"CVE-2011-3192: overlaps", "bytes=0-5,5-9", 10, nil, Ignore},
		{"CVE-2011-3192: the same twice", "bytes=0-0,0-0", 10, nil, Ignore},
		{"D4: eight ranges", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", 20, []ByteRange{{0, 1}, {2, 1}, {4, 1}, {6, 1}, {8, 1}, {10, 1}, {12, 1}, {14, 1}}, Satisfiable},
		{"D4: nine ranges", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", 20, nil, Ignore},
		{"nine ranges, most past the end", "bytes=0-0,90-,91-,92-,93-,94-,95-,96-,97-", 20, nil, Ignore},
	} {
		got, verdict := ParseRange(c.header, c.size)
		if verdict != c.verdict || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q of %d: %v %v, want %v %v", c.source, c.header, c.size, got, verdict, c.want, c.verdict)
		}
	}
}

// The oracle marks bytes in a small body one by one.
func TestParseRangeAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 12).Draw(t, "size")
		var specs []string
		var want []ByteRange
		taken := make([]int, size)
		ignored := false
		for range rapid.IntRange(1, 4).Draw(t, "count") {
			a, b := rapid.IntRange(0, 14).Draw(t, "a"), rapid.IntRange(0, 14).Draw(t, "b")
			in := func(i int) bool { return i >= a && i <= b }
			switch {
			case rapid.Bool().Draw(t, "suffix"):
				specs = append(specs, fmt.Sprintf("-%d", a))
				in = func(i int) bool { return i >= size-a }
				ignored = ignored || size == 0 && a > 0
			case b < a:
				specs = append(specs, fmt.Sprintf("%d-", a))
				in = func(i int) bool { return i >= a }
			default:
				specs = append(specs, fmt.Sprintf("%d-%d", a, b))
			}
			r := ByteRange{Start: -1}
			for i := range size {
				if !in(i) {
					continue
				}
				if r.Start < 0 {
					r.Start = int64(i)
				}
				r.Length++
				taken[i]++
				ignored = ignored || taken[i] > 1
			}
			if r.Length > 0 {
				want = append(want, r)
			}
		}
		got, verdict := ParseRange("bytes="+strings.Join(specs, ", "), int64(size))
		switch {
		case ignored:
			want = nil
			if verdict != Ignore {
				t.Fatalf("%v is not ignored: %v", specs, verdict)
			}
		case len(want) == 0 && verdict != Unsatisfiable, len(want) > 0 && verdict != Satisfiable:
			t.Fatalf("%v of %d: %v, want %v", specs, size, verdict, want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v of %d: %v, want %v", specs, size, got, want)
		}
	})
}
