package aio

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is one of n random bytes, and what is in it.
func file(t *testing.T, n int) (*os.File, []byte) {
	t.Helper()
	want := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(want)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Sync(); err != nil { // dirty pages do not leave the cache
		t.Fatal(err)
	}
	return f, want
}

// past opens f for reads past the page cache; nil where the file system has none.
func past(t *testing.T, f *os.File) *os.File {
	t.Helper()
	if Direct == 0 {
		return nil
	}
	direct, err := os.OpenFile(f.Name(), os.O_RDONLY|Direct, 0)
	if err != nil {
		t.Logf("without reads past the page cache: %v", err)
		return nil
	}
	t.Cleanup(func() { direct.Close() })
	return direct
}

func TestReadAtIsWhatAnOrdinaryReadGives(t *testing.T) {
	f, _ := file(t, 100_000)
	sameAsOrdinary(t, f, nil)
}

func TestReadPastIsWhatAnOrdinaryReadGives(t *testing.T) {
	f, _ := file(t, 100_000)
	sameAsOrdinary(t, f, past(t, f))
}

func sameAsOrdinary(t *testing.T, f, direct *os.File) {
	t.Helper()
	want, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	var r Reader
	defer r.Close()
	for _, c := range []struct {
		off  int64
		size int
	}{{0, 1}, {0, 100_000}, {4095, 2}, {4096, 4096}, {8000, 32 << 10}, {8000, 32<<10 + 1}, {4095, 32 << 10}, {99_999, 1}, {99_999, 2}, {100_000, 1}, {200_000, 10}, {5, 0}, {-1, 5}} {
		for _, cached := range []bool{true, false} {
			if !cached {
				drop(t, f)
			}
			got, b := make([]byte, c.size), make([]byte, c.size)
			n, err := r.ReadPast(f, direct, got, c.off)
			m, werr := f.ReadAt(b, c.off)
			if n != m || (err == nil) != (werr == nil) || errors.Is(err, io.EOF) != errors.Is(werr, io.EOF) || !bytes.Equal(got[:n], b[:m]) {
				t.Errorf("%d bytes at %d: %d, %v; an ordinary read gives %d, %v", c.size, c.off, n, err, m, werr)
			}
			if n > 0 && !bytes.Equal(got[:n], want[c.off:c.off+int64(n)]) {
				t.Errorf("%d bytes at %d: other bytes", c.size, c.off)
			}
		}
	}
}

// More readers than a ring has room for, of which some find their pages and some do not.
func TestManyReadersGetTheirOwnBytes(t *testing.T) {
	f, want := file(t, 8<<20)
	direct := past(t, f)
	var r Reader
	defer r.Close()
	var wg sync.WaitGroup
	for w := range 400 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range 100 {
				if w == 0 && i%10 == 0 {
					drop(t, f)
				}
				got := make([]byte, 1+random.IntN(10_000))
				off := random.IntN(len(want) - len(got))
				var from *os.File
				if i%2 == 0 {
					from = direct
				}
				if n, err := r.ReadPast(f, from, got, int64(off)); err != nil || n != len(got) || !bytes.Equal(got, want[off:off+n]) {
					t.Errorf("%d bytes at %d: %d, %v, or other bytes", len(got), off, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAFileThatCannotBeReadSaysWhy(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "file"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r Reader
	defer r.Close()
	if _, err := r.ReadAt(f, make([]byte, 5), 0); err == nil {
		t.Error("a file that is open for writing only was read")
	}
}
