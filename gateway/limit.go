package gateway

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one caller may have entries refreshed.
const (
	refreshRate  = 10 // a second
	refreshBurst = 20
	maxCallers   = 8192 // that are remembered
)

// limiter gives every caller a bucket of refreshes. Its zero value is ready.
type limiter struct {
	mu      sync.Mutex
	callers map[string]*rate.Limiter // guarded by mu
}

// allow takes one refresh from a caller's bucket.
func (l *limiter) allow(caller string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.callers == nil {
		l.callers = make(map[string]*rate.Limiter)
	}
	b := l.callers[caller]
	if b == nil {
		if len(l.callers) >= maxCallers {
			l.forget(now)
		}
		b = rate.NewLimiter(refreshRate, refreshBurst)
		l.callers[caller] = b
	}
	return b.AllowN(now, 1)
}

// forget drops the callers whose buckets are full again, which is what a new one's is, and then, if they are not an eighth
// of all, others, whichever the map gives first: a flood of addresses must not make the map grow. mu is held.
func (l *limiter) forget(now time.Time) {
	for caller, b := range l.callers {
		if b.TokensAt(now) >= refreshBurst {
			delete(l.callers, caller)
		}
	}
	for caller := range l.callers {
		if len(l.callers) <= maxCallers*7/8 {
			return
		}
		delete(l.callers, caller)
	}
}
