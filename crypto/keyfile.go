package crypto

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
)

// ReadKeyFile reads a root key from a file that CreateKeyFile made. The file must be regular and closed to group and
// others (ErrKeyFileMode); links to it are followed. Every error names the file and what to do.
func ReadKeyFile(path string) (*RootKey, error) {
	data, info, err := readSmall(path, maxKeyText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf(err, "key file %s does not exist: make one with: cachectl key generate --out %s", path, shellWord(path))
	case errors.Is(err, fs.ErrPermission):
		return nil, failf(err, "key file %s cannot be read by this user: give it to the user that runs cachectl", path)
	case err != nil:
		return nil, fmt.Errorf("key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, &kindError{fmt.Sprintf("key file %s is not a regular file (%s)", path, info.Mode().Type()), fs.ErrInvalid}
	}
	// Before the size and the text: a key that others could read or replace is not to be used, whatever it holds.
	if mode := info.Mode().Perm(); mode&0o066 != 0 && runtime.GOOS != "windows" { // there, mode bits say nothing about who may
		return nil, failf(ErrKeyFileMode, "key file %s can be read or written by other users (mode %04o): run: chmod 600 %s", path, mode, shellWord(path))
	}
	if info.Size() > maxKeyText || len(data) > maxKeyText {
		return nil, fmt.Errorf("key file %s: %w", path, &KeyFormatError{0, fmt.Sprintf("larger than %d KiB: this is no key file", maxKeyText>>10)})
	}
	k, err := ParseRootKey(string(data))
	clear(data)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}

// CreateKeyFile writes a new key file of mode 0600. It never replaces a file (errors.Is fs.ErrExist). When it returns
// nil, the file is on the disk; when it returns an error, it has left nothing behind.
func CreateKeyFile(path string, k *RootKey) error { return createKeyFile(direct, path, k) }

func createKeyFile(do step, path string, k *RootKey) error {
	if !k.usable() {
		return fmt.Errorf("key file %s: %w", path, ErrNoKeyMaterial)
	}
	err := createFile(do, path, []byte(k.Text()))
	switch {
	case errors.Is(err, fs.ErrExist):
		return failf(fs.ErrExist, "key file %s exists already and is never overwritten: choose another name", path)
	case errors.Is(err, fs.ErrNotExist):
		return failf(fs.ErrNotExist, "key file %s: the directory %s does not exist", path, filepath.Dir(path))
	case err != nil:
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return nil
}

// shellWord is s so that a person can paste it into a shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./+,:@%=", r)
	}
	if s != "" && s[0] != '-' && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s // a relative path that a command would take for a flag
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
