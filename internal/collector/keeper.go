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

// slack is what the runtime gets beyond what is alive and the garbage, where that is more than it was promised.
const slack = 8 << 20

// Keeper follows the heap until it is stopped. A process has one: the settings are the process's.
type Keeper struct {
	mu      sync.Mutex
	allowed func() (heap, garbage int64) // guarded by mu
	percent int                          // guarded by mu: as it was set last
	limit   int64                        // guarded by mu: likewise
	restore func()                       // what Start found
	stop    chan struct{}
	ended   chan struct{}
	once    sync.Once
}

// Start returns a Keeper that asks allowed now, and then each second, how large the heap should become at most, and how much of it may
// be garbage. The second is kept to. The first is exceeded where more is alive: to collect without end would not make it less. The environment's
// GOMEMLIMIT and GOGC win, each over its own.
func Start(allowed func() (heap, garbage int64)) *Keeper {
	percent, limit := debug.SetGCPercent(most), debug.SetMemoryLimit(-1)
	debug.SetGCPercent(percent)
	k := &Keeper{stop: make(chan struct{}), ended: make(chan struct{}), percent: percent, limit: limit}
	k.restore = func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }
	k.Ask(allowed)
	go k.run()
	return k
}

// Ask asks another one from now on.
func (k *Keeper) Ask(allowed func() (heap, garbage int64)) {
	k.mu.Lock()
	k.allowed = allowed
	k.mu.Unlock()
	k.follow(measure())
}

// Stop restores what Start found: nobody follows any more. It may be called again.
func (k *Keeper) Stop() {
	k.once.Do(func() {
		close(k.stop)
		<-k.ended
		k.restore()
	})
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
			k.follow(measure())
		}
	}
}

// follow sets the share and the limit anew if they are off by an eighth, or the limit is too low: setting one stops the world for a moment.
func (k *Keeper) follow(u usage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	heap, garbage := k.allowed()
	if want := share(garbage, u.alive); os.Getenv("GOGC") == "" && off(int64(want), int64(k.percent)) {
		debug.SetGCPercent(want)
		k.percent = want
	}
	if want := limit(heap, garbage, u); os.Getenv("GOMEMLIMIT") == "" && (want > k.limit || off(want, k.limit)) {
		debug.SetMemoryLimit(want)
		k.limit = want
	}
}

func off(want, is int64) bool { return want-want/9 > is || want < is-is/8 }

// share is so many percent of what is alive as the garbage may be.
func share(garbage, alive int64) int {
	return int(min(max(100*garbage/max(alive, 1), least), most))
}

// limit is what the runtime may take from the system.
func limit(heap, garbage int64, u usage) int64 {
	return max(heap, u.alive+u.alive/8+garbage+u.besides+slack)
}

// usage is what the runtime says of itself, in bytes.
type usage struct {
	alive   int64 // in the heap, after the last collection
	besides int64 // stacks and what the runtime keeps for itself
}

func measure() usage {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	n := make([]int64, len(s))
	for i := range s {
		if s[i].Value.Kind() == metrics.KindUint64 {
			n[i] = int64(s[i].Value.Uint64())
		}
	}
	return usage{alive: n[0], besides: max(0, n[1]-n[2]-n[3]-n[4]-n[5])}
}
