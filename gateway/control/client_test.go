package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"stagecache/internal/dirlock"
)

// serveSocket serves h on an admin socket made as a gateway makes it.
func serveSocket(t *testing.T, h http.Handler) (socket string) {
	t.Helper()
	dir := t.TempDir()
	lock, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "admin.sock")
	l, err := ListenSocket(socket, lock)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
		lock.Release()
	})
	return socket
}

func TestClientSaysWhatTheServiceSaid(t *testing.T) {
	f := &fake{}
	f.compact = func(_ context.Context, progress func(CompactProgress)) (CompactProgress, error) {
		progress(CompactProgress{Stage: "prod", Segments: 2, SegmentsDone: 1, BytesTotal: 100, BytesRead: 50})
		return CompactProgress{Stage: "prod", Segments: 2, SegmentsDone: 2, BytesTotal: 100, BytesRead: 100, BytesReclaimed: 40, Done: true}, nil
	}
	c := NewClient(serveSocket(t, Handler(f, HandlerOptions{Reload: func(context.Context) error { return nil }})))
	defer c.Close()
	ctx := t.Context()

	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	if err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Reload(ctx); err != nil {
		t.Error(err)
	}
	stats, err := c.Stats(ctx, "prod")
	want, _ := f.Stats(ctx, "prod")
	same("stats", stats, want, err)
	all, err := c.AllStats(ctx)
	wantAll, _ := f.AllStats(ctx)
	same("all stats", all, wantAll, err)
	flushed, err := c.Flush(ctx, "prod")
	wantFlushed, _ := f.Flush(ctx, "prod")
	same("flush", flushed, wantFlushed, err)
	p := PurgeRequest{Path: "/a b/*", Soft: true}
	purged, err := c.Purge(ctx, "prod", p)
	wantPurged, _ := f.Purge(ctx, "prod", p)
	same("purge", purged, wantPurged, err)
	stages, err := c.Stages(ctx)
	wantStages, _ := f.Stages(ctx)
	same("stages", stages, wantStages, err)
	detail, err := c.Stage(ctx, "prod")
	wantDetail, _ := f.Stage(ctx, "prod")
	same("stage", detail, wantDetail, err)
	explained, err := c.Explain(ctx, "prod", ExplainRequest{Method: "GET", URL: "/x"})
	if err != nil || explained.Stage != "prod" || explained.URL != "/x" {
		t.Errorf("explain: %+v, %v", explained, err)
	}
	removed, err := c.RemoveStage(ctx, "gone")
	wantRemoved, _ := f.RemoveStage(ctx, "gone")
	same("remove", removed, wantRemoved, err)
	last, err := c.Compact(ctx, "prod", nil)
	wantLast, _ := f.compact(ctx, func(CompactProgress) {})
	same("compact", last, wantLast, err)
}

func TestClientPassesRefusalsOn(t *testing.T) {
	c := NewClient(serveSocket(t, Handler(&fake{}, HandlerOptions{})))
	defer c.Close()
	_, err := c.Stats(t.Context(), "none")
	var e *Error
	if !errors.As(err, &e) || e.Status != 404 || e.Message != `there is no stage "none"` || e.Hint() != "the stages are: prod" {
		t.Errorf("%#v", err)
	}
	if IsUnreachable(err) {
		t.Error("a refusal is taken for no answer")
	}
	// Names that a URL would lose.
	for _, name := range []string{"", ".", ".."} {
		if _, err := c.Flush(t.Context(), name); err == nil {
			t.Errorf("flush of %q was accepted", name)
		}
	}
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	dir := t.TempDir()
	c := NewClient(filepath.Join(dir, "admin.sock"))
	defer c.Close()
	if err := c.Ping(t.Context()); !IsUnreachable(err) || hintText(err) == "" {
		t.Errorf("no socket: %v", err)
	}
	// A socket file that nobody listens at any more.
	l, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if err := c.Ping(t.Context()); !IsUnreachable(err) {
		t.Errorf("dead socket: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.Canceled) || IsUnreachable(err) {
		t.Errorf("a caller that gave up: %v", err)
	}
}

func hintText(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestCompactionReportsAndFails(t *testing.T) {
	f := &fake{}
	seen := make(chan struct{})
	f.compact = func(ctx context.Context, progress func(CompactProgress)) (CompactProgress, error) {
		progress(CompactProgress{Stage: "prod", Segments: 3, SegmentsDone: 1})
		<-seen // the client has it
		return CompactProgress{Stage: "prod", Segments: 3, SegmentsDone: 1}, errors.New("stage prod: input/output error")
	}
	c := NewClient(serveSocket(t, Handler(f, HandlerOptions{})))
	defer c.Close()
	var once bool
	_, err := c.Compact(t.Context(), "prod", func(p CompactProgress) {
		if p.SegmentsDone == 1 && !once {
			once = true
			close(seen)
		}
	})
	if err == nil || err.Error() != "stage prod: input/output error" {
		t.Errorf("got %v", err)
	}
}

// Who interrupts cachectl compact stops the compaction in the gateway.
func TestAClientThatLeavesEndsTheCompaction(t *testing.T) {
	f := &fake{}
	ended := make(chan error, 1)
	f.compact = func(ctx context.Context, progress func(CompactProgress)) (CompactProgress, error) {
		progress(CompactProgress{Stage: "prod", Segments: 3})
		<-ctx.Done()
		ended <- ctx.Err()
		return CompactProgress{}, ctx.Err()
	}
	c := NewClient(serveSocket(t, Handler(f, HandlerOptions{})))
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Compact(ctx, "prod", func(CompactProgress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the compaction ended with %v", err)
	}
}

func TestSocketIsItsOwnersAndReplacesADeadOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "admin.sock")
	if _, err := ListenSocket(path, nil); err == nil {
		t.Fatal("listened without the lock")
	}
	lock, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()

	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ListenSocket(path, lock); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("a living socket was taken over: %v", err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()

	l, err := ListenSocket(path, lock)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode().Perm() != 0o600 || fi.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket is %v, %v", fi.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != dirlock.Name {
			t.Errorf("%s was left behind", e.Name())
		}
	}

	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenSocket(path, lock); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file was replaced: %v", err)
	}
}

// The configuration accepts paths of up to 107 bytes for a socket; so must this.
func TestTheLongestSocketPathWorks(t *testing.T) {
	dir := t.TempDir()
	lock, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	pad := maxSocketPath - len(dir) - len("/") - len("/admin.sock")
	if pad < 1 {
		t.Fatalf("the temporary directory %s is too long for this test", dir)
	}
	deep := filepath.Join(dir, strings.Repeat("d", pad))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := ListenSocket(filepath.Join(deep, "admin.sock"), lock)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = ListenSocket(filepath.Join(deep, "admin.sock1"), lock)
	if err == nil || !strings.Contains(err.Error(), "too long") || hintText(err) == "" {
		t.Errorf("one byte more: %v", err)
	}
}
