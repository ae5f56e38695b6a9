package crypto

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sources parses the package's files, without its tests.
func sources(t *testing.T) (*token.FileSet, []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset, files := token.NewFileSet(), []*ast.File(nil)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) < 10 {
		t.Fatalf("only %d files found", len(files))
	}
	return fset, files
}

func TestImports(t *testing.T) {
	_, files := sources(t)
	for _, f := range files {
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			switch {
			case path == "golang.org/x/crypto/argon2":
			case strings.Contains(strings.Split(path, "/")[0], "."), path == "stagecache", strings.HasPrefix(path, "stagecache/"),
				path == "net", strings.HasPrefix(path, "net/"), strings.HasPrefix(path, "math/rand"), path == "log", strings.HasPrefix(path, "log/"):
				t.Errorf("crypto imports %s", path)
			}
		}
	}
}

// leaky lists comparisons of what is derived from a key by other means than crypto/subtle. A timing test would be noise
// on a shared machine; that the compare is the constant-time one can be read off the source.
func leaky(fset *token.FileSet, f *ast.File) []string {
	text := func(n ast.Node) string {
		var b strings.Builder
		printer.Fprint(&b, fset, n)
		return b.String()
	}
	secret := func(args ...ast.Expr) bool {
		for _, a := range args {
			s := strings.ToLower(text(a))
			for _, name := range []string{"secret", "commitment", "textsum", "hash[", "key["} {
				if strings.Contains(s, name) {
					return true
				}
			}
		}
		return false
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			_, zero := n.Y.(*ast.CompositeLit) // "is it there at all" tells nothing
			_, null := n.Y.(*ast.Ident)
			_, number := n.Y.(*ast.BasicLit)
			if (n.Op == token.EQL || n.Op == token.NEQ) && !zero && !null && !number && !strings.HasPrefix(text(n.X), "subtle.ConstantTimeCompare(") && secret(n.X, n.Y) {
				found = append(found, fset.Position(n.Pos()).String()+": "+text(n))
			}
		case *ast.CallExpr:
			switch text(n.Fun) {
			case "bytes.Equal", "bytes.Compare", "slices.Equal", "reflect.DeepEqual", "string":
				if secret(n.Args...) {
					found = append(found, fset.Position(n.Pos()).String()+": "+text(n))
				}
			}
		}
		return true
	})
	return found
}

func TestSecretsAreComparedInConstantTime(t *testing.T) {
	fset, files := sources(t)
	calls := 0
	for _, f := range files {
		for _, l := range leaky(fset, f) {
			t.Error(l)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ConstantTimeCompare" {
				calls++
			}
			return true
		})
	}
	if calls != 3 { // wrapping key, segment key, checksum of a key text; tags are compared within crypto/cipher
		t.Errorf("%d constant-time compares, 3 expected", calls)
	}
	// The search finds what it looks for.
	for _, expr := range []string{"bytes.Equal(commitment, h.Commitment[:])", "commitment == h.Commitment", "string(secret) == x", "h.Commitment != [32]byte(c)"} {
		f, err := parser.ParseFile(fset, "", "package p\nvar _ = "+expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(leaky(fset, f)) == 0 {
			t.Errorf("not found: %s", expr)
		}
	}
}
