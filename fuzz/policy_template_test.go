package fuzz

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"stagecache/gateway/policy"
)

// FuzzPolicyTemplate compares Match with a regular expression made from the same
// template, and Lookup with Match.
func FuzzPolicyTemplate(f *testing.F) {
	for _, s := range []string{"/", "/products/{id}", "/{proxy+}", "/a/{proxy+}", "/a/{x}/b", "/{a}/{b}/{c+}", "/a/", "/{", "/*", "/%61", "//", "/{a}/{a}", "/caf%C3%A9"} {
		for _, p := range []string{"/", "/products/7", "/a/b/c/", "//", "/a//b", "/%61/x"} {
			f.Add(s, p)
		}
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		tpl, err := policy.ParseTemplate(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "template ") {
				t.Fatalf("the error does not name the template: %v", err)
			}
			return
		}
		if tpl.String() != text {
			t.Fatalf("%q became %q", text, tpl)
		}
		params, ok := tpl.Match(path)
		if ok && len(params) != len(tpl.Params()) {
			t.Fatalf("%q on %q: %v", text, path, params)
		}
		for _, p := range params {
			if strings.Trim(p.Value, "/") == "" || !strings.Contains(path, p.Value) {
				t.Fatalf("%q on %q: %v", text, path, p)
			}
		}
		if !strings.Contains(text+path, "%") && utf8.ValidString(text) { // an expression knows neither escapes nor loose bytes
			if want := expression(text).MatchString(path); ok != want {
				t.Fatalf("%q on %q: %v, want %v", text, path, ok, want)
			}
		}

		var tab policy.Table[int]
		if err := tab.Add("GET", tpl, 1); err != nil {
			t.Fatal(err)
		}
		if err := tab.Add("GET", tpl, 2); err == nil {
			t.Fatalf("%q was added twice", text)
		}
		v, found, got, hit := tab.Lookup("GET", path)
		if hit != ok || hit && (v != 1 || found != tpl || len(got) != len(params)) {
			t.Fatalf("%q on %q: Lookup %v, Match %v", text, path, hit, ok)
		}
		if _, _, _, hit := tab.Lookup("POST", path); hit {
			t.Fatal("another verb was found")
		}
	})
}

func expression(template string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)^")
	for _, seg := range strings.Split(template, "/")[1:] {
		switch {
		case template == "/":
		case strings.HasSuffix(seg, "+}"):
			b.WriteString("/(?:[^/].*?|/+[^/].*?)")
		case strings.HasPrefix(seg, "{"):
			b.WriteString("/[^/]+")
		default:
			b.WriteString("/" + regexp.QuoteMeta(seg))
		}
	}
	if template == "/" {
		return regexp.MustCompile("^/$")
	}
	return regexp.MustCompile(b.String() + "/?$")
}
