package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"stagecache/crypto"
	"stagecache/internal/dirlock"
	"stagecache/internal/vfs"
	"stagecache/tier"
)

// VerifyOptions say how to open a store that is not running.
type VerifyOptions struct {
	Key     *crypto.RootKey // nil: the store is plain
	OldKeys []*crypto.RootKey
	Name    string // "": the directory's base name
}

// VerifyProblem is one thing that did not prove itself.
type VerifyProblem struct{ File, Detail string }

// VerifyReport is what Verify has seen.
type VerifyReport struct {
	Segments, Records, Bytes int64
	Damaged                  []VerifyProblem
}

// Verify authenticates every record of the store in dir, and its purge list, and changes nothing. The store must not be open
// (ErrLocked). A wrong key is an error; damage is in the report.
func Verify(dir string, o VerifyOptions) (VerifyReport, error) {
	var r VerifyReport
	if o.Name == "" {
		o.Name = filepath.Base(dir)
	}
	lock, err := dirlock.Acquire(dir)
	var held *dirlock.HeldError
	if errors.As(err, &held) {
		return r, fmt.Errorf("verify %s: %w: %w", dir, ErrLocked, err)
	}
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", dir, err)
	}
	defer lock.Release()
	path := filepath.Join(dir, stageKeyFile)
	data, err := vfs.OS.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Without any data, nothing was ever stored.
		if gens, _ := filepath.Glob(filepath.Join(dir, genPrefix+"*")); len(gens) > 0 {
			r.Damaged = append(r.Damaged, VerifyProblem{path, "is missing: the data beside it cannot be read without it"})
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	keys, _, err := crypto.OpenStageKey(data, o.Name, roots(o.Key, o.OldKeys)...)
	if errors.Is(err, crypto.ErrDamaged) {
		r.Damaged = append(r.Damaged, VerifyProblem{path, err.Error()})
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	gen := filepath.Join(dir, genDir(keys.Generation()))
	c, err := tier.Verify(gen, keys, zstdCodec{})
	if err != nil {
		return r, err
	}
	r.Segments, r.Records, r.Bytes = c.Segments, c.Records, c.Bytes
	for _, d := range c.Damaged {
		r.Damaged = append(r.Damaged, VerifyProblem(d))
	}
	if err := verifyPurges(gen, keys); err != nil {
		r.Damaged = append(r.Damaged, VerifyProblem{filepath.Join(gen, purgeFile), err.Error()})
	}
	return r, nil
}
