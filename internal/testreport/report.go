package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of "go test -json" (go doc test2json). Building adds events of its own, with ImportPath.
type event struct {
	Action      string
	Package     string
	Test        string
	Elapsed     float64
	Output      string
	ImportPath  string
	FailedBuild string
}

// A report is written while the events come in; finish ends it.
type report struct {
	out            io.Writer
	passed, failed int
	skipped        []string
	output         map[[2]string]*strings.Builder // by package and test; removed when the test is over
	failures       map[string]int                 // tests that failed, by package
	events         int
	slow           int // how many of the slowest tests finish lists
	took           []timed
}

// timed is how long a test took. One that runs others beside each other also waits for its turn.
type timed struct {
	name    string
	seconds float64
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: make(map[[2]string]*strings.Builder), failures: make(map[string]int)}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			// Not an event: the go command complains in plain text.
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.events++
		r.take(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read the events: %w", err)
	}
	if r.events == 0 {
		return fmt.Errorf("no events: is this the output of go test -json?")
	}
	return nil
}

func (r *report) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		if r.output[key] == nil {
			r.output[key] = new(strings.Builder)
		}
		r.output[key].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		said := ""
		if b := r.output[key]; b != nil {
			said = b.String()
		}
		delete(r.output, key)
		if e.Test == "" {
			r.endPackage(e, said)
		} else {
			r.endTest(e, said)
		}
	}
}

func (r *report) endTest(e event, said string) {
	if r.slow > 0 {
		r.took = append(r.took, timed{e.Package + ": " + e.Test, e.Elapsed})
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failures[e.Package]++
		fmt.Fprintf(r.out, "%s: %s\n%s", e.Package, e.Test, said)
	case "skip":
		r.skipped = append(r.skipped, fmt.Sprintf("%s: %s: %s", e.Package, e.Test, reason(said)))
	}
}

// endPackage prints the package's line. A package that fails without a failed test (it did not build, it panicked, it ran
// into its time limit) counts as one failure, and what it said last is shown, test by test.
func (r *report) endPackage(e event, said string) {
	switch {
	case e.Action == "pass":
		fmt.Fprintf(r.out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
	case e.Action == "skip":
		fmt.Fprintf(r.out, "-     %s  no tests\n", e.Package)
	case r.failures[e.Package] > 0:
		fmt.Fprintf(r.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
	default:
		r.failed++
		for key, b := range r.output {
			if key[0] == e.Package {
				fmt.Fprintf(r.out, "%s: %s was running\n%s", key[0], key[1], b)
				delete(r.output, key)
			}
		}
		fmt.Fprintf(r.out, "%sFAIL  %s  %.1fs\n", said, e.Package, e.Elapsed)
	}
}

// reason finds what a skipped test said, without the framework's own lines.
func reason(said string) string {
	var out []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, " ")
}

func (r *report) finish() {
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", s)
	}
	slices.SortStableFunc(r.took, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, t := range r.took[:min(r.slow, len(r.took))] {
		fmt.Fprintf(r.out, "slow: %6.1fs %s\n", t.seconds, t.name)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed\n", r.passed, r.failed)
}
