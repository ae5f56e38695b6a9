package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/report"
	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/internal/collector"
)

// What serve grants itself beside its stores (cli/memory.go).
const (
	heapBase    = 16 << 20
	garbageBase = 4 << 20
)

// The resident set is measured in a process of its own, which does nothing else: the store's configured memory beside what the
// process holds of memory that only it can have (RssAnon). What is mapped from files does not count: those are pages of
// the active segments that bbolt has mapped, which the system takes back when it needs them, as it does with all of its page cache.

const residentRole = "resident"

// residentLoad is one measurement. Sizes of values are spread evenly by their logarithm, so that most entries are small and most bytes
// are in large ones.
type residentLoad struct {
	Dir         string
	Memory      int64 // configured
	Least, Most int   // bytes of a value
	Volume      int64 // bytes of values to put
	Block       bool  // Options.Block
	Limit       bool  // the process holds its heap and its garbage to Options, as serve does
}

// residentResult is what came of it, in bytes.
type residentResult struct {
	Base, Peak  int64 // RssAnon before the store was opened, and at its highest
	Puts, Gets  int64
	MemoryBytes int64 // what the store says of itself at the end
	MemoryHits  uint64
}

func (r *residentResult) share(memory int64) float64 { return float64(r.Peak-r.Base) / float64(memory) }

// residentSizes are the least memory, a usual one and a large one.
var residentSizes = []int64{engine.MinMemory, 256_000_000, 1_000_000_000}

// resident measures the resident set.
func (b *bench) resident() error {
	sizes := residentSizes
	if b.short {
		sizes = sizes[:1]
	}
	if b.memory > 0 {
		sizes = []int64{b.memory}
	}
	var worst report.Figure
	for _, memory := range sizes {
		for _, l := range residentLoads(memory) {
			l.Dir = filepath.Join(b.dir, "resident")
			r, err := measureResident(l)
			if errors.Is(err, errors.ErrUnsupported) {
				b.printf("not measured: %v\n", err)
				return nil
			}
			if err != nil {
				return err
			}
			b.printf("memory %s, values of %d to %d bytes: %s resident above the process's own %s (%.2f of what is configured); %s puts, %s gets, %s hits in memory; the store counts %s\n",
				report.Bytes(memory), l.Least, l.Most, report.Bytes(r.Peak-r.Base), report.Bytes(r.Base), r.share(memory),
				report.Count(float64(r.Puts)), report.Count(float64(r.Gets)), report.Count(float64(r.MemoryHits)), report.Bytes(r.MemoryBytes))
			if v := r.share(memory); v > worst.Value {
				worst = report.Figure{Name: "resident_vs_configured", Value: v, Unit: "x",
					Ours:   fmt.Sprintf("%s resident, values of %d to %d bytes", report.Bytes(r.Peak-r.Base), l.Least, l.Most),
					Theirs: report.Bytes(memory) + " configured"}
			}
			if err := b.remove("resident"); err != nil {
				return err
			}
		}
	}
	b.sheet.Add(worst)
	return nil
}

func residentLoads(memory int64) []residentLoad {
	return []residentLoad{
		{Memory: memory, Least: 30, Most: 64 << 10, Volume: 3 * memory, Limit: true},
		{Memory: memory, Least: 100, Most: 300, Volume: memory / 2, Limit: true},
	}
}

func measureResident(l residentLoad) (r residentResult, err error) {
	if _, err := anonymous(); err != nil {
		return r, err
	}
	c, err := child.Start(residentRole, nil, l, nil)
	if err != nil {
		return r, err
	}
	err = c.Ask("run", nil, &r)
	return r, errors.Join(err, c.Close())
}

// serveResident is the child's life.
func serveResident() error {
	return child.Serve(func(setup json.RawMessage) (any, child.Answer, func() error, error) {
		var l residentLoad
		if err := json.Unmarshal(setup, &l); err != nil {
			return nil, nil, nil, err
		}
		answer := func(string, json.RawMessage) (any, error) { return l.run() }
		return nil, answer, func() error { return nil }, nil
	})
}

// run first works with a small store without memory, which takes what a process needs once, however much memory stores have:
// tables of the compressor, stacks, buffers.
func (l *residentLoad) run() (r residentResult, err error) {
	root := crypto.NewRootKey()
	small := *l
	small.Memory, small.Block, small.Limit = 0, true, false
	if err := small.fill(root, "base", 20_000_000, &r); err != nil {
		return r, err
	}
	debug.FreeOSMemory()
	if r.Base, err = anonymous(); err != nil {
		return r, err
	}
	base := r.Base
	r = residentResult{Base: base}
	return r, l.fill(root, "store", l.Volume, &r)
}

// fill puts and gets at the same time until so many bytes are written.
func (l *residentLoad) fill(root *crypto.RootKey, name string, volume int64, r *residentResult) error {
	o := engine.Options{Key: root, Capacity: max(200_000_000, 2*l.Memory), Memory: l.Memory, Block: l.Block}
	if l.Limit {
		k := collector.Start(func() (heap, garbage int64) { return heapBase + o.Heap(), garbageBase + o.Garbage() })
		defer k.Stop()
	}
	s, err := engine.Open(filepath.Join(l.Dir, name), o)
	if err != nil {
		return err
	}
	var written, puts, gets atomic.Int64
	var peak atomic.Int64
	workers := clients()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = l.work(s, w, volume, &written, &puts, &gets, &peak) })
	}
	wg.Wait()
	st := s.Stats()
	r.Puts, r.Gets, r.Peak = puts.Load(), gets.Load(), peak.Load()
	r.MemoryBytes, r.MemoryHits = st.MemoryBytes, st.MemoryHits
	return errors.Join(append(errs, s.Close())...)
}

// work is what one of many clients does: for each put three gets, mostly of what is recent.
func (l *residentLoad) work(s *engine.Store, w int, volume int64, written, puts, gets, peak *atomic.Int64) error {
	r := rand.New(rand.NewPCG(uint64(w), 9))
	noise := make([]byte, 2*l.Most)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var key, room []byte
	for n := uint64(0); written.Load() < volume; n++ {
		size := int(float64(l.Least) * math.Pow(float64(l.Most)/float64(l.Least), r.Float64()))
		key = appendKey(key[:0], n<<8|uint64(w))
		lease, err := s.Lease(context.Background(), key, engine.LeaseOptions{Refresh: true})
		if err != nil {
			return err
		}
		if err := lease.Put(noise[r.IntN(l.Most):][:size], engine.Meta{TTL: lifetime, Path: "/products", Tags: []string{"all"}}); err != nil {
			return err
		}
		written.Add(int64(size))
		puts.Add(1)
		for range 3 {
			back := uint64(float64(n+1) * math.Pow(r.Float64(), 4))
			key = appendKey(key[:0], (n-min(back, n))<<8|uint64(w))
			e, err := s.Get(room[:0], key)
			if err == nil {
				room = e.Value
			} else if !errors.Is(err, engine.ErrMiss) {
				return err
			}
			gets.Add(1)
		}
		if n%512 == 0 {
			v, err := anonymous()
			if err != nil {
				return err
			}
			for was := peak.Load(); v > was && !peak.CompareAndSwap(was, v); was = peak.Load() {
			}
		}
	}
	return nil
}

// anonymous is how much memory this process holds that is no file's.
func anonymous() (int64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("the resident set: %w: %w", errors.ErrUnsupported, err)
	}
	for line := range bytes.Lines(data) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "RssAnon:" {
			kb, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("the resident set: %w: no RssAnon in /proc/self/status", errors.ErrUnsupported)
}
