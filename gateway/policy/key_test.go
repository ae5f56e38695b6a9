package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plain writes an input in a form of its own, to tell whether two differ.
func plain(in any) string {
	return strings.ReplaceAll(fmt.Sprintf("%#v", in), "(nil)", "{}")
}

func genNamed(t *rapid.T, label string) []NamedValues {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("a\x00\x01\x02")), 0, 3, -1)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) NamedValues {
		return NamedValues{text.Draw(t, "name"), rapid.SliceOfN(text, 0, 2).Draw(t, "values"), rapid.Bool().Draw(t, "present")}
	}), 0, 2).Draw(t, label)
}

func genKey(t *rapid.T, label string) KeyInput {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("a\x00\x01\x02")), 0, 3, -1)
	d := func(s string) string { return text.Draw(t, label+s) }
	return KeyInput{d("method"), d("scheme"), d("host"), d("path"), d("query"), genNamed(t, label+"headers"), genNamed(t, label+"cookies")}
}

func TestAppendKeyInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genKey(t, "a "), genKey(t, "b ")
		if rapid.Bool().Draw(t, "near") { // b differs from a in one string's border
			b = a
			b.Path, b.Query = a.Path+a.Query, ""
		}
		same := bytes.Equal(AppendKey(nil, a), AppendKey(nil, b))
		if same != (plain(a) == plain(b)) {
			t.Fatalf("%#v\n%#v\nsame key: %v", a, b, same)
		}
	})
}

// A decoder is the stronger proof: whatever can be read back was not ambiguous.
func TestAppendKeyCanBeReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := genKey(t, "")
		r := keyReader{AppendKey(nil, in)}
		if k := r.byte(); k != kindFull {
			t.Fatalf("kind %d", k)
		}
		got := KeyInput{r.text(), r.text(), r.text(), r.text(), r.text(), r.named(), r.named()}
		if plain(got) != plain(in) || len(r.b) != 0 {
			t.Fatalf("read back %#v, rest %x, want %#v", got, r.b, in)
		}
	})
}

// keyReader reads keys whose lengths are below 128, one byte each.
type keyReader struct{ b []byte }

func (r *keyReader) byte() byte { c := r.b[0]; r.b = r.b[1:]; return c }
func (r *keyReader) text() string {
	n := r.byte()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
func (r *keyReader) named() []NamedValues {
	parts := []NamedValues{}
	for n := r.byte(); n > 0; n-- {
		p := NamedValues{Name: r.text(), Present: r.byte() == 1, Values: []string{}}
		for m := r.byte(); m > 0; m-- {
			p.Values = append(p.Values, r.text())
		}
		parts = append(parts, p)
	}
	return parts
}

func TestAppendKey(t *testing.T) {
	base := KeyInput{Method: "GET", Scheme: "https", Host: "a", Path: "/p", Query: "q=1",
		Headers: []NamedValues{{"Accept-Language", []string{"fr"}, true}}, Cookies: []NamedValues{{"lang", nil, false}}}
	change := func(f func(*KeyInput)) KeyInput {
		in := base
		in.Headers, in.Cookies = slices.Clone(base.Headers), slices.Clone(base.Cookies)
		f(&in)
		return in
	}
	keys := map[string]string{}
	for source, in := range map[string]KeyInput{
		"base":                              base,
		"design 4: method":                  change(func(k *KeyInput) { k.Method = "POST" }),
		"design 4: scheme":                  change(func(k *KeyInput) { k.Scheme = "http" }),
		"design 4: host":                    change(func(k *KeyInput) { k.Host = "b" }),
		"design 4: path":                    change(func(k *KeyInput) { k.Path = "/P" }),
		"D10: two forms of a path":          change(func(k *KeyInput) { k.Path = "/%70" }),
		"design 4: query":                   change(func(k *KeyInput) { k.Query = "q=2" }),
		"D5: border between path and query": change(func(k *KeyInput) { k.Path, k.Query = "/pq", "=1" }),
		"D5: no query":                      change(func(k *KeyInput) { k.Path, k.Query = "/p?q=1", "" }),
		"header value":                      change(func(k *KeyInput) { k.Headers[0].Values = []string{"de"} }),
		"header absent":                     change(func(k *KeyInput) { k.Headers[0] = NamedValues{Name: "Accept-Language"} }),
		"header empty is not absent":        change(func(k *KeyInput) { k.Headers[0].Values = []string{""} }),
		"one value with a comma is not two": change(func(k *KeyInput) { k.Headers[0].Values = []string{"fr,de"} }),
		"two values":                        change(func(k *KeyInput) { k.Headers[0].Values = []string{"fr", "de"} }),
		"cookie":                            change(func(k *KeyInput) { k.Cookies[0] = NamedValues{"lang", []string{"fr"}, true} }),
		"a header is not a cookie":          change(func(k *KeyInput) { k.Headers, k.Cookies = k.Cookies, k.Headers }),
		"nothing":                           {},
	} {
		key := string(AppendKey(nil, in))
		if other, dup := keys[key]; dup {
			t.Errorf("%s: the same key as %s", source, other)
		}
		keys[key] = source
	}
	if got := string(AppendKey([]byte("x"), base)); got[0] != 'x' || keys[got[1:]] != "base" {
		t.Errorf("AppendKey does not append: %q", got)
	}
	if _, dup := keys[string(AppendDeclaredKey(nil, DeclaredInput{}))]; dup {
		t.Error("a declared key equals a full one")
	}
}

func TestAppendKeyAllocs(t *testing.T) {
	in := KeyInput{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/prod/products/17", Query: "page=2",
		Headers: []NamedValues{{"Accept-Language", []string{"fr"}, true}}}
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { AppendKey(buf, in) }); n != 0 {
		t.Errorf("AppendKey: %v allocations", n)
	}
	d := DeclaredInput{Namespace: "products", Method: "GET", Parts: in.Headers}
	if n := testing.AllocsPerRun(100, func() { AppendDeclaredKey(buf, d) }); n != 0 {
		t.Errorf("AppendDeclaredKey: %v allocations", n)
	}
}

