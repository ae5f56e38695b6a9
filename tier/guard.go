package tier

import (
	"fmt"
	"runtime/debug"
)

// guard runs fn so that a panic in it, or a fault on a memory map that is shorter than a damaged file claims, becomes an
// error. bbolt checks its meta pages only; on a damaged file it panics or follows offsets out of the map.
func guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: its pages do not make sense (%v)", ErrDamaged, r)
		}
	}()
	return fn()
}
