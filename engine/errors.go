package engine

import "errors"

// Errors of Open. A wrong root key is a *crypto.WrongKeyError.
var (
	ErrNoKey  = errors.New("no root key, and the store is not plain")
	ErrLocked = errors.New("directory in use by another process")
	// ErrNoStore: Options.Existing is set, and there is no store to go on with.
	ErrNoStore = errors.New("no store that can be opened")
)

// ErrMiss says that there is no entry that may be used.
var ErrMiss = errors.New("no entry")

// Errors of a lease: why the value was not stored. The value itself is as good as before; only its being kept is refused.
var (
	ErrPurged      = errors.New("purged since the lease was taken")
	ErrLeaseLost   = errors.New("lease has ended")
	ErrTooLarge    = errors.New("value is larger than the store accepts")
	ErrTooManyTags = errors.New("too many tags")
	ErrBadKey      = errors.New("key is empty or too long")
)

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("store is closed")
