package gateway

import (
	"context"
	"sync"
)

// tracker counts what runs, fetches for one, so that a shutdown can wait for them. Unlike a sync.WaitGroup it may be asked for one
// more while somebody waits.
type tracker struct {
	mu     sync.Mutex
	n      int           // guarded by mu
	closed bool          // guarded by mu: no more begin
	idle   chan struct{} // guarded by mu; closed when n comes to 0 after closed
}

// begin counts one more; false: it must not begin.
func (t *tracker) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.n++
	return true
}

func (t *tracker) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.closed && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// close lets no more begin and waits for those that run, at most as long as ctx.
func (t *tracker) close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	if t.n == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
