package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTemplate(t *testing.T) {
	for _, s := range []string{"/", "/products/{id}", "/{proxy+}", "/a/{proxy+}", "/a.b/c-d_e~f", "/caf%C3%A9", "/café", "/{a}/{b}", "/v1:list", "/{x.y_z$-}"} {
		tpl, err := ParseTemplate(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if tpl.String() != s {
			t.Errorf("%s: String() = %s", s, tpl)
		}
	}
	for s, want := range map[string]string{
		"":                  "must begin with",
		"a":                 "must begin with",
		"/a/":               `write "/a"`,
		"/a//b":             `segment 2 "": is empty`,
		"/a/{b":             `segment 2 "{b": a variable takes the whole segment`,
		"/a/b}":             "a variable takes the whole segment",
		"/a/x{b}":           "a variable takes the whole segment",
		"/{}":               "has no name",
		"/{+}":              "has no name",
		"/{a b}":            "letters, digits",
		"/{proxy+}/b":       "must be the last one",
		"/{a}/{a}":          `"a" is used twice`,
		"/{a}/{a+}":         `"a" is used twice`,
		"/products/*":       "is no wildcard",
		"/a?b":              `holds "?"`,
		"/a#b":              `holds "#"`,
		"/a\\b":             "holds",
		"/a b":              "holds",
		"/a%":               "two hexadecimal digits",
		"/a%zz":             "two hexadecimal digits",
		"/a%00":             "never reaches",
		"/a%5c":             "never reaches",
		"/..":               "dot segment",
		"/%2e%2e/a":         "dot segment",
		"/a/\x01":           "holds",
		"/" + "\"quoted\"x": "holds",
	} {
		if _, err := ParseTemplate(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", s, err, want)
		}
	}
}

func TestTemplateMatch(t *testing.T) {
	for _, c := range []struct {
		source, tpl, path string
		ok                bool
		params            []Param
	}{
		{"design 4: root", "/", "/", true, nil},
		{"root is only the root", "/", "/a", false, nil},
		{"two slashes are an empty segment, not the root", "/", "//", false, nil},
		{"literal", "/a/b", "/a/b", true, nil},
		{"path is longer", "/a", "/a/b", false, nil},
		{"path is shorter", "/a/b", "/a", false, nil},
		{"case counts", "/a", "/A", false, nil},
		{"API Gateway: trailing slash ignored", "/pets", "/pets/", true, nil},
		{"API Gateway: trailing slash ignored in {x}", "/pets/{id}", "/pets/7/", true, []Param{{"id", "7"}}},
		{"API Gateway: trailing slash ignored in {proxy+}", "/{proxy+}", "/proxy-value/", true, []Param{{"proxy", "proxy-value"}}},
		{"only one trailing slash", "/pets", "/pets//", false, nil},
		{"two variables", "/{a}/{b}", "/x/y", true, []Param{{"a", "x"}, {"b", "y"}}},
		{"a variable is not empty", "/a/{b}/c", "/a//c", false, nil},
		{"values stay escaped", "/{a}", "/x%2Fy", true, []Param{{"a", "x%2Fy"}}},
		{"greedy takes slashes", "/a/{proxy+}", "/a/b/c", true, []Param{{"proxy", "b/c"}}},
		{"greedy takes empty segments in between", "/{proxy+}", "//b", true, []Param{{"proxy", "/b"}}},
		{"greedy needs a segment", "/{proxy+}", "/", false, nil},
		{"greedy needs a segment that is not empty", "/{proxy+}", "///", false, nil},
		{"greedy below a literal needs a segment", "/a/{proxy+}", "/a", false, nil},
		{"greedy below a literal, trailing slash", "/a/{proxy+}", "/a/", false, nil},
		{"D10: an escape does not dodge a route", "/admin", "/%61dmin", true, nil},
		{"escapes in either spelling", "/caf%C3%A9", "/caf%c3%a9", true, nil},
		{"raw template, escaped path", "/café", "/caf%C3%A9", true, nil},
		{"an encoded slash stays inside its segment", "/a/b", "/a%2Fb", false, nil},
		{"decoded once, not twice", "/a", "/%2561", false, nil},
		{"no leading slash", "/a", "a", false, nil},
		{"empty path", "/", "", false, nil},
		{"RFC 9110 9.3.7: OPTIONS *", "/{proxy+}", "*", false, nil},
	} {
		tpl, err := ParseTemplate(c.tpl)
		if err != nil {
			t.Fatal(err)
		}
		params, ok := tpl.Match(c.path)
		if ok != c.ok || !slices.Equal(params, c.params) {
			t.Errorf("%s: %s on %s: %v %v, want %v %v", c.source, c.tpl, c.path, params, ok, c.params, c.ok)
		}
	}
	tpl, _ := ParseTemplate("/{a}/b/{c+}")
	if got := tpl.Params(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("Params() = %v", got)
	}
}

func table(t testing.TB, routes ...string) *Table[string] {
	t.Helper()
	var tab Table[string]
	for _, r := range routes {
		verb, path, _ := strings.Cut(r, " ")
		tpl, err := ParseTemplate(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.Add(verb, tpl, r); err != nil {
			t.Fatal(err)
		}
	}
	return &tab
}

func TestTableLookup(t *testing.T) {
	tab := table(t,
		"ANY /", "GET /a/b", "ANY /a/{x}", "POST /a/{y}", "GET /{x}/b", "ANY /a/{proxy+}", "ANY /{proxy+}",
		"GET /a/b/{proxy+}", "DELETE /a/b/c")
	for _, c := range []struct{ source, verb, path, want string }{
		{"root", "GET", "/", "ANY /"},
		{"design 4: most specific first", "GET", "/a/b", "GET /a/b"},
		{"no entry for the verb: the next template", "PUT", "/a/b", "ANY /a/{x}"},
		{"exact verb before ANY on one template", "POST", "/a/z", "POST /a/{y}"},
		{"from the left: literal then variable before variable then literal", "GET", "/a/b/", "GET /a/b"},
		{"variable then literal", "GET", "/z/b", "GET /{x}/b"},
		{"greedy below a literal", "GET", "/a/z/c", "ANY /a/{proxy+}"},
		{"deeper greedy first", "GET", "/a/b/c", "GET /a/b/{proxy+}"},
		{"back out of a deep literal", "PUT", "/a/b/c", "ANY /a/{proxy+}"},
		{"literal below greedy", "DELETE", "/a/b/c", "DELETE /a/b/c"},
		{"verb on a variable, fall through to the root's greedy", "PUT", "/z/b", "ANY /{proxy+}"},
		{"escaped literal", "GET", "/%61/%62", "GET /a/b"},
		{"an empty segment is nothing", "GET", "//", ""},
		{"an empty segment is no {x}", "PUT", "/a//", "ANY /{proxy+}"},
		{"an empty segment is no {x}, exact verb", "GET", "//b", "ANY /{proxy+}"},
		{"no path", "GET", "", ""},
	} {
		v, tpl, _, ok := tab.Lookup(c.verb, c.path)
		if v != c.want || ok != (c.want != "") || ok != (tpl != nil) {
			t.Errorf("%s: %s %s: %q %v, want %q", c.source, c.verb, c.path, v, ok, c.want)
		}
	}
	_, _, params, _ := tab.Lookup("POST", "/a/7")
	if !slices.Equal(params, []Param{{"y", "7"}}) {
		t.Errorf("params are those of the template that won: %v", params)
	}
}

func TestTableAddErrors(t *testing.T) {
	tab := table(t, "GET /a/{x}", "ANY /{proxy+}")
	for path, want := range map[string]string{
		"/a/{y}": `"GET /a/{y}" matches the same requests as "GET /a/{x}"`,
		"/a/{x}": `"GET /a/{x}" matches the same requests`,
	} {
		tpl, _ := ParseTemplate(path)
		if err := tab.Add("GET", tpl, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	greedy, _ := ParseTemplate("/{rest+}")
	if err := tab.Add("ANY", greedy, ""); err == nil || !strings.Contains(err.Error(), "/{proxy+}") {
		t.Errorf("greedy: %v", err)
	}
	if err := tab.Add("GET", greedy, ""); err != nil {
		t.Errorf("another verb: %v", err)
	}
	if err := tab.Add("GET", nil, ""); err == nil {
		t.Error("no template: no error")
	}
	if err := tab.Add("", greedy, ""); err == nil {
		t.Error("no verb: no error")
	}
}

// The oracle keeps a plain list, matches every template on its own, and ranks
// the matches by their segments' kinds.
func TestTableAgreesWithOracle(t *testing.T) {
	verbs := []string{"GET", "POST", Any}
	rapid.Check(t, func(t *rapid.T) {
		var tab Table[int]
		type row struct {
			verb string
			tpl  *Template
			rank string
		}
		var rows []row
		genSeg := rapid.SampledFrom([]string{"a", "b", "c", "{x}", "{y}"})
		for i, n := 0, rapid.IntRange(0, 12).Draw(t, "templates"); i < n; i++ {
			segs := rapid.SliceOfNDistinct(genSeg, 0, 3, rapid.ID[string]).Draw(t, "segments")
			if rapid.Bool().Draw(t, "greedy") {
				segs = append(segs, "{proxy+}")
			}
			rank := ""
			for _, s := range segs {
				switch {
				case s[0] != '{':
					rank += "0"
				case s == "{proxy+}":
					rank += "2"
				default:
					rank += "1"
				}
			}
			tpl, err := ParseTemplate("/" + strings.Join(segs, "/"))
			if err != nil {
				t.Fatal(err)
			}
			verb := rapid.SampledFrom(verbs).Draw(t, "verb")
			if tab.Add(verb, tpl, len(rows)) == nil {
				rows = append(rows, row{verb, tpl, rank})
			}
		}
		path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "", "%61"}), 0, 5).Draw(t, "path"), "/")
		verb := rapid.SampledFrom(verbs[:2]).Draw(t, "ask")

		best, bestRank := -1, ""
		for i, r := range rows {
			if _, ok := r.tpl.Match(path); !ok || r.verb != verb && r.verb != Any {
				continue
			}
			rank := r.rank
			if r.verb == Any {
				rank += "x" // after the same template with the exact verb
			}
			if best < 0 || rank < bestRank {
				best, bestRank = i, rank
			}
		}
		got, tpl, params, ok := tab.Lookup(verb, path)
		if ok != (best >= 0) || ok && got != best {
			t.Fatalf("%s %s: row %d %v, want %d of %v", verb, path, got, ok, best, rows)
		}
		if ok {
			want, _ := tpl.Match(path)
			if fmt.Sprint(params) != fmt.Sprint(want) {
				t.Fatalf("params %v, want %v", params, want)
			}
		}
	})
}

func TestLookupAllocs(t *testing.T) {
	tab := table(t, "GET /products/popular", "GET /products/{id}", "ANY /{proxy+}")
	for path, want := range map[string]float64{"/products/popular": 0, "/products/popular/": 0, "/%70roducts/popular": 0, "/products/7": 1} {
		if got := testing.AllocsPerRun(100, func() { tab.Lookup("GET", path) }); got != want {
			t.Errorf("%s: %v allocations, want %v", path, got, want)
		}
	}
}
