package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"stagecache/internal/need"
)

const (
	module = "stagecache"
	root   = "../.." // tests run in their package's directory
)

// The house as it stands. (The tree is read through the os package in this process, so the go command knows when a
// remembered result of these tests is out of date, although the graph comes from a process of its own.)

func TestTheImportGraph(t *testing.T) {
	g := readGraph(t)
	for _, name := range []string{"cli/cachectl", "cli", "gateway", "engine", "tier", "crypto"} {
		if _, ok := g[name]; !ok {
			t.Errorf("there is no package %s: the rules would hold for want of anything to break them", name)
		}
	}
	for _, r := range graphRules {
		for _, found := range r.check(g) {
			t.Errorf("%s: %s", r.name, found)
		}
	}
}

func TestTheTree(t *testing.T) {
	fsys := os.DirFS(root)
	files := listFiles(t, fsys)
	if !slices.Contains(files, "internal/layers/layers_test.go") {
		t.Fatalf("the list of %d files lacks this one", len(files))
	}
	for _, r := range treeRules {
		found, err := r.check(fsys, files)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		for _, f := range found {
			t.Errorf("%s: %s", r.name, f)
		}
	}
}

func readGraph(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command(need.Tool(t, "go"), "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = root
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	g := make(graph)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath                               string
			Imports, TestImports, XTestImports, Deps []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return g
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		g[local(p.ImportPath)] = node{imports: locals(p.Imports), tests: append(locals(p.TestImports), locals(p.XTestImports)...), deps: locals(p.Deps)}
	}
}

// local gives the name that the rules use. What has a dot in its first element is another module's.
func local(name string) string {
	if ours, ok := strings.CutPrefix(name, module+"/"); ok || name == module {
		return ours
	}
	if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
		return name
	}
	return "std:" + name
}

func locals(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = local(n)
	}
	return out
}

// listFiles gives the files of the project. In a checkout git knows which are ignored; elsewhere, all are the project's.
func listFiles(t *testing.T, fsys fs.FS) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git" && d.IsDir():
			return fs.SkipDir
		case name == ".git": // a file in a linked work tree, where SkipDir would skip all that follows
		case d.Type().IsRegular():
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "ls-files", "-z", "--others", "--ignored", "--exclude-standard")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil {
		ignored := make(map[string]bool)
		for name := range strings.SplitSeq(string(out), "\x00") {
			ignored[path.Clean(name)] = true
		}
		all = slices.DeleteFunc(all, func(name string) bool { return ignored[name] })
	}
	return all
}

func TestNamesOfPackages(t *testing.T) {
	for in, want := range map[string]string{
		"stagecache/crypto": "crypto", "stagecache/cli/cachectl": "cli/cachectl", "crypto": "std:crypto", "net/http": "std:net/http",
		"go.etcd.io/bbolt": "go.etcd.io/bbolt",
	} {
		if got := local(in); got != want {
			t.Errorf("local(%q) is %q, want %q", in, got, want)
		}
	}
}
