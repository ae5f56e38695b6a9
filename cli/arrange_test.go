package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func testProgram() (*program, *bytes.Buffer) {
	var errs bytes.Buffer
	return &program{in: strings.NewReader(""), out: &resultWriter{w: io.Discard}, err: &errs, lookup: os.LookupEnv}, &errs
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	p, _ := testProgram()
	app := p.app()
	for in, want := range map[string]string{
		"flush --stage prod":                    "flush --stage=prod",
		"--config f flush --stage=prod":         "flush --config=f --stage=prod",
		"--stage prod flush --soft --path /a,b": "flush --stage=prod --soft --path=/a,b",
		"stage show prod --json":                "stage show --json -- prod",
		"stage --json show prod":                "stage show --json -- prod",
		"--json stage show prod":                "stage show --json -- prod",
		"stage show -- --json":                  "stage show -- --json",
		"stage show -":                          "stage show -- -",
		"flush --path /a --path=/b -s prod":     "flush --path=/a --path=/b --stage=prod",
		"flush --path --stage --stage x":        "flush --path=--stage --stage=x", // a value may look like a flag
		"--version":                             "version",
		"help stage show":                       "stage show --help",
		"stage show --help":                     "stage show --help",
		"-h":                                    "--help",
		"help":                                  "--help",
	} {
		got, err := arrange(app, p.limits, append([]string{"cachectl"}, strings.Fields(in)...))
		if err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s: %q, %v; want %s", in, got, err, want)
		}
	}
}

func TestWhatMakesNoSenseIsAUsageError(t *testing.T) {
	p, _ := testProgram()
	app := p.app()
	for _, in := range []string{
		"", "flsh", "stage", "stage rm prod", "flush --stage", "flush --stage=", "flush --stage a -s b", "stats --soft", "stats prod",
		"stage show", "stage show a b", "flush --nope", "-- flush extra", "key", "completion", "--stage prod",
	} {
		_, err := arrange(app, p.limits, append([]string{"cachectl"}, strings.Fields(in)...))
		var u *usageError
		if !errors.As(err, &u) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestNearest(t *testing.T) {
	commands := []string{"serve", "flush", "stats", "stage", "compact", "config", "completion", "version", "verify"}
	for word, want := range map[string]string{
		"flsh": "flush", "fulsh": "flush", "flushh": "flush", "stat": "stats", "comp": "compact", "verif": "verify",
		"xyzzy": "", "": "", "f": "", "veryfi": "verify",
	} {
		if got := nearest(word, commands); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestErrorsAndTheirExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("it broke"), 1, "cachectl: it broke\n"},
		{usagef("do this", "not that"), 2, "cachectl: not that\nhint: do this\n"},
		{&control.UnreachableError{Message: "nobody", HintText: "look"}, 3, "cachectl: nobody\nhint: look\n"},
		{config.Errors{{File: "f", Line: 2, Field: "a.b", Message: "is wrong", Hint: "mend it"}, {File: "f", Line: 3, Message: "too"}}, 1,
			"cachectl: f:2: a.b: is wrong\nhint: mend it\ncachectl: f:3: too\n"},
		{&reportedError{"said already"}, 1, ""},
	} {
		p, errs := testProgram()
		if code := p.report(c.err); code != c.code || errs.String() != c.text {
			t.Errorf("%v: %d %q, want %d %q", c.err, code, errs, c.code, c.text)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAResultThatNobodyGotIsAFailure(t *testing.T) {
	var errs bytes.Buffer
	if code := Main([]string{"cachectl", "version"}, strings.NewReader(""), full{}, &errs); code != 1 || !strings.Contains(errs.String(), "no space left") {
		t.Errorf("%d %q", code, &errs)
	}
}

func TestFiguresForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 KB", 999_949: "999.9 KB", 999_950: "1.0 MB", 6_100_000_000: "6.1 GB", -1500: "-1.5 KB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := countText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for s, want := range map[float64]string{0.0004: "0.4 ms", 1.25: "1.2 s", 200: "3m20s", 15000: "4h10m", 270000: "3d3h"} {
		if got := secondsText(s); got != want {
			t.Errorf("%v: %s, want %s", s, got, want)
		}
	}
	for in, want := range map[string]string{"/tmp/a.yaml": "/tmp/a.yaml", "/a b": "'/a b'", "it's": `'it'\''s'`, "": "''"} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// Every command that prints a result has --json, and every command finds its configuration.
func TestEveryCommandHasItsFlags(t *testing.T) {
	p, _ := testProgram()
	for _, n := range nodes("", p.app().Commands) {
		if !slices.ContainsFunc(n.words, func(w string) bool { return strings.HasPrefix(w, "--") }) {
			continue // a group
		}
		if !slices.Contains(n.words, "--config") {
			t.Errorf("cachectl%s has no --config", n.path)
		}
		if !slices.Contains(n.words, "--json") && n.path != " serve" && n.path != " completion" {
			t.Errorf("cachectl%s has no --json", n.path)
		}
	}
}
