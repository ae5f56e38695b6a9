package crypto

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// step runs one operation on the file system. Tests put one in that fails, before or after it had its effect.
type step func(name string, do func() error) error

func direct(_ string, do func() error) error { return do() }

// createFile makes a file of mode 0600 that holds data, or leaves nothing behind. It never replaces a file
// (errors.Is fs.ErrExist), also not one that appears meanwhile. What it does:
//
//	open(tmp, O_CREAT|O_EXCL, 0600); write; fsync; link(tmp, path); fsync(dir); unlink(tmp)
//
// A link, not a rename, because a rename replaces what is there. A crash can leave the temporary file, never half of path.
func createFile(do step, path string, data []byte) (err error) {
	var suffix [8]byte
	random(suffix[:])
	tmp := path + ".tmp-" + hex.EncodeToString(suffix[:])

	var f *os.File
	var made fs.FileInfo
	defer func() {
		if f != nil {
			f.Close() // a second close after a good one is harmless
			os.Remove(tmp)
		}
		if err != nil && made != nil {
			removeIfSame(path, made)
		}
	}()
	err = do("create", func() (err error) {
		f, err = os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	// The file's mode must not hang on the process's umask.
	if err = do("chmod", func() error { return f.Chmod(0o600) }); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if err = do("write", func() error { _, err := f.Write(data); return err }); err != nil {
		return err
	}
	if err = do("sync", f.Sync); err != nil {
		return err
	}
	if made, err = f.Stat(); err != nil {
		return err
	}
	if err = do("close", f.Close); err != nil {
		return err
	}
	if err = publish(do, tmp, path, made); err != nil {
		return err
	}
	return do("sync directory", func() error { return syncDir(filepath.Dir(path)) })
}

// publish gives the finished file its name. Where the file system has no links (FAT, some network mounts), an exclusive
// empty file claims the name first, and the rename then replaces nothing but that.
func publish(do step, tmp, path string, made fs.FileInfo) error {
	err := do("link", func() error { return os.Link(tmp, path) })
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	removeIfSame(path, made) // failed, but it took effect
	var claimed fs.FileInfo
	err = do("claim", func() error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		claimed, err = f.Stat()
		return errors.Join(err, f.Close())
	})
	if err == nil {
		err = do("rename", func() error { return os.Rename(tmp, path) })
	}
	if err != nil && claimed != nil {
		removeIfSame(path, claimed)
	}
	return err
}

func removeIfSame(path string, info fs.FileInfo) {
	if now, err := os.Lstat(path); err == nil && os.SameFile(now, info) {
		os.Remove(path)
	}
}

// syncDir makes a new name durable. Systems that cannot sync a directory say so with EINVAL or not at all.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// readSmall reads a regular file of at most limit bytes and says what it is. The checks are made on the open
// descriptor, so that the file judged is the file read; a pipe or a device is refused without waiting for it.
func readSmall(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, info, nil // the caller looks at info first
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	return data, info, err
}
