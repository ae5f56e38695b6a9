package gateway

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (r *rig) accessLog() string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "access.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

func logged(format string) option {
	return func(r *rig, _ *Options) {
		r.top = "access_log: {path: " + filepath.Join(r.dir, "access.log") + ", format: " + format + "}"
	}
}

func TestAccessLog(t *testing.T) {
	r := newRig(t, logged("json"))
	r.backend.serve(fixed(200, "hello"))
	r.get("/prod/x%22%0A?token=secret1&b=&c&d=x%3Dsecret2=y", "Authorization", "Bearer secret3", "Cookie", "s=secret4")
	r.get("/prod/x?token=secret1")
	r.get("/prod/x?token=secret1")
	r.get("/prod/uncached")
	r.get("/nowhere")
	r.raw("GET /prod/%00?p=secret5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	lines := strings.Split(strings.TrimSpace(r.accessLog()), "\n")
	type line struct {
		Time, Remote, Method, Path, Query string
		Status, Bytes                     int
		Duration                          *int64 `json:"duration_us"`
		Stage, Cache                      string
	}
	want := []line{
		{Path: "/prod/x%22%0A", Query: "token=*&b=&c&d=*", Status: 400, Stage: "-", Cache: "error"},
		{Path: "/prod/x", Query: "token=*", Status: 200, Bytes: 5, Stage: "prod", Cache: "miss"},
		{Path: "/prod/x", Query: "token=*", Status: 200, Bytes: 5, Stage: "prod", Cache: "hit"},
		{Path: "/prod/uncached", Status: 200, Bytes: 5, Stage: "prod", Cache: "bypass"},
		{Path: "/nowhere", Status: 404, Stage: "-", Cache: "error"},
		{Path: "/prod/%00", Query: "p=*", Status: 400, Stage: "-", Cache: "error"},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for i, text := range lines {
		var got line
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.Time == "" || got.Remote != "127.0.0.1" || got.Method != "GET" || got.Duration == nil || strings.Contains(text, "secret") {
			t.Errorf("line %d: %s", i, text)
		}
		w := want[i]
		w.Time, w.Remote, w.Method, w.Duration = got.Time, got.Remote, got.Method, got.Duration
		if w.Status >= 400 {
			w.Bytes = got.Bytes
		}
		if got != w {
			t.Errorf("line %d is %+v, want %+v", i, got, w)
		}
	}
	if fi, err := os.Stat(filepath.Join(r.dir, "access.log")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestAccessLogIsOpenedAnew(t *testing.T) {
	r := newRig(t, logged("text"))
	r.get("/prod/a")
	path := filepath.Join(r.dir, "access.log")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.get("/prod/b")
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	r.get("/prod/c?x=1")
	old, err := os.ReadFile(path + ".1")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(old), "\n"); n != 2 {
		t.Errorf("the old file:\n%s", old)
	}
	got := r.accessLog()
	for _, part := range []string{` method="GET" path="/prod/c" query="x=*" status=200 bytes=`, ` stage="prod" cache="miss"` + "\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("the new file lacks %s:\n%s", part, got)
		}
	}
}
