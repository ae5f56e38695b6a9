package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// ErrInjected is what a failed operation of a Faulty file system returns.
var ErrInjected = errors.New("injected fault")

// Verdict is a hook's answer.
type Verdict int

const (
	Pass      Verdict = iota // do it
	Fail                     // do not do it, return ErrInjected
	FailAfter                // do it, but return ErrInjected: the caller cannot know that it took effect
)

// Faulty asks Hook before every operation that changes the disk. n counts them from 1.
type Faulty struct {
	FS
	Hook func(n int64, op, name string) Verdict
	n    atomic.Int64
}

// CrashAt is a hook after which nothing takes effect any more from the k-th operation on, as if the process had died.
func CrashAt(k int64, first Verdict) func(int64, string, string) Verdict {
	return func(n int64, _, _ string) Verdict {
		switch {
		case n < k:
			return Pass
		case n == k:
			return first
		}
		return Fail
	}
}

// Operations is how many were asked for so far.
func (f *Faulty) Operations() int64 { return f.n.Load() }

func (f *Faulty) do(op, name string, fn func() error) error {
	n := f.n.Add(1)
	switch f.Hook(n, op, name) {
	case Fail:
		return fmt.Errorf("%s %s: %w", op, name, ErrInjected)
	case FailAfter:
		return errors.Join(fn(), fmt.Errorf("%s %s: %w", op, name, ErrInjected))
	}
	return fn()
}

func (f *Faulty) MkdirAll(dir string) error {
	return f.do("mkdir", dir, func() error { return f.FS.MkdirAll(dir) })
}

func (f *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return f.FS.OpenFile(name, flag, perm)
	}
	var file *os.File
	err := f.do("open", name, func() (err error) { file, err = f.FS.OpenFile(name, flag, perm); return })
	if err != nil && file != nil {
		_ = file.Close()
		file = nil
	}
	return file, err
}

func (f *Faulty) Write(file *os.File, data []byte) error {
	return f.do("write", file.Name(), func() error { return f.FS.Write(file, data) })
}

func (f *Faulty) Sync(file *os.File) error {
	return f.do("sync", file.Name(), func() error { return f.FS.Sync(file) })
}

func (f *Faulty) SyncDir(dir string) error {
	return f.do("syncdir", dir, func() error { return f.FS.SyncDir(dir) })
}

func (f *Faulty) Rename(from, to string) error {
	return f.do("rename", to, func() error { return f.FS.Rename(from, to) })
}

func (f *Faulty) Remove(name string) error {
	return f.do("remove", name, func() error { return f.FS.Remove(name) })
}

func (f *Faulty) Truncate(name string, size int64) error {
	return f.do("truncate", name, func() error { return f.FS.Truncate(name, size) })
}

func (f *Faulty) Commit(name string, tx func() error) error {
	return f.do("commit", name, func() error { return f.FS.Commit(name, tx) })
}
