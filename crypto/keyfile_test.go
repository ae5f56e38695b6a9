//go:build unix

package crypto

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestKeyFileComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	k := NewRootKey()
	umask := syscall.Umask(0o277) // the mode must not hang on it
	err := CreateKeyFile(path, k)
	syscall.Umask(umask)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	back, err := ReadKeyFile(path)
	if err != nil || *back.secret() != *k.secret() || back.Text() != k.Text() {
		t.Fatalf("%v, %v", back, err)
	}
	onlyFile(t, path)
}

func TestReadKeyFileJudgesTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root key")
	if err := CreateKeyFile(path, NewRootKey()); err != nil {
		t.Fatal(err)
	}
	for mode := fs.FileMode(0o400); mode <= 0o777; mode++ {
		if mode&0o400 == 0 {
			continue // the owner cannot read it: another error, and none for root
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKeyFile(path)
		if open := mode&0o066 != 0; errors.Is(err, ErrKeyFileMode) != open || !open && err != nil {
			t.Fatalf("mode %04o: %v", mode, err)
		} else if open && !strings.HasSuffix(err.Error(), "run: chmod 600 '"+path+"'") {
			t.Fatalf("mode %04o: %v", mode, err)
		}
	}
}

func TestReadKeyFileRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo") // must not wait for a writer
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.key")
	var format *KeyFormatError
	for _, c := range []struct {
		path, says string
		is         error
		as         any
	}{
		{missing, "cachectl key generate --out " + missing, fs.ErrNotExist, nil},
		{dir, "is not a regular file", fs.ErrInvalid, nil},
		{fifo, "is not a regular file", fs.ErrInvalid, nil},
		{"/dev/null", "is not a regular file", fs.ErrInvalid, nil},
		{file("empty", ""), "no line that begins with", nil, &format},
		{file("bad", "# a\n\nnot a key\n"), "line 3: neither", nil, &format},
		{file("large", strings.Repeat("#\n", maxKeyText)), "larger than 64 KiB", nil, &format},
		{file("newer", "stagecache-root-key-v2:x\n"), "version 2", ErrFormatNewer, nil},
		{file("newer", "stagecache-root-key-v2:x\n") + "/below", "not a directory", syscall.ENOTDIR, nil},
	} {
		_, err := ReadKeyFile(c.path)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v; want the path and %q", c.path, err, c.says)
		}
		if c.is != nil && !errors.Is(err, c.is) || c.as != nil && !errors.As(err, c.as) {
			t.Errorf("%s: %T is not %v", c.path, err, c.is)
		}
	}
	link := filepath.Join(dir, "link") // as in a mounted secret
	k := NewRootKey()
	if err := errors.Join(CreateKeyFile(filepath.Join(dir, "real"), k), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	if back, err := ReadKeyFile(link); err != nil || back.ID() != k.ID() {
		t.Errorf("through a link: %v", err)
	}
}

func TestReadKeyFileUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := errors.Join(CreateKeyFile(path, NewRootKey()), os.Chmod(path, 0)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("needs a user other than root: root reads a file of mode 0000")
	}
	if _, err := ReadKeyFile(path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
}

func TestCreateKeyFileNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	file, link, dangling, sub := dir+"/file", dir+"/link", dir+"/dangling", dir+"/sub"
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o644), os.Symlink("file", link), os.Symlink("nowhere", dangling), os.Mkdir(sub, 0o700)); err != nil {
		t.Fatal(err)
	}
	noLinks := func(name string, do func() error) error {
		if name == "link" {
			return &os.LinkError{Op: "link", Err: syscall.EPERM}
		}
		return do()
	}
	for _, path := range []string{file, link, dangling, sub} {
		for how, do := range map[string]step{"with links": direct, "without links": noLinks} {
			err := createKeyFile(do, path, NewRootKey())
			if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %s: %v", path, how, err)
			}
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file now holds %q, %v", b, err)
	}
	if _, err := os.Stat(dir + "/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it wrote through a dangling link")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 4 {
		t.Errorf("something was left behind: %v", entries)
	}
	if err := CreateKeyFile(dir+"/no/such/key", NewRootKey()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+"/no/such does not exist") {
		t.Errorf("missing directory: %v", err)
	}
}

func TestCreateKeyFileRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var wg sync.WaitGroup
	keys, errs := make([]*RootKey, 16), make([]error, 16)
	for i := range keys {
		keys[i] = NewRootKey()
		wg.Go(func() { errs[i] = CreateKeyFile(path, keys[i]) })
	}
	wg.Wait()
	onDisk, err := ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if keys[i].ID() != onDisk.ID() {
				t.Error("a key was reported written that is not on the disk")
			}
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of them won", won)
	}
	onlyFile(t, path)
}

// Every operation fails once, before and after it had its effect, with and without links: an error means that nothing
// is left, no error that the whole key is there.
func TestCreateFileFaults(t *testing.T) {
	injected := errors.New("injected")
	for _, links := range []bool{true, false} {
		for _, took := range []bool{false, true} {
			names := map[string]bool{}
			for k := 0; ; k++ {
				path := filepath.Join(t.TempDir(), "root.key")
				n, failed := 0, ""
				do := func(name string, do func() error) error {
					if name == "link" && !links {
						return syscall.EPERM
					}
					n++
					if n-1 != k {
						return do()
					}
					failed = name
					if took {
						if err := do(); err != nil {
							return err
						}
					}
					return fmt.Errorf("%s: %w", name, injected)
				}
				key := NewRootKey()
				err := createKeyFile(do, path, key)
				names[failed] = true
				back, readErr := ReadKeyFile(path)
				if err == nil {
					if readErr != nil || back.ID() != key.ID() {
						t.Fatalf("links %v, took %v, %q: reported written, but %v", links, took, failed, readErr)
					}
				} else {
					if !errors.Is(err, injected) || !strings.Contains(err.Error(), path) {
						t.Fatalf("links %v, took %v, %q: %v", links, took, failed, err)
					}
					if !errors.Is(readErr, fs.ErrNotExist) {
						t.Fatalf("links %v, took %v, %q: reported failed, but the file is there (%v)", links, took, failed, readErr)
					}
				}
				onlyFile(t, path)
				if failed == "" {
					break // a run without a fault: every operation has been tried
				}
			}
			want := []string{"create", "chmod", "write", "sync", "close", "link", "sync directory"}
			if !links {
				want = []string{"create", "chmod", "write", "sync", "close", "claim", "rename", "sync directory"}
			}
			for _, name := range want {
				if !names[name] {
					t.Errorf("links %v: %q was never made to fail", links, name)
				}
			}
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"./root.key": "./root.key", "/etc/a_b-c.key": "/etc/a_b-c.key", "a b": "'a b'", "": "''", "it's": `'it'\''s'`, "-rf": "'./-rf'", "$HOME": "'$HOME'", "a;b": "'a;b'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
