package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stagecache/crypto"
)

// head is a configuration that lacks nothing; what a test appends begins on line 6.
const head = `encryption: {key_file: root.key}
backends: {shop: {url: http://127.0.0.1:9000}}
stages:
  prod:
    routes: [{path: "/{proxy+}", backend: shop}]
`

// skipping is for tests of everything but files.
var skipping = Options{SkipFiles: true, LookupEnv: noEnv}

func noEnv(string) (string, bool) { return "", false }

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("stagecache.yaml", []byte(text), skipping)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parseErrors(t *testing.T, text string, o Options) Errors {
	t.Helper()
	return parseErrorsIn(t, "stagecache.yaml", text, o)
}

func parseErrorsIn(t *testing.T, file, text string, o Options) Errors {
	t.Helper()
	c, err := Parse(file, []byte(text), o)
	if err == nil {
		return nil
	}
	var list Errors
	if !errors.As(err, &list) || len(list) == 0 {
		t.Fatalf("not Errors: %T %v", err, err)
	}
	if c != nil {
		t.Error("a configuration beside an error")
	}
	return list
}

// render is how the tables write an error: as Error() without the file's name, then the hint.
func render(e Error) string {
	s := strings.TrimPrefix(e.Error(), e.File+":")
	if e.Hint != "" {
		s += " | " + e.Hint
	}
	return s
}

// folder makes a folder with a good key file root.key in it, and stands for the configuration's.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := crypto.CreateKeyFile(filepath.Join(dir, "root.key"), crypto.NewRootKey()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

type errorCase struct {
	text string   // appended to head
	want []string // every error, rendered
}

func checkErrors(t *testing.T, cases []errorCase) {
	t.Helper()
	for _, c := range cases {
		checkText(t, head+c.text, c.want)
	}
}

func checkText(t *testing.T, text string, want []string) {
	t.Helper()
	var got []string
	for _, e := range parseErrors(t, text, skipping) {
		got = append(got, render(e))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", numbered(text), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func numbered(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, line)
	}
	return b.String()
}
