//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dirlock

import (
	"errors"
	"os"
)

// Without a lock two processes could write one store: refusing is the only safe answer.
func flock(*os.File) error {
	return errors.New("this platform has no flock, so the data directory cannot be protected from a second process")
}
