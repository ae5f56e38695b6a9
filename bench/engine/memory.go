package main

import (
	"fmt"
	"math"
	"runtime"

	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// memoryHits measures hits in the memory tier, and what they allocate.
func (b *bench) memoryHits() error {
	s, err := b.open("memory", b.size, max(b.memory, 256_000_000))
	if err != nil {
		return err
	}
	if err := closing(s, b.memoryRounds(s)); err != nil {
		return err
	}
	return b.remove("memory")
}

func (b *bench) memoryRounds(s *engine.Store) error {
	const n = 20_000 // far from filling the tier: fastcache drops nothing
	if _, err := b.fill(s, 0, n, appendKey, b.values, func() bool { return false }); err != nil {
		return err
	}
	if err := s.Sync(); err != nil { // a quiet store: what is allocated from here on, reads allocate
		return err
	}
	var rates []float64
	cpu, first := usage(), s.Stats().MemoryHits
	for range b.rounds(5, 3) {
		before := s.Stats()
		rate, err := b.getRound(s, clients(), b.rounds(2, 1), n)
		if err != nil {
			return err
		}
		after := s.Stats()
		if after.DiskHits != before.DiskHits || after.Misses != before.Misses {
			return fmt.Errorf("%d reads were answered from disk and %d missed", after.DiskHits-before.DiskHits, after.Misses-before.Misses)
		}
		rates = append(rates, rate)
	}
	b.printf("memory hits: %s gets/s, median of %d rounds; %s of processor time each\n", report.Count(report.Median(rates)), len(rates),
		cpuPer(cpu, s.Stats().MemoryHits-first))

	allocs, runs, err := hitAllocs(s, n)
	if err != nil {
		return err
	}
	b.sheet.Add(report.Figure{Name: "memory_hit_allocs", Value: allocs, Unit: "allocs",
		Ours: fmt.Sprintf("%s allocations in %s hits", report.Count(allocs*float64(runs)), report.Count(float64(runs)))})
	return nil
}

// hitAllocs counts the heap allocations of a hit: those of the round with the least, for what a timer of the process allocates
// now and then is not the hits', and what hits allocate is in every round.
func hitAllocs(s *engine.Store, n uint64) (each float64, runs int, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as testing.AllocsPerRun does, so that nobody else allocates meanwhile
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = appendKey(nil, uint64(i))
	}
	runs = 200_000
	room := make([]byte, 0, 1<<20)
	var before, after runtime.MemStats
	least := uint64(math.MaxUint64)
	for range 5 { // the first rounds warm pools up
		runtime.ReadMemStats(&before)
		for i := range runs {
			if _, err := s.Get(room, keys[i%len(keys)]); err != nil {
				return 0, 0, err
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return float64(least) / float64(runs), runs, nil
}
