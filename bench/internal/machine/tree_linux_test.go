package machine

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 6 7 20 0 9 0 1 2 3"
	parent, used, err := parseStat([]byte(line))
	if err != nil || parent != 7 || used != (Usage{User: 1500 * time.Millisecond, System: 250 * time.Millisecond}) {
		t.Errorf("got %d, %+v, %v", parent, used, err)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 7", "42 (a) S x 1 1 0 -1 4 1 2 3 4 150 25 6", "42 (a) S 7 1 1 0 -1 4 1 2 3 4 x 25 6"} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

// A grandchild's time is part of the tree's, and of nobody's who is not above it.
func TestTreeUsageCountsDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", `(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x) ; true`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Skip(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no shell: %v", err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	used, err := TreeUsage(cmd.Process.Pid)
	if err != nil || used.Total() == 0 {
		t.Errorf("got %+v, %v", used, err)
	}
	above, err := TreeUsage(os.Getpid())
	if err != nil || above.Total() < used.Total() {
		t.Errorf("the tree above has %+v, %v", above, err)
	}
	if _, err := TreeUsage(1 << 30); err == nil {
		t.Error("a process that is not there has a usage")
	}
}
