package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of 64 MiB. That takes a privilege which not everybody has who runs the tests, under CI neither: then the test
// is skipped and says so. What is injected at every operation (tier's fault_test.go) is run by everybody.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=64m"); err != nil {
		t.Skipf("SKIPPED, missing: the privilege to mount a small file system (CAP_SYS_ADMIN): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A real file system that another writer fills, again and again: memory goes on serving, a purge is durable or refused, and
// within five seconds of space records reach the disk again, without anybody's help.
func TestARealDiskThatOthersFill(t *testing.T) {
	disk := smallDisk(t)
	r := newRig(t, func(o *Options) { o.Capacity = 48 << 20 })
	r.close()
	r.dir = filepath.Join(disk, "stage")
	r.open()
	filler := filepath.Join(disk, "filler")
	fill := func() {
		t.Helper()
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.Copy(f, zeroes{}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill: %v", err)
		}
	}
	const size = 100_000
	name := func(round, i int) string { return fmt.Sprint("round ", round, " number ", i) }
	body := string(noise(1, size))
	value := func(round, i int) string { return fmt.Sprint(round, " ", i, " ", body) }
	purged := make(map[string]bool)
	failures := 0
	for round := range 4 {
		for i := range 20 {
			r.put(name(round, i), value(round, i), Meta{TTL: time.Hour, Path: fmt.Sprint("/", round)})
		}
		r.sync()
		for i := 20; i < 60; i++ {
			if i < 40 {
				fill() // also what an eviction has freed since
			}
			key := name(round, i)
			r.put(key, value(round, i), Meta{TTL: time.Hour, Path: fmt.Sprint("/", round)})
			r.want(key, value(round, i))
			if i%10 == 0 {
				if err := r.s.Sync(); err != nil {
					failures++
				}
				r.clock.Advance(1500 * time.Millisecond) // it tries again after a second
			}
			if i == 35 {
				key := name(round, 3)
				if _, err := r.s.Purge(context.Background(), Key([]byte(key)), Hard); err == nil {
					purged[key] = true
					r.want(key, "")
				}
			}
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		last := fmt.Sprint("after round ", round)
		var err error
		for range 5 {
			r.clock.Advance(time.Second)
			r.put(last, last, Meta{TTL: time.Hour})
			if err = r.s.Sync(); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("round %d: five seconds after there was room: %v", round, err)
		}
		r.reopen()
		r.want(last, last)
		for key := range purged {
			r.want(key, "")
		}
		for was := range round + 1 {
			for i := range 60 {
				e, err := r.s.Get(nil, []byte(name(was, i)))
				if err == nil && string(e.Value) != value(was, i) || err != nil && !errors.Is(err, ErrMiss) {
					t.Fatalf("%s: other bytes, %v", name(was, i), err)
				}
			}
		}
		if q := r.s.Stats().Quarantined; q != 0 {
			t.Errorf("round %d: %d files are said to be damaged", round, q)
		}
	}
	if failures == 0 {
		t.Error("the disk was never full: the test tests nothing")
	}
	t.Logf("%d syncs failed, %d of 4 purges were made on a full disk", failures, len(purged))
	r.close() // before the file system goes
	r.dir = filepath.Join(t.TempDir(), "stage")
	r.open()
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }
