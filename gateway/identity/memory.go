package identity

import (
	"sync"
	"time"
)

// Memory is what outlives a reload: signatures that were used, and callers that refresh. It is safe for concurrent use.
type Memory struct {
	begun time.Time
	used  used
	rates rates
}

// NewMemory begins with nothing remembered.
func NewMemory(now time.Time) *Memory {
	return &Memory{begun: now, used: used{until: make(map[[32]byte]time.Time)}, rates: rates{of: make(map[string]rate)}}
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

// The rate of refreshes per caller: each costs the backend a request.
const (
	ratePerSecond = 10
	rateBurst     = 20
	maxCallers    = 1 << 16
)

// rates are token buckets by caller.
type rates struct {
	mu    sync.Mutex
	of    map[string]rate // guarded by mu; a bucket that is full again is as good as none
	sweep time.Time       // guarded by mu: when it was last cleaned
}

type rate struct {
	left float64
	at   time.Time
}

// Allow takes one refresh from a caller's rate, 10 a second and 20 at once, and reports whether there was one.
func (m *Memory) Allow(caller string, now time.Time) bool {
	r := &m.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	b, known := r.of[caller]
	if !known {
		if len(r.of) >= maxCallers && now.Sub(r.sweep).Abs() > time.Second {
			r.forget(now)
		}
		if len(r.of) >= maxCallers {
			return false
		}
		b = rate{rateBurst, now}
	}
	// A clock that was put back gives nothing, and takes nothing.
	b.left = min(rateBurst, b.left+max(0, now.Sub(b.at).Seconds())*ratePerSecond)
	b.at = now
	allowed := b.left >= 1
	if allowed {
		b.left--
	}
	r.of[caller] = b
	return allowed
}

// forget drops the buckets that are full again; mu is held.
func (r *rates) forget(now time.Time) {
	r.sweep = now
	for caller, b := range r.of {
		if b.left+max(0, now.Sub(b.at).Seconds())*ratePerSecond >= rateBurst {
			delete(r.of, caller)
		}
	}
}
