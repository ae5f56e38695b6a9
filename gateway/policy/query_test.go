package policy

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestQuery(t *testing.T) {
	utm := QuerySpec{Exclude: []string{"utm_source", "utm content"}}
	for _, c := range []struct {
		source, in string
		spec       QuerySpec
		sorted     bool
		want       string
	}{
		{"empty", "", utm, true, ""},
		{"sorted by raw name", "b=1&a=2", QuerySpec{}, true, "a=2&b=1"},
		{"design 4: order stays in mode http", "b=1&a=2", QuerySpec{}, false, "b=1&a=2"},
		{"stable among equal names", "a=2&b=0&a=1&a", QuerySpec{}, true, "a=2&a=1&a&b=0"},
		{"stable among many", "z&a=5&a=4&a=3&b&a=2&a=1&c&a=0&a=9&d&a=8&e&a=7&a=6", QuerySpec{}, true, "a=5&a=4&a=3&a=2&a=1&a=0&a=9&a=8&a=7&a=6&b&c&d&e&z"},
		{"by name, not by pair", "a-b=1&a=2", QuerySpec{}, true, "a=2&a-b=1"},
		{"empty pairs go", "&a=1&&b=2&", QuerySpec{}, false, "a=1&b=2"},
		{"only empty pairs", "&&", QuerySpec{}, true, ""},
		{"a name without a value is not an empty pair", "a&=&=x", QuerySpec{}, false, "a&=&=x"},
		{"byte for byte", "q=%e2%82%AC+x&A=%", QuerySpec{}, false, "q=%e2%82%AC+x&A=%"},
		{"excluded", "a=1&utm_source=x&b=2", utm, true, "a=1&b=2"},
		{"D10: compared after one decode", "utm%5Fsource=x&utm+content=y&utm%20content=z&a=1", utm, false, "a=1"},
		{"D10: not after two", "utm%255Fsource=x", utm, false, "utm%255Fsource=x"},
		{"D10: case counts", "UTM_source=x", utm, false, "UTM_source=x"},
		{"D10: ; is no separator, the pair goes whole", "callback=x&utm_source=a;callback=evil", utm, true, "callback=x"},
		{"D10: ; is no separator, the pair stays whole", "a=1;utm_source=2", utm, true, "a=1;utm_source=2"},
		{"D10: a second ? is part of the value", "a=1?utm_source=x", utm, true, "a=1?utm_source=x"},
		{"D10: an encoded & is part of the value", "a=1%26utm_source=x", utm, true, "a=1%26utm_source=x"},
		{"included", "a=1&b=2&c=3", QuerySpec{Include: []string{"c", "a"}}, true, "a=1&c=3"},
		{"included and excluded", "a=1&b=2", QuerySpec{Include: []string{"a", "b"}, Exclude: []string{"a"}}, true, "b=2"},
		{"all dropped", "utm_source=1", utm, true, ""},
		{"bad escape in a name stays and is no match", "utm%5fsourc%65=1&utm_source%=2", utm, false, "utm_source%=2"},
	} {
		if got := Query(c.in, c.spec, c.sorted); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.source, c.in, got, c.want)
		}
	}
}

func TestQueryProperties(t *testing.T) {
	gen := rapid.StringOfN(rapid.SampledFrom([]rune("ab=&&;%61+_")), 0, 24, -1)
	rapid.Check(t, func(t *rapid.T) {
		raw, sorted := gen.Draw(t, "raw"), rapid.Bool().Draw(t, "sorted")
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a b", "", "aa"}), 0, 3)
		spec := QuerySpec{names.Draw(t, "include"), names.Draw(t, "exclude")}
		got := Query(raw, spec, sorted)
		if again := Query(got, spec, sorted); again != got {
			t.Fatalf("not idempotent: %q, then %q", got, again)
		}
		// What is there is what the client sent: a sub-multiset of its pairs, equal names in order.
		left := strings.Split(raw, "&")
		byName := map[string][]string{}
		for _, p := range left {
			byName[rawName(p)] = append(byName[rawName(p)], p)
		}
		for p := range strings.SplitSeq(got, "&") {
			if got == "" {
				break
			}
			n := rawName(p)
			i := slices.Index(byName[n], p)
			if i < 0 {
				t.Fatalf("%q: pair %q came from nowhere or out of order", got, p)
			}
			byName[n] = byName[n][i+1:]
		}
		for _, name := range spec.Exclude {
			if v := QueryValues(got, name); v != nil {
				t.Fatalf("%q still has %q: %q", got, name, v)
			}
		}
	})
}

func TestQueryUnchangedAllocs(t *testing.T) {
	raw := "category=books&page=2&q=a+b"
	spec := QuerySpec{Exclude: []string{"utm_source", "utm_medium"}}
	if got := Query(raw, spec, true); unsafe.StringData(got) != unsafe.StringData(raw) {
		t.Error("a settled query was copied")
	}
	if n := testing.AllocsPerRun(100, func() { Query(raw, spec, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestQueryValues(t *testing.T) {
	for _, c := range []struct {
		source, raw, name string
		want              []string
	}{
		{"absent", "a=1", "b", nil},
		{"no query", "", "b", nil},
		{"an empty query has no empty name", "", "", nil},
		{"present and empty", "b=", "b", []string{""}},
		{"present without =", "b", "b", []string{""}},
		{"all values, in order", "b=2&a=0&b=1", "b", []string{"2", "1"}},
		{"decoded once", "%62=x%2By+z%2541", "b", []string{"x+y z%41"}},
		{"API Gateway known issues: case counts", "B=1", "b", nil},
		{"D10: ; is no separator", "a=1;b=2", "b", nil},
	} {
		if got := QueryValues(c.raw, c.name); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
}
