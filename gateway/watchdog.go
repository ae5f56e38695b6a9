package gateway

import (
	"context"
	"io"
	"sync"
	"time"
)

// watchdog cancels a fetch when the backend is silent for too long. It is armed only while the gateway waits for the
// backend, so a slow client on the other side never counts against it.
type watchdog struct {
	limit time.Duration

	mu      sync.Mutex
	timer   *time.Timer // guarded by mu
	retired bool        // guarded by mu: it never fires again
}

// newWatchdog makes one that is armed.
func newWatchdog(limit time.Duration, cancel context.CancelCauseFunc) *watchdog {
	return &watchdog{timer: time.AfterFunc(limit, func() { cancel(errSilent) }), limit: limit}
}

func (d *watchdog) arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.retired {
		d.timer.Reset(d.limit)
	}
}

func (d *watchdog) disarm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer.Stop()
}

// retire disarms it for good: an upload that is still running when the answer comes must not arm it again.
func (d *watchdog) retire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retired = true
	d.timer.Stop()
}

// watchedBody arms the watchdog for each Read of a backend's answer, and minds the pace of the whole.
type watchedBody struct {
	io.ReadCloser
	dog  *watchdog
	pace pace
}

func watch(body io.ReadCloser, dog *watchdog) *watchedBody {
	return &watchedBody{ReadCloser: body, dog: dog, pace: pace{limit: dog.limit}}
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.dog.arm()
	begun := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.dog.disarm()
	if b.pace.tooSlow(time.Since(begun), n) && err == nil {
		err = errTrickle
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.dog.retire()
	return b.ReadCloser.Close()
}
