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

// Guards against a heap whose garbage grows with what is alive in it.
func TestGarbageStaysTheSame(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	was, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() { debug.SetGCPercent(was); debug.SetMemoryLimit(limit) }()
	k := Start()
	defer k.Stop()
	const allowed = 16 << 20
	k.Allow(math.MaxInt64, allowed)
	var table [][]byte
	for _, mb := range []int{8, 64, 120} {
		for len(table) < mb {
			table = append(table, make([]byte, 1<<20))
		}
		runtime.GC()
		k.follow(alive()) // as it does by itself, once a second
		runtime.GC()      // the goal is reckoned anew
		s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(s)
		garbage := int64(s[0].Value.Uint64()) - alive()
		if garbage > allowed*5/4 || garbage < allowed/4 {
			t.Errorf("with %d MB alive, %d of garbage may come together; %d is allowed", mb, garbage, allowed)
		}
	}
	runtime.KeepAlive(table)
}

func TestTheEnvironmentWins(t *testing.T) {
	t.Setenv("GOGC", "77")
	t.Setenv("GOMEMLIMIT", "1GiB")
	was, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(1<<30)
	defer func() { debug.SetGCPercent(was); debug.SetMemoryLimit(limit) }()
	k := Start()
	defer k.Stop()
	k.Allow(1<<20, 1)
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC became %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 1<<30 {
		t.Errorf("GOMEMLIMIT became %d", got)
	}
}
