package identity

import (
	"sync"
	"time"
)

// Memory is what outlives a reload: the signatures that were used. It is safe for concurrent use.
type Memory struct {
	begun time.Time
	used  used
}

// NewMemory begins with nothing remembered.
func NewMemory(now time.Time) *Memory {
	return &Memory{begun: now, used: used{until: make(map[[32]byte]time.Time)}}
}

// maxUsed bounds the signatures that are remembered, about 80 bytes each. Each of a user's requests is one, for ten minutes at most.
const maxUsed = 1 << 17

// used remembers each signature for as long as it would be accepted again.
type used struct {
	mu    sync.Mutex
	until map[[32]byte]time.Time // guarded by mu
	sweep time.Time              // guarded by mu: when it was last cleaned
}

// take reports ErrReplayed for a signature that was taken before. When there is no room for more it takes none: to accept what it
// cannot remember would be to accept it twice.
func (u *used) take(signature [32]byte, until, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	// When it is full it is cleaned each second: more often, somebody who fills it would also keep everybody busy.
	if age := now.Sub(u.sweep).Abs(); age > time.Minute || len(u.until) >= maxUsed && age > time.Second {
		u.sweep = now
		for s, t := range u.until {
			if now.After(t) {
				delete(u.until, s)
			}
		}
	}
	if _, taken := u.until[signature]; taken {
		return ErrReplayed
	}
	if len(u.until) >= maxUsed {
		return errFull
	}
	u.until[signature] = until
	return nil
}