func TestAppendDeclaredKey(t *testing.T) {
	part := func(values ...string) []NamedValues {
		return []NamedValues{{"method.request.querystring.q", values, values != nil}}
	}
	base := string(AppendDeclaredKey(nil, DeclaredInput{"res", "GET", part("1")}))
	for source, in := range map[string]DeclaredInput{
		"API Gateway: another namespace":                      {"other", "GET", part("1")},
		"API Gateway: another value":                          {"res", "GET", part("2")},
		"API Gateway: an absent parameter is its own value":   {"res", "GET", part()},
		"an empty parameter is neither":                       {"res", "GET", part("")},
		"the verb is part of the key":                         {"res", "POST", part("1")},
		"no parameters: one entry for everything in the name": {"res", "GET", nil},
	} {
		if string(AppendDeclaredKey(nil, in)) == base {
			t.Errorf("%s: the same key", source)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("a\x00\x01")), 0, 3, -1)
		in := func(label string) DeclaredInput {
			return DeclaredInput{text.Draw(t, label), text.Draw(t, label), genNamed(t, label)}
		}
		a, b := in("a"), in("b")
		if bytes.Equal(AppendDeclaredKey(nil, a), AppendDeclaredKey(nil, b)) != (plain(a) == plain(b)) {
			t.Fatalf("%#v\n%#v", a, b)
		}
	})
}

func TestParseKeyParameter(t *testing.T) {
	for s, want := range map[string]KeyParameter{
		"method.request.path.proxy":          {"method", "path", "proxy"},
		"method.request.querystring.filter":  {"method", "querystring", "filter"},
		"method.request.querystring.a[b].c":  {"method", "querystring", "a[b].c"},
		"method.request.header.Origin":       {"method", "header", "Origin"},
		"method.request.header.X.Y":          {"method", "header", "X.Y"},
		"integration.request.header.x-b":     {"integration", "header", "x-b"},
		"integration.request.path.id":        {"integration", "path", "id"},
		"integration.request.querystring.id": {"integration", "querystring", "id"},
	} {
		got, err := ParseKeyParameter(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"":                                       "want method.request.path.NAME",
		"method.request":                         "want method.request",
		"method.request.":                        "want method.request",
		"method.response.header.X":               "want method.request",
		"context.request.path.x":                 "want method.request",
		"xmethod.request.path.x":                 "want method.request",
		"method.request.cookie.x":                "want method.request",
		"method.request.path":                    "path parameter's name",
		"method.request.path.a/b":                "path parameter's name",
		"method.request.header.":                 "not a header's name",
		"method.request.header.a b":              "not a header's name",
		"method.request.querystring":             "missing",
		"method.request.body":                    "the body cannot be a cache key",
		"method.request.body.a":                  "the body cannot be a cache key",
		"method.request.multivaluequerystring.a": "multi-value",
		"method.request.multivalueheader.a":      "multi-value",
	} {
		if _, err := ParseKeyParameter(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		source string
		header []string
		name   string
		want   []string
	}{
		{"RFC 6265 4.2.1", []string{"a=1; b=2"}, "b", []string{"2"}},
		{"absent", []string{"a=1"}, "b", nil},
		{"no header", nil, "a", nil},
		{"empty is not absent", []string{"a="}, "a", []string{""}},
		{"without =", []string{"a; b=1"}, "a", []string{""}},
		{"twice, in order, on several lines", []string{"a=1; a=2", "a=3"}, "a", []string{"1", "2", "3"}},
		{"RFC 6265 5.4: case counts", []string{"A=1"}, "a", nil},
		{"quotes stay", []string{`a="x y"`}, "a", []string{`"x y"`}},
		{"= in the value", []string{"a=b=c"}, "a", []string{"b=c"}},
		{"spaces around", []string{" a = 1 ;b=2"}, "a", []string{"1"}},
		{"not a suffix", []string{"xa=1"}, "a", nil},
		{"comma is no separator", []string{"b=1,a=2"}, "a", nil},
		{"no name", []string{"=1; a"}, "", nil},
	} {
		if got := Cookie(c.header, c.name); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
}
