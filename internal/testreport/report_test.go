package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stagecache/internal/need"
)

// run makes a module of those files, runs its tests with the real go command and reports on them: the format is the
// go command's to define, so nothing here imitates it.
func run(t *testing.T, files map[string]string) (string, *report) {
	t.Helper()
	goTool := need.Tool(t, "go")
	dir := t.TempDir()
	files["go.mod"] = "module sample\n\ngo 1.24\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(goTool, "test", "-json", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
	out, _ := cmd.Output() // an exit code of 1 is what some of the samples are for
	var text strings.Builder
	r := newReport(&text)
	if err := r.read(strings.NewReader(string(out))); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	r.finish()
	return text.String(), r
}

func TestReport(t *testing.T) {
	const head = "package a\nimport (\"testing\"; \"os\")\nvar _ = os.Args\n"
	for _, c := range []struct {
		name           string
		files          map[string]string
		passed, failed int
		says           []string
	}{
		{"passing", map[string]string{"a_test.go": head + `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) {}) }`}, 2, 0,
			[]string{"ok    sample"}},
		{"no tests", map[string]string{"a.go": "package a\n", "b/b_test.go": "package b\nimport \"testing\"\nfunc TestB(*testing.T) {}\n"}, 1, 0,
			[]string{"-     sample  no tests", "ok    sample/b"}},
		{"failing", map[string]string{"a_test.go": head + "func TestA(t *testing.T) { t.Error(\"seven is not eight\") }\nfunc TestB(t *testing.T) {}\n"}, 1, 1,
			[]string{"sample: TestA", "seven is not eight", "FAIL  sample"}},
		{"skipping", map[string]string{"a_test.go": head + `func TestA(t *testing.T) { t.Skip("no moon today") }`}, 0, 0,
			[]string{"skipped: sample: TestA: a_test.go:4: no moon today"}},
		{"not building", map[string]string{"a_test.go": head + "func TestA(t *testing.T) { undefined() }"}, 0, 1,
			[]string{"undefined: undefined", "FAIL  sample"}},
		{"exiting", map[string]string{"a_test.go": head + `func TestA(t *testing.T) { println("last words"); os.Exit(3) }`}, 0, 1,
			[]string{"last words", "FAIL  sample"}},
		{"panicking", map[string]string{"a_test.go": head + `func TestA(t *testing.T) { panic("help") }`}, 0, 1,
			[]string{"help", "FAIL  sample"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, r := run(t, c.files)
			if r.passed != c.passed || r.failed != c.failed {
				t.Errorf("%d passed, %d failed; want %d and %d\n%s", r.passed, r.failed, c.passed, c.failed, text)
			}
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("the report lacks %q:\n%s", s, text)
				}
			}
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if last := lines[len(lines)-1]; !strings.HasSuffix(last, "failed") {
				t.Errorf("the last line is %q", last)
			}
		})
	}
}

func TestTheSlowestAreListed(t *testing.T) {
	var text strings.Builder
	r := newReport(&text)
	r.slow = 2
	for i, seconds := range []float64{1, 30, 0, 4} {
		r.take(event{Action: "pass", Package: "p", Test: fmt.Sprint("Test", i), Elapsed: seconds})
	}
	r.finish()
	if want := "slow:   30.0s p: Test1\nslow:    4.0s p: Test3\n4 passed, 0 failed\n"; text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
}

func TestWhatIsNoReportIsAnError(t *testing.T) {
	for _, in := range []string{"", "go: cannot find main module\n"} {
		r := newReport(new(strings.Builder))
		if err := r.read(strings.NewReader(in)); err == nil {
			t.Errorf("%q was taken for the output of go test -json", in)
		}
	}
}
