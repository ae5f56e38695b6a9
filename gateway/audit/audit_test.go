package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	l, err := Open(path, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx := With(t.Context(), Actor{User: "deployer", Via: "token", Source: "192.0.2.7"})
	l.Write(ctx, Record{Action: Purge, Stage: "prod", What: "/a\n\"b", Soft: true, AtMost: 3})
	l.Write(t.Context(), Record{Action: Flush, Stage: "prod", Error: Text(errors.New("disk full"))})
	// Somebody moved the file away; after a reload there is a new one.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Turn(path, log); err != nil {
		t.Fatal(err)
	}
	l.Write(ctx, Record{Action: Set})
	if err := l.Turn(dir, log); err == nil {
		t.Error("a directory was opened")
	}
	l.Write(ctx, Record{Action: Rotate})

	var got []line
	for _, p := range []string{path + ".1", path} {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			var rec line
			if err := json.Unmarshal([]byte(text), &rec); err != nil || rec.Time == "" {
				t.Fatalf("%q: %v", text, err)
			}
			rec.Time = ""
			got = append(got, rec)
		}
	}
	want := []line{
		{User: "deployer", Via: "token", Source: "192.0.2.7", Action: "purge", Stage: "prod", What: "/a\n\"b", Soft: true, AtMost: new(int64(3))},
		{Action: "flush", Stage: "prod", AtMost: new(int64(0)), Error: "disk full"},
		{User: "deployer", Via: "token", Source: "192.0.2.7", Action: "set"},
		{User: "deployer", Via: "token", Source: "192.0.2.7", Action: "rotate"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if logged.Len() > 0 {
		t.Errorf("logged too: %s", logged.String())
	}
}

// Without a file, or with one that cannot be written, records are in the log.
func TestRecordsInTheLog(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	l, err := Open("", log)
	if err != nil {
		t.Fatal(err)
	}
	l.Write(With(t.Context(), Actor{Via: "socket"}), Record{Action: Purge, Stage: "prod", What: "/a"})
	if !strings.Contains(logged.String(), "msg=audit action=purge stage=prod what=/a via=socket at_most=0\n") {
		t.Errorf("%s", logged.String())
	}
	logged.Reset()
	l.Write(t.Context(), Record{Action: Reload}) // how many entries it ended is not asked of what ends none
	if s := logged.String(); !strings.HasSuffix(s, "msg=audit action=reload\n") {
		t.Errorf("%s", s)
	}
	if l, err = Open(filepath.Join(t.TempDir(), "a"), log); err != nil {
		t.Fatal(err)
	}
	l.out.Close()
	logged.Reset()
	l.Write(t.Context(), Record{Action: Flush})
	if s := logged.String(); !strings.Contains(s, "cannot be written") || !strings.Contains(s, "action=flush") {
		t.Errorf("%s", s)
	}
	(*Log)(nil).Write(t.Context(), Record{})
}
