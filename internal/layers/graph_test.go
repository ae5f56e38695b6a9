package layers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A node is one package of this module: what it imports, what its tests import besides, and all that the package (without
// its tests) depends on in the end. Packages of ours are named without the module's name: "gateway/config".
type node struct{ imports, tests, deps []string }

// graph has a node for every package of this module, by name.
type graph map[string]node

// may says which packages of ours a package may import; "x/..." is x and everything under it. The first row that covers a
// package counts. Tests obey the same row, save that everybody's tests may use internal.
var may = []struct {
	who  string
	what []string
}{
	{"crypto/...", []string{"crypto/...", "internal/..."}},
	{"tier/...", []string{"tier/...", "crypto/...", "internal/..."}},
	{"engine/...", []string{"engine/...", "tier/...", "crypto/...", "internal/..."}},
	// Decisions and settings are plain functions and values: useful, tested and fuzzed without the rest.
	{"gateway/policy", nil},
	{"gateway/stored", nil},
	{"gateway/demo", nil},
	{"gateway/iam", nil},
	{"gateway/sigv4", nil},
	// A configuration holds policies, and says in which line of the file one is wrong.
	{"gateway/config", []string{"gateway/iam", "gateway/policy", "crypto/...", "internal/..."}},
	{"gateway/overrides", []string{"gateway/config", "gateway/policy", "crypto/...", "internal/..."}},
	{"gateway/audit", nil},
	{"gateway/identity", []string{"gateway/config", "gateway/iam", "gateway/sigv4", "crypto/...", "internal/..."}},
	// The control plane works on stores and settings; the data plane mounts it, not the other way round.
	{"gateway/control", []string{"gateway/audit", "gateway/overrides", "gateway/config", "gateway/policy", "engine/...", "tier/...", "crypto/...", "internal/..."}},
	// A wire format over an interface: what it drives is handed in.
	{"gateway/apigw", []string{"gateway/config", "gateway/policy", "crypto/...", "internal/..."}},
	{"gateway/openapi", []string{"gateway/config", "gateway/policy", "crypto/...", "internal/..."}},
	// Counters that the data plane adds to must not know it.
	{"gateway/metrics", []string{"gateway/control", "gateway/config", "engine/...", "tier/...", "crypto/...", "internal/..."}},
	{"gateway/...", []string{"gateway/...", "engine/...", "tier/...", "crypto/...", "internal/..."}},
	{"cli/cachectl", []string{"cli"}},
	// The one benchmark that users run too.
	{"cli/...", []string{"cli/...", "bench/curve", "gateway/...", "engine/...", "tier/...", "crypto/...", "internal/..."}},
	// Helpers serve all layers, so they stand on none.
	{"internal/...", []string{"internal/..."}},
	// It is part of the binary, so it takes no more of the house than an embedder does.
	{"bench/curve", []string{"bench/internal/...", "engine/...", "crypto/...", "internal/..."}},
	{"bench/...", []string{"bench/...", "gateway/...", "engine/...", "tier/...", "crypto/...", "internal/..."}},
	{"fuzz/...", []string{"fuzz/...", "gateway/...", "engine/...", "tier/...", "crypto/...", "internal/..."}},
}

// rivals are what bench/peers compares with. They must not become anybody's dependency.
var rivals = []string{
	"github.com/dgraph-io/badger", "github.com/dgraph-io/ristretto", "github.com/cockroachdb/pebble", "github.com/maypok86/otter",
}

// A graphRule finds what breaks it.
type graphRule struct {
	name  string
	check func(graph) []string
}

var graphRules = []graphRule{
	{"imports point one way", oneWay},
	{"nothing imports cli but cli/cachectl", func(g graph) []string {
		return g.find(func(name string, n node) []string {
			if name == "cli" || name == "cli/cachectl" {
				return nil // cli's own external tests import it
			}
			return under(slices.Concat(n.imports, n.tests), "cli/...")
		})
	}},
	{"engine, tier and crypto do not know net/http, and neither do the decisions", func(g graph) []string {
		return g.find(func(name string, n node) []string {
			if !covers("engine/...", name) && !covers("tier/...", name) && !covers("crypto/...", name) &&
				name != "gateway/policy" && name != "gateway/stored" {
				return nil
			}
			return under(n.deps, "std:net/http/...")
		})
	}},
	// Only what it imports itself: math/big, which the standard library's own cryptography uses, imports math/rand.
	{"crypto has no math/rand", func(g graph) []string {
		return g.find(func(name string, n node) []string {
			if !covers("crypto/...", name) {
				return nil
			}
			return under(n.imports, "std:math/rand/...")
		})
	}},
	{"rivals stay in bench/peers", func(g graph) []string {
		return g.find(func(name string, n node) []string {
			var out []string
			for _, r := range rivals {
				out = append(out, under(slices.Concat(n.deps, n.imports, n.tests), r+"/...")...)
			}
			return out
		})
	}},
	{"no test code in the binary", func(g graph) []string {
		return under(prefixed("cli/cachectl depends on ", g["cli/cachectl"].deps), "cli/cachectl depends on std:testing/...")
	}},
}

// covers tells whether the pattern means that package.
func covers(pattern, name string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

// under keeps the names that the pattern covers, once each.
func under(names []string, pattern string) []string {
	var out []string
	for _, n := range names {
		if covers(pattern, n) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// find asks of every package what it has that it must not have.
func (g graph) find(bad func(string, node) []string) []string {
	var out []string
	for name, n := range g {
		for _, b := range bad(name, n) {
			out = append(out, fmt.Sprintf("%s depends on %s", name, b))
		}
	}
	slices.Sort(out)
	return out
}

func oneWay(g graph) []string {
	return g.find(func(name string, n node) []string {
		var allowed []string
		known := false
		for _, row := range may {
			if known = covers(row.who, name); known {
				allowed = row.what
				break
			}
		}
		if !known {
			return []string{"nothing: no row of the table covers it"}
		}
		var bad []string
		check := func(imports, allowed []string) {
			for _, i := range imports {
				_, ours := g[i]
				ok := !ours || i == name || slices.ContainsFunc(allowed, func(p string) bool { return covers(p, i) })
				if !ok && !slices.Contains(bad, i) {
					bad = append(bad, i)
				}
			}
		}
		check(n.imports, allowed)
		check(n.tests, append([]string{"internal/..."}, allowed...))
		return bad
	})
}

// house is a graph in which all is well: every example below spoils a copy of it in one place.
func house() graph {
	return graph{
		"crypto":          {imports: []string{"std:crypto/rand", "internal/vfs"}, tests: []string{"std:math/rand/v2"}, deps: []string{"std:math/big", "std:math/rand"}},
		"tier":            {imports: []string{"crypto", "internal/vfs"}, tests: []string{"tier/tiertest"}},
		"tier/tiertest":   {imports: []string{"tier", "std:testing"}},
		"engine":          {imports: []string{"tier", "crypto"}, tests: []string{"std:net/http", "internal/need"}},
		"gateway":         {imports: []string{"engine", "gateway/config", "gateway/control", "std:net/http"}, deps: []string{"std:net/http"}},
		"gateway/config":  {imports: []string{"crypto"}},
		"gateway/control": {imports: []string{"engine", "gateway/config"}},
		"gateway/policy":  {imports: []string{"std:crypto"}, tests: []string{"internal/need"}},
		"gateway/stored":  {},
		"gateway/demo":    {imports: []string{"std:net/http", "std:math/rand/v2"}},
		"cli":             {imports: []string{"gateway", "engine"}, tests: []string{"cli", "std:testing"}},
		"cli/cachectl":    {imports: []string{"cli"}, deps: []string{"cli", "std:net/http"}},
		"internal/vfs":    {},
		"internal/need":   {imports: []string{"std:testing"}},
		"bench/engine":    {imports: []string{"engine"}},
		"fuzz":            {tests: []string{"gateway/policy"}},
	}
}

func TestEveryGraphRuleCanFail(t *testing.T) {
	for _, r := range graphRules {
		if found := r.check(house()); len(found) > 0 {
			t.Fatalf("%s: the sound house breaks it: %v", r.name, found)
		}
	}
	proven := make(map[string]bool)
	for _, c := range []struct {
		rule, who string
		add       node
		want      string
	}{
		{"imports point one way", "crypto", node{imports: []string{"tier"}}, "crypto depends on tier"},
		{"imports point one way", "tier", node{imports: []string{"engine"}}, "tier depends on engine"},
		{"imports point one way", "tier", node{tests: []string{"engine"}}, "tier depends on engine"},
		{"imports point one way", "engine", node{imports: []string{"gateway/policy"}}, "engine depends on gateway/policy"},
		{"imports point one way", "gateway/config", node{imports: []string{"engine"}}, "gateway/config depends on engine"},
		{"imports point one way", "gateway/config", node{imports: []string{"tier"}}, "gateway/config depends on tier"},
		{"imports point one way", "gateway/policy", node{imports: []string{"engine"}}, "gateway/policy depends on engine"},
		{"imports point one way", "gateway/policy", node{imports: []string{"crypto"}}, "gateway/policy depends on crypto"},
		{"imports point one way", "gateway/policy", node{imports: []string{"internal/vfs"}}, "gateway/policy depends on internal/vfs"},
		{"imports point one way", "gateway/control", node{imports: []string{"gateway"}}, "gateway/control depends on gateway"},
		{"imports point one way", "gateway", node{imports: []string{"cli"}}, "gateway depends on cli"},
		{"imports point one way", "internal/vfs", node{imports: []string{"crypto"}}, "internal/vfs depends on crypto"},
		{"imports point one way", "cli/cachectl", node{imports: []string{"engine"}}, "cli/cachectl depends on engine"},
		{"imports point one way", "attic", node{}, "attic depends on nothing: no row of the table covers it"},
		{"nothing imports cli but cli/cachectl", "bench/engine", node{imports: []string{"cli"}}, "bench/engine depends on cli"},
		{"nothing imports cli but cli/cachectl", "gateway", node{tests: []string{"cli"}}, "gateway depends on cli"},
		{"engine, tier and crypto do not know net/http, and neither do the decisions", "engine", node{deps: []string{"std:net/http"}}, "engine depends on std:net/http"},
		{"engine, tier and crypto do not know net/http, and neither do the decisions", "tier", node{deps: []string{"std:net/http/httptrace"}}, "tier depends on std:net/http/httptrace"},
		{"engine, tier and crypto do not know net/http, and neither do the decisions", "crypto", node{deps: []string{"std:net/http"}}, "crypto depends on std:net/http"},
		{"engine, tier and crypto do not know net/http, and neither do the decisions", "gateway/policy", node{deps: []string{"std:net/http"}}, "gateway/policy depends on std:net/http"},
		{"crypto has no math/rand", "crypto", node{imports: []string{"std:math/rand"}}, "crypto depends on std:math/rand"},
		{"crypto has no math/rand", "crypto", node{imports: []string{"std:math/rand/v2"}}, "crypto depends on std:math/rand/v2"},
		{"rivals stay in bench/peers", "bench/engine", node{deps: []string{"github.com/dgraph-io/badger/v4"}}, "bench/engine depends on github.com/dgraph-io/badger/v4"},
		{"rivals stay in bench/peers", "tier", node{tests: []string{"github.com/cockroachdb/pebble/v2/vfs"}}, "tier depends on github.com/cockroachdb/pebble/v2/vfs"},
		{"no test code in the binary", "cli/cachectl", node{deps: []string{"std:testing"}}, "cli/cachectl depends on std:testing"},
	} {
		g := house()
		n := g[c.who]
		n.imports = slices.Concat(n.imports, c.add.imports)
		n.tests = slices.Concat(n.tests, c.add.tests)
		n.deps = slices.Concat(n.deps, c.add.deps)
		g[c.who] = n
		i := slices.IndexFunc(graphRules, func(r graphRule) bool { return r.name == c.rule })
		if i < 0 {
			t.Fatalf("there is no rule %q", c.rule)
		}
		if found := graphRules[i].check(g); !slices.Equal(found, []string{c.want}) {
			t.Errorf("%s: found %q, want %q", c.rule, found, c.want)
		}
		proven[c.rule] = true
	}
	for _, r := range graphRules {
		if !proven[r.name] {
			t.Errorf("no example shows that %q can fail", r.name)
		}
	}
}
