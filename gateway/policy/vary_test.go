package policy

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseVary(t *testing.T) {
	for _, c := range []struct {
		source string
		in     []string
		names  []string
		star   bool
	}{
		{"absent", nil, nil, false},
		{"empty", []string{""}, nil, false},
		{"RFC 9110 12.5.5", []string{"accept-encoding, accept-language"}, []string{"accept-encoding", "accept-language"}, false},
		{"several lines, any case, sorted, unique", []string{"Origin, Accept", "ORIGIN,,x"}, []string{"accept", "origin", "x"}, false},
		{"RFC 9111 4.1: star", []string{"*"}, nil, true},
		{"star among others", []string{"accept", "origin, *"}, nil, true},
		{"no header's name can never match", []string{"accept encoding"}, nil, true},
	} {
		names, star := ParseVary(c.in)
		if !slices.Equal(names, c.names) || star != c.star {
			t.Errorf("%s: %q %v", c.source, names, star)
		}
	}
}

func TestAppendVariantKey(t *testing.T) {
	primary := []byte("primary")
	names := []string{"accept-encoding", "accept-language"}
	key := func(h map[string][]string) string { return string(AppendVariantKey(nil, primary, names, h)) }
	base := map[string][]string{"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fr"}, "X-Other": {"1"}}
	for source, h := range map[string]map[string][]string{
		"other headers do not count":     {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fr"}, "X-Other": {"2"}},
		"RFC 9111 4.1: white space":      {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {" fr\t"}},
		"D5: accept-encoding normalised": {"Accept-Encoding": {"br;q=1.0", "x-gzip, deflate"}, "Accept-Language": {"fr"}},
		"D5: and its normal form":        {"Accept-Encoding": {"br, gzip"}, "Accept-Language": {"fr"}},
	} {
		if key(h) != key(base) {
			t.Errorf("%s: another variant", source)
		}
	}
	seen := map[string]string{key(base): "base"}
	for source, h := range map[string]map[string][]string{
		"RFC 9111 4.1: another value":        {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"de"}},
		"RFC 9111 4.1: absent":               {"Accept-Encoding": {"gzip, br"}},
		"RFC 9111 4.1: empty is not absent":  {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {""}},
		"another coding":                     {"Accept-Encoding": {"gzip"}, "Accept-Language": {"fr"}},
		"no accept-encoding":                 {"Accept-Language": {"fr"}},
		"empty accept-encoding, identity":    {"Accept-Encoding": {""}, "Accept-Language": {"fr"}},
		"not well-formed: compared as it is": {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fr;q=2"}},
		"nothing at all":                     {},
		"another weight":                     {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fr;q=0.5"}},
		"another list":                       {"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fr", "de"}},
	} {
		if other, dup := seen[key(h)]; dup {
			t.Errorf("%s: the same variant as %s", source, other)
		}
		seen[key(h)] = source
	}
	if string(AppendVariantKey(nil, primary, nil, base)) == string(primary) {
		t.Error("without names the variant's key is the primary key")
	}
	if string(AppendVariantKey(nil, []byte("other"), names, base)) == key(base) {
		t.Error("the primary key does not count")
	}
	two := []string{"a", "b"}
	if string(AppendVariantKey(nil, primary, two, header{"A": {"b"}})) == string(AppendVariantKey(nil, primary, two, header{"B": {"b"}})) {
		t.Error("D10: a value passes for the next name")
	}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { AppendVariantKey(buf, primary, names, base) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSelectingHeaders(t *testing.T) {
	for _, c := range []struct {
		source, name string
		a, b         []string
		same         bool
	}{
		{"RFC 9110 5.3: lines are one list", "foo", []string{"1, 2"}, []string{"1", "2"}, true},
		{"RFC 9111 4.1: white space", "foo", []string{"1,2"}, []string{" 1 ,\t2 "}, true},
		{"order counts", "foo", []string{"1,2"}, []string{"2,1"}, false},
		{"case counts", "foo", []string{"a"}, []string{"A"}, false},
		{"white space inside a member counts", "foo", []string{"a b"}, []string{"a  b"}, false},
		{"RFC 9110 5.6.4: white space in quotes counts", "foo", []string{`"a, b"`}, []string{`"a,b"`}, false},
		{"an escaped quote ends nothing", "foo", []string{`"a\", b"`}, []string{`"a\",b"`}, false},
		{"empty is not absent", "foo", []string{""}, nil, false},
		{"RFC 9110 12.5.4: order of equals", "accept-language", []string{"en, de"}, []string{"de, en"}, true},
		{"RFC 9110 12.5.4: weights are the order", "accept-language", []string{"en;q=0.5, de"}, []string{"de, en;q=0.50"}, true},
		{"case of languages", "accept-language", []string{"en-US, de"}, []string{"EN-us,De"}, true},
		{"other weights", "accept-language", []string{"en;q=0.5, de"}, []string{"en;q=0.6, de"}, false},
		{"no languages", "accept-language", []string{"en/US"}, []string{"EN/us"}, false},
	} {
		key := func(v []string) string {
			h := header{}
			if v != nil {
				h[textproto.CanonicalMIMEHeaderKey(c.name)] = v
			}
			return string(AppendVariantKey(nil, []byte("k"), []string{c.name}, h))
		}
		if (key(c.a) == key(c.b)) != c.same {
			t.Errorf("%s: %q and %q: the same variant: %t", c.source, c.a, c.b, !c.same)
		}
	}
}

func TestPreferredLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"de": "de", "fr;q=0.5, DE;q=1.0": "de", "en-US,en;q=0.9": "en-us", "en, de": "", "*": "", "de;q=0": "", "": "", "d e": "", "de, de": "de",
	} {
		if got, ok := PreferredLanguage([]string{in}); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %t", in, got, ok)
		}
	}
}

