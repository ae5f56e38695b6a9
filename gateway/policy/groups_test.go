package policy

import (
	"slices"
	"testing"
)

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		source string
		lines  []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"9875 2: one", []string{`"a"`}, []string{"a"}},
		{"9875 2: several, on several lines", []string{`"a", "b c"`, `"d"`}, []string{"a", "b c", "d"}},
		{"twice", []string{`"a", "a"`}, []string{"a"}},
		{"9875 2.1: case counts", []string{`"a", "A"`}, []string{"a", "A"}},
		{"9875 2: parameters do not", []string{`"a";x=1`}, []string{"a"}},
		{"9875 2: a comma in a string", []string{`"a, b"`}, []string{"a, b"}},
		{"9875 2: a token is no string", []string{`a`}, nil},
		{"9875 2: one wrong member, and all is ignored", []string{`"a", 1`}, nil},
		{"9875 2: an inner list", []string{`("a" "b")`}, nil},
		{"9651: malformed", []string{`"a`}, nil},
		{"empty", []string{``}, nil},
	} {
		if got := Groups(c.lines); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.source, got)
		}
	}
	if GroupTag("http://a", "x") == GroupTag("http://b", "x") || GroupTag("http://a", "x") == GroupTag("http://a", "y") {
		t.Error("two groups have one tag")
	}
}
