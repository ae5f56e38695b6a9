// Package vfs is the file system as the store sees it: a short list of operations that tests can count, fail and cut off.
//
// Code that must survive a crash takes an FS through its Options and never calls package os for anything that changes the
// disk. OS is the real one; Faulty wraps any other and asks a hook before every operation that changes something, so that
// a test can crash the store at its k-th write, sync, rename or remove, for every k.
//
// Files opened through an FS are real *os.File values, because bbolt and positional reads need one. What bbolt does to its
// file goes through Commit, which stands for one whole transaction.
package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is what the store needs of a file system.
type FS interface {
	MkdirAll(dir string) error                                          // 0700
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) // for positional reads and for bbolt
	ReadFile(name string) ([]byte, error)                               //
	Write(f *os.File, data []byte) error                                // the whole of data
	Sync(f *os.File) error                                              // fsync
	SyncDir(dir string) error                                           // fsync of a directory: makes names durable
	Rename(from, to string) error                                       //
	Remove(name string) error                                           //
	Truncate(name string, size int64) error                             //
	ReadDir(dir string) ([]fs.DirEntry, error)                          //
	Commit(name string, tx func() error) error                          // one bbolt transaction on file name
	Usage(name string) (int64, error)                                   // bytes as du counts them
}

// OS is the real file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }
func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}
func (osFS) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }
func (osFS) Write(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return err
}
func (osFS) Sync(f *os.File) error                     { return f.Sync() }
func (osFS) Rename(from, to string) error              { return os.Rename(from, to) }
func (osFS) Remove(name string) error                  { return os.Remove(name) }
func (osFS) Truncate(name string, size int64) error    { return os.Truncate(name, size) }
func (osFS) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (osFS) Commit(name string, tx func() error) error { return tx() }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func (osFS) Usage(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512, nil // st_blocks is always in units of 512 bytes, whatever the block size
	}
	return info.Size(), nil
}

// WriteFileAtomic replaces name as a whole or not at all, also across a crash:
// write(tmp), fsync(tmp), rename(tmp, name), fsync(dir).
func WriteFileAtomic(fsys FS, name string, data []byte) error {
	tmp := name + ".tmp"
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fsys.Write(f, data)
	if err == nil {
		err = fsys.Sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		_ = fsys.Remove(tmp) // best effort: a left-over .tmp is removed at the next start
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// RemoveTree removes dir and what is in it, file by file, so that a fault can strike between any two.
func RemoveTree(fsys FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if e.IsDir() {
			err = RemoveTree(fsys, p)
		} else {
			err = fsys.Remove(p)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := fsys.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// TreeUsage adds up Usage over the regular files below dir; what cannot be read counts as nothing.
func TreeUsage(fsys FS, dir string) int64 {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return 0
	}
	var sum int64
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if e.IsDir() {
			sum += TreeUsage(fsys, p)
		} else if n, err := fsys.Usage(p); err == nil {
			sum += n
		}
	}
	return sum
}
