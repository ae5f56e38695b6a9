package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestParseIO(t *testing.T) {
	const text = "rchar: 5\nwchar: 6\nsyscr: 1\nsyscw: 1\nread_bytes: 8192\nwrite_bytes: 12288\ncancelled_write_bytes: 4096\n"
	got, err := parseIO([]byte(text))
	if err != nil || got != (IO{Read: 8192, Written: 12288}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "read_bytes: 1\n", "read_bytes: 1\nwrite_bytes: x\n", "cancelled_write_bytes: 1\nread_bytes: 1\n"} {
		if got, err := parseIO([]byte(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
	if _, err := ProcessIO(); err != nil && !os.IsPermission(err) {
		t.Errorf("the real file: %v", err)
	}
}

func TestResidentGrowsWithWhatIsTouched(t *testing.T) {
	before, err := Resident()
	if err != nil || before < 1<<20 {
		t.Fatalf("resident %d, %v", before, err)
	}
	room := make([]byte, 64<<20)
	for i := 0; i < len(room); i += 4096 {
		room[i] = 1
	}
	after, err := Resident()
	if err != nil || after < before+48<<20 {
		t.Errorf("resident %d, after 64 MiB more %d, %v", before, after, err)
	}
	runtime.KeepAlive(room)
}

func TestDropCacheGoesThroughFoldersAndNamesWhatFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "b"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := Files(dir)
	if err != nil || len(files) != 1 || files[0] != filepath.Join(dir, "a", "b") {
		t.Errorf("files %v, %v", files, err)
	}
	if err := DropCache(dir); err != nil {
		t.Error(err)
	}
	if err := DropCache(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder is no error")
	}
}
