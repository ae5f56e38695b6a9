package collector

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Bounds of the collector's share, in percent of what is alive. Go's own is 100; below the least, a process would do little but
// collect.
const (
	most  = 100
	least = 10
	every = time.Second
)

// Keeper follows the heap until it is stopped. A process has one: the settings are the process's.
type Keeper struct {
	mu      sync.Mutex
	garbage int64 // guarded by mu
	percent int   // guarded by mu: as it was set last
	stop    chan struct{}
	ended   chan struct{}
	once    sync.Once
}

// Start returns a Keeper that allows everything until Allow is called.
func Start() *Keeper {
	k := &Keeper{stop: make(chan struct{}), ended: make(chan struct{}), percent: most}
	go k.run()
	return k
}

// Allow says how large the heap may become at most, and how much of it may be garbage. The environment's GOMEMLIMIT and GOGC win, each
// over its own.
func (k *Keeper) Allow(heap, garbage int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heap)
	}
	k.mu.Lock()
	k.garbage = garbage
	k.mu.Unlock()
	k.follow(alive())
}

// Stop leaves the settings as they are. It may be called again.
func (k *Keeper) Stop() {
	k.once.Do(func() { close(k.stop) })
	<-k.ended
}

func (k *Keeper) run() {
	defer close(k.ended)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-t.C:
			k.follow(alive())
		}
	}
}

// follow sets the share anew if it is off by an eighth: setting it stops the world for a moment.
func (k *Keeper) follow(alive int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.garbage == 0 || os.Getenv("GOGC") != "" {
		return
	}
	if want := share(k.garbage, alive); want > k.percent+k.percent/8 || want < k.percent-k.percent/8 || k.percent == most && want < most {
		debug.SetGCPercent(want)
		k.percent = want
	}
}

// share is so many percent of what is alive as the garbage may be.
func share(garbage, alive int64) int {
	return int(min(max(100*garbage/max(alive, 1), least), most))
}

// alive is what the last collection left, in bytes.
func alive() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(s[0].Value.Uint64())
}