func TestNormalizeAcceptEncoding(t *testing.T) {
	for _, c := range []struct {
		source string
		in     []string
		want   string
	}{
		{"absent", nil, ""},
		{"RFC 9110 12.5.3: empty", []string{""}, "identity"},
		{"a browser", []string{"gzip, deflate, br, zstd"}, "zstd, br, gzip"},
		{"order and weights do not count", []string{"zstd;q=0.1, gzip;q=1.0"}, "zstd, gzip"},
		{"several lines", []string{"gzip", "br"}, "br, gzip"},
		{"RFC 9110 12.4.2: q=0 is refused", []string{"gzip;q=0, br;q=0.000, zstd;q=0."}, "identity"},
		{"smallest weight", []string{"gzip;q=0.001"}, "gzip"},
		{"RFC 9110 8.4.1.3: x-gzip", []string{"x-gzip"}, "gzip"},
		{"case", []string{"GZip;Q=1, BR"}, "br, gzip"},
		{"RFC 9110 12.5.3: star", []string{"*"}, "zstd, br, gzip"},
		{"star but for one", []string{"*, br;q=0"}, "zstd, gzip"},
		{"star taken and refused", []string{"*, *;q=0, br"}, "br"},
		{"star refused", []string{"*;q=0, gzip"}, "gzip"},
		{"identity refused does not change the rest", []string{"identity;q=0, gzip"}, "gzip"},
		{"named twice", []string{"gzip, gzip;q=0"}, "identity"},
		{"D11: garbage", []string{"nonsense"}, "identity"},
		{"D11: worse garbage", []string{";;=,\x00,q=1"}, "identity"},
		{"malformed weights", []string{"gzip;q=2, br;q=, zstd;q=0.0001"}, "identity"},
		{"malformed weight next to a good member", []string{"gzip;level=9, br"}, "br"},
		{"weight above one", []string{"gzip;q=1.001"}, "identity"},
		{"white space", []string{" gzip ; q=0.5 ,\tbr"}, "br, gzip"},
		{"deflate is not kept", []string{"deflate, compress"}, "identity"},
	} {
		if got := NormalizeAcceptEncoding(c.in); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.source, c.in, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { NormalizeAcceptEncoding([]string{"gzip, deflate, br;q=0.5, *;q=0"}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNormalizeAcceptEncodingIdempotent(t *testing.T) {
	member := rapid.SampledFrom([]string{"gzip", "br", "zstd", "x-gzip", "*", "identity", "deflate", "", "gzip;q=0", "br;q=0.5", "*;q=0", "zstd;q=x", "q=1"})
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			lines = append(lines, strings.Join(rapid.SliceOfN(member, 0, 4).Draw(t, "members"), ", "))
		}
		got := NormalizeAcceptEncoding(lines)
		if (got == "") != (lines == nil) {
			t.Fatalf("%q gives %q", lines, got)
		}
		if got != "" && NormalizeAcceptEncoding([]string{got}) != got {
			t.Fatalf("%q is no normal form", got)
		}
	})
}
