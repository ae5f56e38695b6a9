package need

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Tool returns the path of the program, or ends the test: as skipped, or as failed where CI is set.
// It must be called from the test's own goroutine.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program %s (%v); see .ci/tools for the package that has it", name, err)
	}
	return path
}

// Missing ends the test because something it needs is not there: as skipped, or as failed where CI is set. The
// format and its arguments say what is missing and how to get it.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if inCI() {
		t.Fatalf("missing under CI: "+format, args...)
	}
	t.Skipf("SKIPPED, missing: "+format, args...)
}

// inCI reads CI as the usual services set it: "true" or "1". Anything that is neither empty nor a false value counts, so
// that an odd value makes tests stricter, not laxer.
func inCI() bool {
	value := os.Getenv("CI")
	if value == "" {
		return false
	}
	on, err := strconv.ParseBool(value)
	return on || err != nil
}
