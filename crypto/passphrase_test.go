package crypto

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestDeriveRootKey(t *testing.T) {
	pass, salt := []byte("correct horse battery"), bytes.Repeat([]byte{7}, SaltSize)
	k, err := DeriveRootKey(pass, salt)
	if fips140.Enforced() {
		if !errors.Is(err, ErrNotFIPS) || !strings.Contains(err.Error(), "Argon2id") || !strings.Contains(err.Error(), "key_file") {
			t.Fatalf("under fips140=only: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	// Worked out with another implementation (OpenSSL) at t=3, m=65536, p=4: changed parameters lose every store.
	const want = "RPeOeC_89vxhXtHZziBwHzIw6T9pIp69JVoQIyE4OUo"
	if got := textEncoding.EncodeToString(k.secret()[:]); got != want {
		t.Errorf("derived %s, want %s", got, want)
	}
	other, err := DeriveRootKey(pass, bytes.Repeat([]byte{8}, SaltSize))
	if err != nil || other.ID() == k.ID() {
		t.Errorf("another salt gives the same key (%v)", err)
	}
	for name, c := range map[string]struct{ pass, salt []byte }{
		"empty":       {nil, salt},
		"short":       {pass[:MinPassphrase-1], salt},
		"no salt":     {pass, nil},
		"short salt":  {pass, salt[:SaltSize-1]},
		"longer salt": {pass, append(bytes.Clone(salt), 1)},
	} {
		if _, err := DeriveRootKey(c.pass, c.salt); !errors.Is(err, ErrPassphrase) || len(c.pass) > 0 && strings.Contains(err.Error(), string(c.pass)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DeriveRootKey(pass[:MinPassphrase], salt); err != nil {
		t.Errorf("of the least length: %v", err)
	}
}

// onlyFile fails if anything but the named files stands in their directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Fatalf("left behind: %s", e.Name())
		}
	}
}

func TestSaltIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salt")
	var wg sync.WaitGroup
	salts := make([][]byte, 16)
	for i := range salts {
		wg.Go(func() {
			var err error
			if salts[i], err = LoadOrCreateSalt(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range salts {
		if len(s) != SaltSize || !bytes.Equal(s, salts[0]) {
			t.Fatalf("%x and %x", s, salts[0])
		}
	}
	onlyFile(t, path)
	other, err := LoadOrCreateSalt(filepath.Join(t.TempDir(), "salt"))
	if err != nil || bytes.Equal(other, salts[0]) {
		t.Fatalf("two salts are equal (%v)", err)
	}
}

func TestDamagedSaltIsAnErrorAndStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salt")
	if _, err := LoadOrCreateSalt(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.Index(good, []byte(saltKind))
	check := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := LoadOrCreateSalt(path); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormatNewer) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%q: %x, %v", data, s, err)
		}
		if left, _ := os.ReadFile(path); !bytes.Equal(left, data) {
			t.Fatalf("the file was changed")
		}
	}
	for bit := range (len(good) - start - 1) * 8 { // the line without its end
		data := bytes.Clone(good)
		data[start+bit/8] ^= 1 << (bit % 8)
		check(data)
	}
	for n := range len(good) - 1 {
		check(good[:n])
	}
	check(append(bytes.Clone(good), "x\n"...))
	check(bytes.Repeat([]byte("#"), maxKeyText+1))
	if _, err := LoadOrCreateSalt(t.TempDir()); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
}

func TestSaltFaults(t *testing.T) {
	for k := 0; ; k++ {
		path := filepath.Join(t.TempDir(), "salt")
		n, hit := 0, false
		salt, err := loadOrCreateSalt(func(name string, do func() error) error {
			if n++; n-1 == k {
				hit = true
				return errors.New("injected")
			}
			return do()
		}, path)
		again, readErr := loadSalt(path)
		if err == nil && (readErr != nil || !bytes.Equal(salt, again)) || err != nil && !errors.Is(readErr, fs.ErrNotExist) {
			t.Fatalf("operation %d: %v, then %v", k, err, readErr)
		}
		onlyFile(t, path)
		if !hit {
			break
		}
	}
}
