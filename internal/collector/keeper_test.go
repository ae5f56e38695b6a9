package collector

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		garbage, alive int64
		want           int
	}{{10, 100, 10}, {50, 100, 50}, {1, 1000, least}, {1000, 10, most}, {7, 0, most}} {
		if got := share(c.garbage, c.alive); got != c.want {
			t.Errorf("%d of %d: %d percent, want %d", c.garbage, c.alive, got, c.want)
		}
	}
}

// Guards against a limit below what is alive, which would make the collector run without end.
func TestLimit(t *testing.T) {
	for _, c := range []struct {
		heap, garbage int64
		u             usage
		least, most   int64
	}{
		{100 << 20, 10 << 20, usage{alive: 20 << 20, besides: 5 << 20}, 100 << 20, 100 << 20},
		{100 << 20, 10 << 20, usage{alive: 200 << 20, besides: 50 << 20}, 268 << 20, 300 << 20},
		{1 << 20, 0, usage{}, slack, slack},
	} {
		if got := limit(c.heap, c.garbage, c.u); got < c.least || got > c.most {
			t.Errorf("%+v: %d", c, got)
		}
	}
	runtime.GC()
	if u := measure(); u.alive <= 0 || u.besides <= 0 || u.besides > 1<<30 {
		t.Errorf("%+v of this process", u)
	}
}

// restore puts the process's settings back when the test is over.
func restore(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	was, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(was); debug.SetMemoryLimit(limit) })
}

// Guards against a heap whose garbage grows with what is alive in it.
func TestGarbageStaysTheSame(t *testing.T) {
	restore(t)
	const allowed = 16 << 20
	k := Start(func() (heap, garbage int64) { return math.MaxInt64, allowed })
	defer k.Stop()
	var table [][]byte
	for _, mb := range []int{8, 64, 120} {
		for len(table) < mb {
			table = append(table, make([]byte, 1<<20))
		}
		runtime.GC()
		k.follow(measure()) // as it does by itself, once a second
		runtime.GC()        // the goal is reckoned anew
		s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(s)
		garbage := int64(s[0].Value.Uint64()) - measure().alive
		if garbage > allowed*5/4 || garbage < allowed/4 {
			t.Errorf("with %d MB alive, %d of garbage may come together; %d is allowed", mb, garbage, allowed)
		}
	}
	runtime.KeepAlive(table)
}

// TestTheLimitFollows what the stores may take, and what is alive where that is more.
func TestTheLimitFollows(t *testing.T) {
	restore(t)
	heap := int64(1 << 30)
	k := Start(func() (int64, int64) { return heap, 1 << 20 })
	k.Stop() // from here on it is told what is measured
	if got := debug.SetMemoryLimit(-1); got == heap {
		t.Error("Stop leaves the limit, and nobody raises it any more")
	}
	k.limit = 0
	for _, c := range []struct{ heap, alive, want int64 }{
		{1 << 30, 0, 1 << 30},
		{1 << 29, 0, 1 << 29},
		{1<<29 - 1<<20, 0, 1 << 29}, // not worth a stop
		{1<<29 + 1<<20, 0, 1<<29 + 1<<20},
		{1 << 29, 1 << 30, 1<<30 + 1<<27 + 1<<20 + slack},
	} {
		heap = c.heap
		k.follow(usage{alive: c.alive})
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%+v: the limit is %d", c, got)
		}
	}
}

func TestTheEnvironmentWins(t *testing.T) {
	restore(t)
	t.Setenv("GOGC", "77")
	t.Setenv("GOMEMLIMIT", "1GiB")
	debug.SetGCPercent(77)
	debug.SetMemoryLimit(1 << 30)
	k := Start(func() (heap, garbage int64) { return 1 << 20, 1 })
	defer k.Stop()
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC became %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 1<<30 {
		t.Errorf("GOMEMLIMIT became %d", got)
	}
}
