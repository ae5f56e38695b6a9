package gateway

import (
	"sync"
	"time"
)

// How often one caller may have entries refreshed.
const (
	refreshRate  = 10 // a second
	refreshBurst = 20
	// maxCallers bounds how many callers are remembered; then those who did nothing for longest are forgotten.
	maxCallers = 8192
)

// limiter gives every caller a bucket of refreshes. Its zero value is ready.
type limiter struct {
	mu      sync.Mutex
	callers map[string]bucket // guarded by mu
}

type bucket struct {
	left float64
	at   time.Time
}

// allow takes one refresh from a caller's bucket.
func (l *limiter) allow(caller string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.callers == nil {
		l.callers = make(map[string]bucket)
	}
	b, known := l.callers[caller]
	if !known {
		if len(l.callers) >= maxCallers {
			l.forget(now)
		}
		b = bucket{left: refreshBurst, at: now}
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left = min(b.left+passed*refreshRate, refreshBurst)
	}
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	l.callers[caller] = b
	return ok
}

// forget drops the callers whose buckets are full again, which is what a new one's is, or, where there are none, an eighth
// of them, whichever the map gives first: a flood of addresses must not make the map grow. mu is held.
func (l *limiter) forget(now time.Time) {
	for caller, b := range l.callers {
		if now.Sub(b.at).Seconds()*refreshRate >= refreshBurst {
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
