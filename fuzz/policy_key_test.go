package fuzz

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"stagecache/gateway/policy"
)

// FuzzPolicyKey takes two requests apart from each other in any way: their keys
// are equal exactly if the requests are.
func FuzzPolicyKey(f *testing.F) {
	f.Add("/p", "q=1", "fr", true, "/p", "q=1", "fr", true)
	f.Add("/pq", "=1", "", false, "/p", "q=1", "", false)
	f.Add("/p", "", "\x00\x01", true, "/p\x00", "", "\x01", true)
	f.Add("/p", "q", "", true, "/p", "q", "", false)
	f.Add("/p|q", "r", "x", true, "/p", "q|r", "x", true)
	f.Fuzz(func(t *testing.T, path1, query1, value1 string, present1 bool, path2, query2, value2 string, present2 bool) {
		in := func(path, query, value string, present bool) policy.KeyInput {
			return policy.KeyInput{Method: "GET", Scheme: "https", Host: "a", Path: path, Query: query,
				Headers: []policy.NamedValues{{Name: "X", Values: strings.Split(value, ","), Present: present}}}
		}
		a, b := policy.AppendKey(nil, in(path1, query1, value1, present1)), policy.AppendKey(nil, in(path2, query2, value2, present2))
		same := path1 == path2 && query1 == query2 && value1 == value2 && present1 == present2
		if bytes.Equal(a, b) != same {
			t.Fatalf("keys equal: %v, requests equal: %v", !same, same)
		}
		// No key is the beginning of another: what is appended cannot be mistaken.
		if !same && (bytes.HasPrefix(a, b) || bytes.HasPrefix(b, a)) {
			t.Fatalf("one key is the beginning of the other: %q %q", a, b)
		}
		d := func(value string, present bool) []byte {
			return policy.AppendDeclaredKey(nil, policy.DeclaredInput{Namespace: path1, Method: "GET", Parts: []policy.NamedValues{{Name: "X", Values: []string{value}, Present: present}}})
		}
		if same := value1 == value2 && present1 == present2; bytes.Equal(d(value1, present1), d(value2, present2)) != same || bytes.Equal(d(value1, present1), a) {
			t.Fatal("declared keys are ambiguous")
		}
	})
}

// FuzzPolicyTarget feeds what comes in the request line.
func FuzzPolicyTarget(f *testing.F) {
	for _, s := range []string{"", "b=1&a=2", "a=1&utm_source=x", "utm%5Fsource=1&&a", "a=1;utm_source=2", "a%26b=%", "&&=", "x=%00"} {
		f.Add("/a%2Fb/%", s, "API.Example.com.:443")
	}
	f.Add("/a\\b#", "", "[::1]:80")
	f.Add("/%zz%41", "+", "a..b")
	f.Fuzz(func(t *testing.T, path, query, host string) {
		spec := policy.QuerySpec{Exclude: []string{"utm_source"}}
		for _, sorted := range []bool{false, true} {
			got := policy.Query(query, spec, sorted)
			if again := policy.Query(got, spec, sorted); again != got {
				t.Fatalf("%q: %q, then %q", query, got, again)
			}
			if policy.QueryValues(got, "utm_source") != nil {
				t.Fatalf("%q: %q still has what is excluded", query, got)
			}
			pairs := strings.Split(query, "&")
			for p := range strings.SplitSeq(got, "&") {
				if !slices.Contains(pairs, p) && got != "" {
					t.Fatalf("%q: %q came from nowhere", query, p)
				}
			}
			// What is not excluded keeps its values and their order.
			if want := policy.QueryValues(query, "a"); !slices.Equal(policy.QueryValues(got, "a"), want) && !sorted {
				t.Fatalf("%q: values %q, want %q", query, policy.QueryValues(got, "a"), want)
			}
		}

		if policy.CheckTarget(path, query) == nil {
			for _, c := range []byte(policy.DecodedPath(path)) {
				if c < 0x20 || c == 0x7f || c == '\\' {
					t.Fatalf("%q passed with 0x%02x in it", path, c)
				}
			}
			if strings.ContainsAny(path+query, "# \r\n\t\x00") {
				t.Fatalf("%q %q passed", path, query)
			}
		}

		clean, err := policy.CleanHost(host, "https")
		if err != nil {
			return
		}
		if again, err := policy.CleanHost(clean, "https"); err != nil || again != clean {
			t.Fatalf("%q: %q, then %q %v", host, clean, again, err)
		}
		if clean == "" || clean != strings.ToLower(clean) || strings.ContainsAny(clean, " /\\@#?%,\"\x00\r\n") || strings.HasSuffix(clean, ":443") {
			t.Fatalf("%q: %q is not clean", host, clean)
		}
	})
}

// FuzzPolicyFields feeds the smaller parsers of header fields.
func FuzzPolicyFields(f *testing.F) {
	for _, s := range []string{"a=1; b=2", "a", "=;;a=", "method.request.header.X", "method.request.multivalueheader.x", "x-a, cache-control, , connection", "a b\tc", "\x00\"\\é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range policy.Cookie([]string{s}, "a") {
			if strings.Contains(v, ";") || !strings.Contains(s, v) {
				t.Fatalf("cookie %q of %q", v, s)
			}
		}
		if p, err := policy.ParseKeyParameter(s); err == nil && (p.String() != s || p.Name == "") {
			t.Fatalf("%q is read as %q", s, p)
		}

		h := map[string][]string{"Connection": {s}, "Cache-Control": {"private"}, "X-Forwarded-For": {"a"}, "Content-Type": {"b"}, "Authorization": {"c"}}
		policy.RemoveHopByHop(h)
		if len(h) != 4 {
			t.Fatalf("Connection: %q strips what it must not: %v", s, h)
		}

		seen := map[string]bool{}
		for _, tag := range policy.Tags(map[string][]string{"Surrogate-Key": {s}, "Cache-Tag": {s}}) {
			if tag == "" || seen[tag] {
				t.Fatalf("%q: tag %q is empty or there twice", s, tag)
			}
			seen[tag] = true
		}

		status := policy.CacheStatus{Forward: s, Detail: s}.Append(nil)
		for _, c := range status {
			if c < ' ' || c > '~' {
				t.Fatalf("%q reaches the header: %q", s, status)
			}
		}
	})
}
