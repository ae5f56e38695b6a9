package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/report"
)

// TestMain lets the benchmark start this test binary in its roles.
func TestMain(m *testing.M) {
	if role := child.Role(); role != "" {
		if err := play(role); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestPathsNameSizeAndNumber(t *testing.T) {
	for _, path := range []string{pathOf(1024, 7), strings.TrimPrefix(pathOf(1024, 7), "/prod")} {
		if size, i, ok := parsePath(path); size != 1024 || i != 7 || !ok {
			t.Errorf("%s is %d, %d, %t", path, size, i, ok)
		}
	}
	for _, path := range []string{"/", "/prod/x/items/1", "/prod/1024/things/1"} {
		if _, _, ok := parsePath(path); ok {
			t.Errorf("%s is taken for a resource", path)
		}
	}
}

// The whole of it, small: real processes, real answers, and a line per figure at the end.
func TestAMatchEndsWithItsFigures(t *testing.T) {
	dir := t.TempDir()
	m, err := newMatch(dir, settings{rounds: 1, seconds: 0.2, connections: 2, keys: 5, sizes: []int{300, 9000}})
	if err != nil {
		t.Fatal(err)
	}
	var out, figures strings.Builder
	var sheet report.Sheet
	if err := m.play(t.Context(), &out, &sheet); err != nil {
		t.Error(err)
	}
	if err := m.close(); err != nil {
		t.Error(err)
	}
	if err := sheet.Print(&figures); err != nil {
		t.Error(err)
	}
	var want strings.Builder
	for _, suffix := range []string{"", "_9000"} {
		names := []string{"bare_nethttp"}
		for _, r := range rivals {
			if _, err := look(r.program); err == nil {
				names = append(names, r.name)
			}
		}
		for _, name := range names {
			fmt.Fprintf(&want, `figure hit_vs_%[1]s%[2]s [0-9.]+ x \(.*\)
figure hit_cpu_vs_%[1]s%[2]s [0-9.]+ x \(.*\)
`, name, suffix)
		}
	}
	if !regexp.MustCompile("^(not measured here: .*\n)*" + want.String() + "$").MatchString(figures.String()) {
		t.Errorf("figures:\n%s\noutput:\n%s", figures.String(), out.String())
	}
}

func TestBadFlagsAreErrorsThatNameThem(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-connections", "0"}, "-connections"},
		{[]string{"-keys", "0"}, "-keys"},
		{[]string{"-bodies", "1024,x"}, `"x"`},
		{[]string{"-bodies", "70000"}, `"70000"`},
		{[]string{"-dir", "/dev/null/x"}, "-dir"},
		{[]string{"-profile", "/dev/null/x"}, "-profile"},
		{[]string{"extra"}, `"extra"`},
	} {
		if err := run(t.Context(), c.args, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q in it", c.args, err, c.want)
		}
	}
}
