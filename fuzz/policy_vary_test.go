package fuzz

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"stagecache/gateway/policy"
)

func FuzzPolicyVary(f *testing.F) {
	for _, s := range []string{"", "*", "Accept-Encoding", "accept, ACCEPT,,x", "a b", "a,*", "Origin, Cookie, Accept-Language", ",\t,"} {
		f.Add(s, "gzip;q=0.5, br", "fr")
	}
	for _, s := range []string{"*", "*;q=0", "gzip;q=0", "x-gzip, zstd", "nonsense", ";;=", "br;q=1.001", "identity"} {
		f.Add("accept-encoding, accept-language", s, "")
	}
	f.Fuzz(func(t *testing.T, vary, encoding, language string) {
		names, star := policy.ParseVary([]string{vary})
		if star && names != nil || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Fatalf("%q: %q %v", vary, names, star)
		}
		again, star2 := policy.ParseVary(names)
		if star2 || !slices.Equal(again, names) {
			t.Fatalf("%q is not read back: %q", names, again)
		}
		if !star && strings.Contains(vary, "*") && slices.Contains(strings.Split(strings.ReplaceAll(vary, " ", ""), ","), "*") {
			t.Fatalf("%q: star was not seen", vary)
		}

		normal := policy.NormalizeAcceptEncoding([]string{encoding})
		if normal == "" || policy.NormalizeAcceptEncoding([]string{normal}) != normal {
			t.Fatalf("%q: %q is no normal form", encoding, normal)
		}
		for c := range strings.SplitSeq(normal, ", ") {
			if !slices.Contains([]string{"zstd", "br", "gzip", "identity"}, c) {
				t.Fatalf("%q: %q", encoding, normal)
			}
			if c != "identity" && !strings.Contains(strings.ToLower(encoding), c) && !strings.Contains(encoding, "*") {
				t.Fatalf("%q: the client did not accept %q", encoding, c)
			}
		}

		h := map[string][]string{"Accept-Encoding": {encoding}, "Accept-Language": {language}}
		key := policy.AppendVariantKey(nil, []byte("p"), names, h)
		h["Accept-Encoding"] = []string{normal}
		if !bytes.Equal(key, policy.AppendVariantKey(nil, []byte("p"), names, h)) {
			t.Fatalf("%q: what is forwarded is another variant", encoding)
		}
		// Another language in front makes another variant, whatever else is asked for.
		h["Accept-Language"] = []string{"x-other", language}
		if other := policy.AppendVariantKey(nil, []byte("p"), names, h); bytes.Equal(key, other) == slices.Contains(names, "accept-language") {
			t.Fatalf("%q: accept-language counts wrongly", names)
		}
	})
}
