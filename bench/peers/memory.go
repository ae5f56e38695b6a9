package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
	"stagecache/engine"
	"stagecache/tier"
)

// hitter is a cache in memory that holds all records of a dataset. get appends the value to dst where the cache copies, and
// returns the cache's own where it does not.
type hitter struct {
	name  string
	get   func(dst []byte, i int) ([]byte, bool)
	close func() error
}

const (
	hitRecords = 20_000 // 22 MB: far below what each cache has room for
	hitMemory  = 64 << 20
)

// memory measures hits.
func (b *bench) memory() error {
	d := newDataset(hitRecords, values.Generate(1024))
	n := 4_000_000
	if b.short {
		n = 1_000_000
	}
	b.printf("\n== memory: hits, %s, %d records, keys at random; %d goroutines, %d rounds\n", d.name, d.n, clients(), b.rounds)
	hitters, err := b.hitters(d)
	if err != nil {
		return err
	}
	type result struct{ rate, cpu, allocs, hits []float64 }
	results := make([]result, len(hitters))
	for round := range b.rounds {
		for k := range hitters {
			at := (k + round) % len(hitters)
			if err := b.ctx.Err(); err != nil {
				return err
			}
			h, r := &hitters[at], &results[at]
			rate, cpu, allocs, hits, err := hitRound(h, d, n)
			if err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			r.rate, r.cpu = append(r.rate, rate), append(r.cpu, cpu)
			r.allocs, r.hits = append(r.allocs, allocs), append(r.hits, hits)
		}
	}
	var rows [][]string
	for i, h := range hitters {
		r := &results[i]
		rows = append(rows, []string{h.name, spreadOf(r.rate), fmt.Sprintf("%.0f", report.Median(r.cpu)),
			fmt.Sprintf("%.2f", report.Median(r.allocs)), fmt.Sprintf("%.1f", report.Median(r.hits))})
		err = errors.Join(err, h.close())
	}
	b.table([]string{"", "hits/s", "cpu ns each", "allocations each", "hit %"}, rows)
	return err
}

// hitters makes the caches and fills them.
func (b *bench) hitters(d *dataset) ([]hitter, error) {
	dir, err := os.MkdirTemp(b.dir, "memory-")
	if err != nil {
		return nil, err
	}
	s, err := engine.Open(dir, engine.Options{Key: rootKey(), Memory: hitMemory + 32<<20, Block: true})
	if err != nil {
		return nil, err
	}
	names := make([]string, d.n)
	m := tier.NewMemory(hitMemory)
	f := fastcache.New(hitMemory)
	o, err := otter.New(&otter.Options[string, []byte]{MaximumSize: 2 * d.n})
	if err != nil {
		return nil, err
	}
	r, err := ristretto.NewCache(&ristretto.Config[string, []byte]{NumCounters: 10 * int64(d.n), MaxCost: 2 * int64(d.n), BufferItems: 64, IgnoreInternalCost: true})
	if err != nil {
		return nil, err
	}
	for i := range d.n {
		names[i] = string(d.key(i))
		if err := fill(context.Background(), s, d.key(i), d.value(i)); err != nil {
			return nil, err
		}
		if err := m.Put(tier.Record{Hash: hashOf(uint32(i)), Seq: uint64(i), Expires: 1 << 60, Blob: d.value(i)}); err != nil {
			return nil, err
		}
		f.Set(d.key(i), d.value(i))
		o.Set(names[i], d.value(i))
		r.Set(names[i], d.value(i), 1)
		r.Wait() // else its queue overflows, and it drops
	}
	if err := s.Sync(); err != nil {
		return nil, err
	}
	return []hitter{
		{oursName, func(dst []byte, i int) ([]byte, bool) {
			e, err := s.Get(dst, d.key(i))
			return e.Value, err == nil && e.Tier == engine.Memory
		}, s.Close},
		{"its memory tier alone", func(dst []byte, i int) ([]byte, bool) {
			v, _, err := m.Get(dst, hashOf(uint32(i)))
			return v, err == nil
		}, m.Close},
		{"fastcache", func(dst []byte, i int) ([]byte, bool) { return f.HasGet(dst, d.key(i)) }, func() error { f.Reset(); return nil }},
		{"otter (no copy)", func(_ []byte, i int) ([]byte, bool) { return o.GetIfPresent(names[i]) }, func() error { o.StopAllGoroutines(); return nil }},
		{"ristretto (no copy)", func(_ []byte, i int) ([]byte, bool) { return r.Get(names[i]) }, func() error { r.Close(); return nil }},
	}, nil
}

// hitRound reads n records; rates count hits only.
func hitRound(h *hitter, d *dataset, n int) (rate, cpu, allocs, hits float64, err error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, _ := machine.ProcessUsage() // zero where the system does not tell
	start := time.Now()
	var good atomic.Int64
	err = spread(n, clients(), func(from, to int) error {
		rnd := rand.New(rand.NewPCG(uint64(from), 0))
		room := make([]byte, 0, 4096)
		found := 0
		for range to - from {
			i := rnd.IntN(d.n)
			v, ok := h.get(room, i)
			if !ok {
				continue
			}
			if len(v) != len(d.value(i)) {
				return fmt.Errorf("record %d has %d bytes instead of %d", i, len(v), len(d.value(i)))
			}
			found++
		}
		good.Add(int64(found))
		return nil
	})
	took := time.Since(start)
	usedAfter, _ := machine.ProcessUsage()
	runtime.ReadMemStats(&after)
	each := func(v float64) float64 { return v / float64(n) }
	return float64(good.Load()) / took.Seconds(), each((usedAfter.Total() - used.Total()).Seconds() * 1e9),
		each(float64(after.Mallocs - before.Mallocs)), 100 * each(float64(good.Load())), err
}
