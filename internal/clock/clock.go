// Package clock gives time in two readings that may disagree, so that code can be tested against clocks that jump.
package clock

import (
	"sync"
	"time"
)

// Clock reads the wall clock, which may jump, and a monotonic one, which may stand still while the machine sleeps.
type Clock interface {
	Wall() time.Time
	Mono() time.Duration
}

// System is the machine's clock.
var System Clock = system{start: time.Now()}

type system struct{ start time.Time }

func (s system) Wall() time.Time     { return time.Now().Round(0) }
func (s system) Mono() time.Duration { return time.Since(s.start) }

// Fake is set by hand. Its zero value stands at 1970; use NewFake.
type Fake struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

// NewFake starts at wall.
func NewFake(wall time.Time) *Fake { return &Fake{wall: wall.Round(0)} }

func (f *Fake) Wall() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

func (f *Fake) Mono() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mono
}

// Advance moves both readings, as time does.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall, f.mono = f.wall.Add(d), f.mono+d
}

// Jump moves the wall clock alone, as an administrator or NTP does.
func (f *Fake) Jump(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = f.wall.Add(d)
}
