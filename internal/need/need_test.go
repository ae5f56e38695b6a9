package need

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that notes how it was ended. Like the real ones, Fatalf and Skipf do not return.
type recorder struct {
	testing.TB
	verdict, text string
}

func (r *recorder) Helper() {}

func (r *recorder) end(verdict, format string, args []any) {
	r.verdict, r.text = verdict, fmt.Sprintf(format, args...)
	panic(r)
}

func (r *recorder) Fatalf(format string, args ...any) { r.end("failed", format, args) }
func (r *recorder) Skipf(format string, args ...any)  { r.end("skipped", format, args) }

func ask(t *testing.T, ci, name string) (path string, r *recorder) {
	t.Helper()
	t.Setenv("CI", ci)
	r = &recorder{TB: t}
	defer func() {
		if e := recover(); e != nil && e != any(r) {
			panic(e)
		}
	}()
	return Tool(r, name), r
}

func TestAToolThatIsThereIsFound(t *testing.T) {
	for _, ci := range []string{"", "true"} {
		path, r := ask(t, ci, "go")
		if !filepath.IsAbs(path) || r.verdict != "" {
			t.Errorf("CI=%q: path %q, verdict %q", ci, path, r.verdict)
		}
	}
}

func TestAMissingToolSkipsButFailsUnderCI(t *testing.T) {
	for ci, want := range map[string]string{
		"": "skipped", "false": "skipped", "0": "skipped", "true": "failed", "1": "failed", "yes, please": "failed",
	} {
		path, r := ask(t, ci, "no-such-program")
		if r.verdict != want || path != "" {
			t.Errorf("CI=%q: %q with path %q, want %q", ci, r.verdict, path, want)
		}
		if !strings.Contains(r.text, "no-such-program") || !strings.Contains(r.text, ".ci/tools") {
			t.Errorf("CI=%q: the reason does not say what is missing and where to look: %q", ci, r.text)
		}
	}
}
