package layers

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const maxLines = 800

// A treeRule looks at the files of the project and finds what breaks it.
type treeRule struct {
	name  string
	check func(fsys fs.FS, files []string) ([]string, error)
}

var treeRules = []treeRule{
	{"every package has a doc comment", packageDocs},
	{"no file is too long", tooLong},
	{"no machine's paths, no registries", placeNames},
	{"nothing is left unfinished", unfinished},
	{"no merge is left open", openMerges},
	{"every fuzz target has seeds", fuzzSeeds},
	{"rivals are not required", rivalsRequired},
	{"every package is in ARCHITECTURE.md", mapped},
}

// Every word below is put together from two, so that this file does not contain what it looks for.
var (
	machinePaths = regexp.MustCompile(`(^|[^\w.}/-])/(` + `wo` + `rk|ro` + `ot|tmp/pl` + `an|tmp/bash_` + `jobs)(/|["'` + "`" + `\s]|$)`)
	registries   = regexp.MustCompile(`(?i)(proxy\.gol` + `ang\.org|sum\.gol` + `ang\.org|gopr` + `oxy\.(io|cn)|gopr` + `oxy=|gonosu` + `m\w*=|` +
		`registry\.np` + `mjs\.org|registry-1\.dock` + `er\.io|deb\.deb` + `ian\.org|py` + `pi\.org|artifac` + `tory)`)
	conflicts = regexp.MustCompile(`^(<{7}|>{7}|\|{7})( |\r?$)`)
	leftovers = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|SKEL` + `ETON)\b|\.Skip` + `(Now)?\(\)`)
)

func inTestdata(file string) bool { return slices.Contains(strings.Split(file, "/"), "testdata") }

func goFile(file string) bool { return path.Ext(file) == ".go" && !inTestdata(file) }

// lines calls f with each line of a text file that the filter wants.
func lines(fsys fs.FS, files []string, want func(string) bool, f func(file string, number int, line []byte)) error {
	for _, file := range files {
		if !want(file) {
			continue
		}
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data, 0) >= 0 {
			continue // no text
		}
		number := 0
		for line := range bytes.Lines(data) {
			number++
			f(file, number, line)
		}
	}
	return nil
}

func packageDocs(fsys fs.FS, files []string) ([]string, error) {
	documented := make(map[string]bool) // by directory; false: seen, nothing found yet
	for _, file := range files {
		if !goFile(file) {
			continue
		}
		dir := path.Dir(file)
		if _, seen := documented[dir]; !seen {
			documented[dir] = false
		}
		f, err := parse(fsys, file, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		want := "Package " + f.Name.Name + " "
		if f.Name.Name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if f.Doc != nil && strings.HasPrefix(f.Doc.Text(), want) {
			documented[dir] = true
		}
	}
	var out []string
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			out = append(out, dir+": no comment \"Package NAME ...\" (or \"Command NAME ...\") above any package clause")
		}
	}
	return out, nil
}

func parse(fsys fs.FS, file string, mode parser.Mode) (*ast.File, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(token.NewFileSet(), file, data, mode)
}

func tooLong(fsys fs.FS, files []string) (out []string, err error) {
	written := func(file string) bool { return !inTestdata(file) && path.Base(file) != "go.sum" }
	last := make(map[string]int)
	err = lines(fsys, files, written, func(file string, number int, _ []byte) { last[file] = number })
	for _, file := range slices.Sorted(maps.Keys(last)) {
		if last[file] > maxLines {
			out = append(out, fmt.Sprintf("%s: %d lines, more than %d: split it by ideas", file, last[file], maxLines))
		}
	}
	return out, err
}

func placeNames(fsys fs.FS, files []string) (out []string, err error) {
	err = lines(fsys, files, func(string) bool { return true }, func(file string, number int, line []byte) {
		if m := machinePaths.Find(line); m != nil {
			out = append(out, fmt.Sprintf("%s:%d: a path of one machine: %s", file, number, bytes.TrimSpace(m)))
		}
		if m := registries.Find(line); m != nil && !inTestdata(file) { // test data are other people's words
			out = append(out, fmt.Sprintf("%s:%d: a package registry or its settings: %s", file, number, m))
		}
	})
	return out, err
}

func unfinished(fsys fs.FS, files []string) (out []string, err error) {
	err = lines(fsys, files, goFile, func(file string, number int, line []byte) {
		if m := leftovers.Find(line); m != nil {
			out = append(out, fmt.Sprintf("%s:%d: %s", file, number, m))
		}
	})
	return out, err
}

// openMerges finds what git leaves where two sides changed the same lines. In a document nothing else would notice it.
func openMerges(fsys fs.FS, files []string) (out []string, err error) {
	err = lines(fsys, files, func(string) bool { return true }, func(file string, number int, line []byte) {
		if conflicts.Match(line) {
			out = append(out, fmt.Sprintf("%s:%d: a conflict of a merge", file, number))
		}
	})
	return out, err
}

// mapped wants every directory with Go files in the table of packages.
func mapped(fsys fs.FS, files []string) (out []string, err error) {
	const page = "ARCHITECTURE.md"
	var text []byte
	if slices.Contains(files, page) {
		if text, err = fs.ReadFile(fsys, page); err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool)
	for _, file := range files {
		dir := path.Dir(file)
		if !goFile(file) || seen[dir] {
			continue
		}
		seen[dir] = true
		row := regexp.MustCompile(`(?m)^\|[^|]*` + "`" + regexp.QuoteMeta(dir) + "`" + `[^|]*\|`)
		if !row.Match(text) {
			out = append(out, dir+": it has no row in "+page)
		}
	}
	return out, nil
}

// fuzzSeeds wants an Add in every target, in a function that the target gives its *testing.F to, or a file under
// testdata/fuzz. (That a loop over seeds runs at least once cannot be seen in the text; .ci/run checks it by running.)
func fuzzSeeds(fsys fs.FS, files []string) ([]string, error) {
	var out []string
	helpers := make(map[string]bool) // directory and name of functions that call Add on a *testing.F they are given
	type target struct {
		file string
		decl *ast.FuncDecl
		f    string // what it calls its *testing.F
	}
	var targets []target
	for _, file := range files {
		if !goFile(file) || !strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parse(fsys, file, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range parsed.Decls {
			decl, ok := d.(*ast.FuncDecl)
			if !ok || decl.Recv != nil || decl.Body == nil {
				continue
			}
			f := fuzzParam(decl)
			if f == "" {
				continue
			}
			if strings.HasPrefix(decl.Name.Name, "Fuzz") {
				targets = append(targets, target{file, decl, f})
			} else if adds(decl.Body, f) {
				helpers[path.Dir(file)+" "+decl.Name.Name] = true
			}
		}
	}
	for _, t := range targets {
		dir := path.Dir(t.file)
		corpus, err := fs.Glob(fsys, path.Join(dir, "testdata/fuzz", t.decl.Name.Name, "*"))
		if err != nil {
			return nil, err
		}
		seeded := len(corpus) > 0 || adds(t.decl.Body, t.f) || callsWith(t.decl.Body, t.f, func(name string) bool { return helpers[dir+" "+name] })
		if !seeded {
			out = append(out, fmt.Sprintf("%s: %s has no seeds", t.file, t.decl.Name.Name))
		}
	}
	return out, nil
}

// fuzzParam gives the name of the function's *testing.F, or "".
func fuzzParam(decl *ast.FuncDecl) string {
	for _, p := range decl.Type.Params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok || len(p.Names) == 0 {
			continue
		}
		if sel, ok := star.X.(*ast.SelectorExpr); ok && sel.Sel.Name == "F" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "testing" {
				return p.Names[0].Name
			}
		}
	}
	return ""
}

// adds tells whether f.Add is called.
func adds(body *ast.BlockStmt, f string) bool {
	return anyCall(body, func(call *ast.CallExpr) bool {
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Add" {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == f
	})
}

// callsWith tells whether a function that the filter knows is called with f among its arguments.
func callsWith(body *ast.BlockStmt, f string, known func(string) bool) bool {
	return anyCall(body, func(call *ast.CallExpr) bool {
		name, ok := call.Fun.(*ast.Ident)
		return ok && known(name.Name) && slices.ContainsFunc(call.Args, func(a ast.Expr) bool {
			x, ok := a.(*ast.Ident)
			return ok && x.Name == f
		})
	})
}

func anyCall(body *ast.BlockStmt, is func(*ast.CallExpr) bool) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && is(call) {
			found = true
		}
		return !found
	})
	return found
}

// rivalsRequired reads the core module's go.mod; bench/peers has its own.
func rivalsRequired(fsys fs.FS, files []string) (out []string, err error) {
	err = lines(fsys, files, func(f string) bool { return f == "go.mod" }, func(file string, number int, line []byte) {
		for _, r := range rivals {
			if bytes.Contains(line, []byte(r)) {
				out = append(out, fmt.Sprintf("%s:%d: %s belongs into bench/peers/go.mod", file, number, r))
			}
		}
	})
	return out, err
}

// garden is a tree in which all is well.
func garden() fstest.MapFS {
	return tree(map[string]string{
		"go.mod":                           "module x\nrequire go.etcd.io/bbolt v1.5.0\n",
		"ARCHITECTURE.md":                  "| package | is |\n| `a`, `cli/tool` | all |\n| c | `b` |\n",
		"go.sum":                           strings.Repeat("x\n", 2*maxLines),
		"a/doc.go":                         "// Package a is a.\npackage a\n",
		"a/a.go":                           "package a\nvar keyFile = \"./root.key\" // network/worker, shop/working, $HOME/root\n",
		"a/a_test.go":                      "package a_test\nimport \"testing\"\nfunc FuzzA(f *testing.F) { f.Add(1); f.Fuzz(func(t *testing.T, n int) {}) }\n",
		"a/b_test.go":                      "package a\nimport \"testing\"\nfunc seed(g *testing.F) { g.Add(1) }\nfunc FuzzB(f *testing.F) { seed(f) }\nfunc FuzzC(f *testing.F) {}\n",
		"a/testdata/fuzz/FuzzC/1":          "go test fuzz v1\nint(1)\n",
		"a/testdata/x.go":                  "package undocumented // TO" + "DO\n",
		"a/testdata/long.txt":              strings.Repeat("x\n", maxLines+1) + "https://registry.np" + "mjs.org/x\n",
		"cli/tool/main.go":                 "// Command tool is a tool.\npackage main\n",
		"bench/peers/go.mod":               "module peers\nrequire github.com/dgraph-io/badger/v4 v4.9.6\n",
		"a/testdata/fuzz/FuzzOther/binary": "\x00 /ro" + "ot/x\n",
	})
}

func tree(files map[string]string) fstest.MapFS {
	out := make(fstest.MapFS)
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestEveryTreeRuleCanFail(t *testing.T) {
	check := func(r treeRule, fsys fstest.MapFS) []string {
		t.Helper()
		found, err := r.check(fsys, slices.Sorted(maps.Keys(fsys)))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		return found
	}
	for _, r := range treeRules {
		if found := check(r, garden()); len(found) > 0 {
			t.Fatalf("%s: the sound tree breaks it: %q", r.name, found)
		}
	}
	proven := make(map[string]bool)
	for _, c := range []struct{ rule, file, text, want string }{
		{"every package has a doc comment", "b/b.go", "package b\n", "b: no comment"},
		{"every package has a doc comment", "b/b.go", "// Something else.\npackage b\n", "b: no comment"},
		{"every package has a doc comment", "b/b.go", "// Package b is b.\n\npackage b\n", "b: no comment"},
		{"every package has a doc comment", "b/b_test.go", "package b\n", "b: no comment"},
		{"every package has a doc comment", "cli/other/main.go", "// Package main is a tool.\npackage main\n", "cli/other: no comment"},
		{"no file is too long", "a/long.go", "package a\n" + strings.Repeat("//\n", maxLines), "a/long.go: 801 lines"},
		{"no file is too long", "README.md", strings.Repeat("x\n", maxLines+1), "README.md: 801 lines"},
		{"no machine's paths, no registries", "README.md", "see /wo" + "rk/main\n", "README.md:1: a path"},
		{"no machine's paths, no registries", "a/testdata/x.txt", "key: \"/ro" + "ot/x.key\"\n", "a/testdata/x.txt:1: a path"},
		{"no machine's paths, no registries", "a/x.go", "package a\n// cd /ro" + "ot\n", "a/x.go:2: a path"},
		{"no machine's paths, no registries", ".ci/x", "export GOPR" + "OXY=https://x\n", ".ci/x:1: a package registry"},
		{"no machine's paths, no registries", "Makefile", "https://proxy.gol" + "ang.org\n", "Makefile:1: a package registry"},
		{"nothing is left unfinished", "a/x.go", "package a\n// TO" + "DO: write\n", "a/x.go:2: TO"},
		{"nothing is left unfinished", "a/x_test.go", "package a\nfunc x(t T) { t.Skip" + "() }\n", "a/x_test.go:2: .Skip"},
		{"no merge is left open", "docs/x.md", "a\n<<<<<<< HEAD\n", "docs/x.md:2: a conflict"},
		{"no merge is left open", "a/testdata/x.txt", ">>>>>>> 08deaf7 (a: b)\n", "a/testdata/x.txt:1: a conflict"},
		{"every fuzz target has seeds", "a/x_test.go", "package a\nimport \"testing\"\nfunc FuzzX(f *testing.F) { f.Fuzz(func(t *testing.T, n int) {}) }\n", "a/x_test.go: FuzzX has no seeds"},
		{"every fuzz target has seeds", "a/x_test.go", "package a\nimport \"testing\"\nfunc help(f *testing.F) {}\nfunc FuzzX(f *testing.F) { help(f); other.Add(1) }\n", "a/x_test.go: FuzzX has no seeds"},
		{"every package is in ARCHITECTURE.md", "b/b.go", "// Package b is b.\npackage b\n", "b: it has no row"},
		{"rivals are not required", "go.mod", "module x\nrequire github.com/dgraph-io/badger/v4 v4.9.6\n", "go.mod:2: github.com/dgraph-io/badger"},
	} {
		fsys := garden()
		fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
		i := slices.IndexFunc(treeRules, func(r treeRule) bool { return r.name == c.rule })
		if i < 0 {
			t.Fatalf("there is no rule %q", c.rule)
		}
		if found := check(treeRules[i], fsys); len(found) != 1 || !strings.HasPrefix(found[0], c.want) {
			t.Errorf("%s: found %q, want one that begins with %q", c.rule, found, c.want)
		}
		proven[c.rule] = true
	}
	for _, r := range treeRules {
		if !proven[r.name] {
			t.Errorf("no example shows that %q can fail", r.name)
		}
	}
}
