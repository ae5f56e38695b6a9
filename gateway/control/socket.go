package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"stagecache/internal/dirlock"
)

// maxSocketPath is what sockaddr_un holds on Linux, less the final 0; other systems have a few bytes less, and say so.
const maxSocketPath = 107

// ListenSocket opens the admin socket, for its owner alone. It wants the data directory's lock: a socket file that nobody
// answers at is a dead process's leftover only as long as no living one can be about to use it.
func ListenSocket(path string, lock *dirlock.Lock) (net.Listener, error) {
	if lock == nil {
		return nil, errors.New("the admin socket needs the data directory's lock")
	}
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("admin socket: %w", err)
	case fi.Mode().Type() != fs.ModeSocket:
		return nil, &Error{Message: fmt.Sprintf("admin socket: %s exists and is not a socket", path), HintText: "move it away, or set admin.socket to another path"}
	default:
		// Ours is the data directory, but the path may be shared with another gateway by mistake.
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, &Error{Message: fmt.Sprintf("admin socket: another process answers at %s", path), HintText: "give each gateway its own admin.socket"}
		}
	}

	// Listening and then changing the mode would leave a moment in which anybody may connect. So the socket is made in a
	// directory that only we can enter, and renamed to its place once its mode is right; that replaces a stale one, too.
	tmp, err := shortTemp(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "s")
	if len(made) > maxSocketPath || len(path) > maxSocketPath {
		return nil, &Error{
			Message:  fmt.Sprintf("admin socket: the path %s is too long for a socket", path),
			HintText: fmt.Sprintf("set admin.socket to a path in a folder whose name is at most %d bytes long", maxSocketPath-(len(made)-len(filepath.Dir(path)))),
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // it would unlink the name that it was made with
	if err := placeSocket(made, path); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	fi, err = os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return &socket{Listener: l, path: path, made: fi}, nil
}

// shortTemp makes a directory that only we can enter. Its name is short: with the socket's in it, it still is no longer
// than "admin.sock", so that a path which the configuration accepts does not become too long here.
func shortTemp(dir string) (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	for try := 0; ; try++ {
		var b [4]byte
		rand.Read(b[:])
		for i := range b {
			b[i] = letters[int(b[i])%len(letters)]
		}
		name := filepath.Join(dir, "."+string(b[:]))
		err := os.Mkdir(name, 0o700)
		if err == nil || !errors.Is(err, fs.ErrExist) || try == 100 {
			return name, err
		}
	}
}

func placeSocket(made, path string) error {
	if err := os.Chmod(made, 0o600); err != nil {
		return err
	}
	return os.Rename(made, path)
}

// socket removes its file when it is closed, if the file is still its own.
type socket struct {
	net.Listener
	path string
	made fs.FileInfo
	once sync.Once
	err  error
}

func (s *socket) Close() error {
	s.once.Do(func() {
		if fi, err := os.Lstat(s.path); err == nil && os.SameFile(fi, s.made) {
			if err := os.Remove(s.path); err != nil && !errors.Is(err, syscall.ENOENT) {
				s.err = err
			}
		}
		s.err = errors.Join(s.Listener.Close(), s.err)
	})
	return s.err
}
