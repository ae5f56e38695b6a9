package engine

import (
	"errors"
	"fmt"
	"path/filepath"

	"stagecache/crypto"
	"stagecache/internal/dirlock"
	"stagecache/internal/vfs"
)

// The root key is changed by re-wrapping: the stage-key file is sealed anew, and no record is touched. That is one atomic
// replacement of one small file per store, so a crash leaves each store under the old root key or under the new one; who has both
// opens every store, and does the rest by asking again.

// RewrapOptions say which store is to be wrapped with which root key.
type RewrapOptions struct {
	Name    string            // as in Options
	Key     *crypto.RootKey   // required
	OldKeys []*crypto.RootKey // one of them, or Key, opens the store
	Check   bool              // change nothing: say only whether it could be done
	FS      vfs.FS            // nil: the real one
}

// Rewrapped is what became of it.
type Rewrapped struct {
	From    crypto.KeyID // the root key that it was wrapped with
	Changed bool         // false: it is wrapped with the key already
}

// Rewrap wraps a store that is not open. The errors are those of crypto.OpenStageKey, fs.ErrNotExist where there is no
// stage-key file, and ErrLocked.
func Rewrap(dir string, o RewrapOptions) (r Rewrapped, err error) {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Key == nil {
		return r, ErrNoKey
	}
	path := filepath.Join(dir, stageKeyFile)
	if !o.Check {
		lock, err := dirlock.Acquire(dir)
		if _, held := errors.AsType[*dirlock.HeldError](err); held {
			return r, fmt.Errorf("%s: %w: %w", dir, ErrLocked, err)
		}
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, lock.Release()) }()
	}
	data, err := o.FS.ReadFile(path)
	if err != nil {
		return r, err
	}
	keys, used, err := crypto.OpenStageKey(data, o.Name, roots(o.Key, o.OldKeys)...)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if r = (Rewrapped{From: used.ID(), Changed: used != o.Key}); !r.Changed || o.Check {
		return r, nil
	}
	return r, keys.Rewrap(o.Key, func(file []byte) error { return vfs.WriteFileAtomic(o.FS, path, file) })
}

// Rewrap wraps an open store with another root key, while it serves. What is stored stays readable, segments that begin from now on
// get a new sealing key, and the old root key opens nothing any more. With an error the file on the disk is wrapped with one of the
// two; asking again puts it right.
func (s *Store) Rewrap(key *crypto.RootKey) (Rewrapped, error) {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	switch {
	case s.closed.Load():
		return Rewrapped{}, ErrClosed
	case s.root == nil || key == nil:
		return Rewrapped{}, ErrNoKey
	}
	r := Rewrapped{From: s.root.ID(), Changed: s.root.ID() != key.ID()}
	if !r.Changed {
		return r, nil
	}
	g := s.gen.Load()
	if err := g.keys.Rewrap(key, s.replaceKeys); err != nil {
		return r, fmt.Errorf("re-wrap: %w", err)
	}
	s.root = key
	s.measure(g)
	return r, nil
}

// roots are the keys to try, the present one first; none for a store in the clear.
func roots(key *crypto.RootKey, old []*crypto.RootKey) []*crypto.RootKey {
	if key == nil {
		return nil
	}
	return append([]*crypto.RootKey{key}, old...)
}
