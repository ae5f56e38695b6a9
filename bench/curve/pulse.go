package curve

import (
	"sync"
	"sync/atomic"
	"time"
)

// pulse tells about twice a second how far the run is.
type pulse struct {
	done atomic.Uint64 // operations of this phase

	mu      sync.Mutex
	percent int           // guarded by mu, like what follows
	name    string        // of the phase
	want    uint64        // operations; 0: the phase ends by time
	begin   time.Time     // of a phase that ends by time
	length  time.Duration // of it
}

const pulseEvery = 500 * time.Millisecond

// phase begins one.
func (p *pulse) phase(percent int, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.percent, p.name, p.want, p.length = percent, name, 0, 0
	p.done.Store(0)
}

// goal says how many operations the phase has.
func (p *pulse) goal(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want = n
}

// until says that the phase ends after a time, and returns the question whether it has passed.
func (p *pulse) until(length time.Duration) func() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin, p.length = time.Now(), length
	end := p.begin.Add(length)
	return func() bool { return time.Now().After(end) }
}

// start begins to tell; stop ends it. What is told besides goes through what start returns, so that tell is called once at a
// time.
func (p *pulse) start(progress func(Progress)) (tell func(Progress), stop func()) {
	var telling sync.Mutex
	tell = func(now Progress) {
		telling.Lock()
		defer telling.Unlock()
		progress(now)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(pulseEvery)
		defer t.Stop()
		var last uint64
		var name string
		for {
			select {
			case <-t.C:
				now, done := p.now(), p.done.Load()
				if now.Phase != name || done < last {
					name, last = now.Phase, 0
				}
				now.PerSecond = float64(done-last) / pulseEvery.Seconds()
				last = done
				if now.Phase != "" {
					tell(now)
				}
			case <-end:
				return
			}
		}
	}()
	return tell, func() { close(end); <-ended }
}

func (p *pulse) now() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Progress{Percent: p.percent, Phase: p.name}
	switch {
	case p.want > 0:
		out.Share = min(float64(p.done.Load())/float64(p.want), 1)
	case p.length > 0:
		out.Share = min(float64(time.Since(p.begin))/float64(p.length), 1)
	}
	return out
}
