package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"stagecache/internal/vfs"
)

// addBig puts a file of two steps and a half into the current generation, as a stand-in for a segment.
func addBig(t *testing.T, r *rig) string {
	t.Helper()
	path := filepath.Join(r.s.gen.Load().dir, "big")
	if err := os.WriteFile(path, make([]byte, buryStep*5/2), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // until then it may take no blocks
		t.Fatal(err)
	}
	return path
}

func isGone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// Guards against freeing a large file in one go, and against capacity that is given back before its files are gone.
func TestAFlushFreesLargeFilesInSteps(t *testing.T) {
	r, fail := faultyRig(t, nil)
	big := addBig(t, r)
	var mu sync.Mutex
	var ops []string
	var dying []int64
	watch := func(op, name string) vfs.Verdict {
		if name == big {
			mu.Lock()
			defer mu.Unlock()
			ops, dying = append(ops, op), append(dying, r.s.dying.Load())
		}
		return vfs.Pass
	}
	fail.Store(&watch)
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.s.background.Wait()
	if want := []string{"truncate", "truncate", "remove"}; !slices.Equal(ops, want) {
		t.Fatalf("the file went by %q, want %q", ops, want)
	}
	if dying[0]-dying[1] != buryStep || dying[1]-dying[2] != buryStep || dying[2] < buryStep/2 {
		t.Errorf("bytes that still counted before each step: %d", dying)
	}
	if n := r.s.dying.Load(); n != 0 || !isGone(filepath.Dir(big)) {
		t.Errorf("all is removed, and %d bytes still count", n)
	}
}

// A removal that is cut short: what is left counts as capacity until a start has removed it.
func TestARemovalThatFailsGoesOnAtTheNextStart(t *testing.T) {
	for _, at := range []string{"truncate", "remove"} {
		t.Run(at, func(t *testing.T) {
			r, fail := faultyRig(t, nil)
			big := addBig(t, r)
			strike := func(op, name string) vfs.Verdict {
				if op == at && name == big {
					return vfs.Fail
				}
				return vfs.Pass
			}
			fail.Store(&strike)
			if _, err := r.s.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.s.background.Wait()
			left, err := vfs.OS.Usage(big)
			if err != nil {
				t.Fatal(err)
			}
			if n := r.s.dying.Load(); n < left || r.s.Stats().DiskBytes < left {
				t.Errorf("%d bytes are left, %d count", left, n)
			}
			fail.Store(nil)
			r.reopen()
			r.s.background.Wait()
			if n := r.s.dying.Load(); n != 0 || !isGone(filepath.Dir(big)) {
				t.Errorf("after the next start %d bytes count, and the file is gone: %v", n, isGone(big))
			}
		})
	}
}
