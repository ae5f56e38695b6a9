package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// source gives a value for every number, and knows it again.
type source interface {
	Append(dst []byte, i uint64) []byte
	Is(v []byte, i uint64) bool
}

// lifetime is how long entries live: a usual TTL, and longer than any run.
const lifetime = time.Hour

// clients is how many goroutines write, and read where nothing else is said.
func clients() int { return 4 * runtime.GOMAXPROCS(0) }

// open opens a store and waits for its index.
func (b *bench) open(name string, capacity, memory int64) (*engine.Store, error) {
	s, err := engine.Open(filepath.Join(b.dir, name), engine.Options{
		Key: b.root, Name: "bench", Capacity: capacity, Memory: memory, Block: true,
		Report: func(event, file string, err error) {
			fmt.Fprintf(os.Stderr, "bench/engine: %s: %s: %v\n", event, file, err)
		},
	})
	if err != nil {
		return nil, err
	}
	<-s.Ready()
	return s, nil
}

func (b *bench) remove(name string) error { return os.RemoveAll(filepath.Join(b.dir, name)) }

// appendKey appends the key of number i, about as long as a gateway's.
func appendKey(dst []byte, i uint64) []byte {
	dst = append(dst, "GET\x00https\x00api.example.com\x00/prod/products/"...)
	const hex = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hex[i>>shift&15])
	}
	return dst
}

// block is how many numbers a worker takes at a time.
const block = 64

// drive hands out the numbers from first to first+n-1 to workers until they are used up, more says no, an error occurs, or the run
// is interrupted. It returns how many numbers were done. do gets the worker's number too, for buffers of its own.
func (b *bench) drive(workers int, first, n uint64, more func() bool, do func(worker int, i uint64) error) (uint64, error) {
	var next, done atomic.Uint64
	var failed atomic.Bool
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for !failed.Load() && b.ctx.Err() == nil && (more == nil || more()) {
				from := next.Add(block) - block
				if from >= n {
					return
				}
				to := min(from+block, n)
				for i := from; i < to; i++ {
					if errs[w] = do(w, first+i); errs[w] != nil {
						failed.Store(true)
						return
					}
				}
				done.Add(to - from)
			}
		})
	}
	wg.Wait()
	return done.Load(), errors.Join(append(errs, b.ctx.Err())...)
}

// cpuPer is the processor time of this process since a reading of it, per operation: what other programs on the machine
// disturb least.
func cpuPer(since machine.Usage, n uint64) string {
	now, err := machine.ProcessUsage()
	if err != nil || n == 0 {
		return "unknown"
	}
	return report.Number(float64(now.Total()-since.Total())/float64(time.Microsecond)/float64(n)) + " us"
}

func usage() machine.Usage {
	u, _ := machine.ProcessUsage() // cpuPer tells
	return u
}

// fill puts the values of the numbers from first on until enough says so; at most n. A put is a lease for a refresh, so that no
// look for an older version is part of it, and Put.
func (b *bench) fill(s *engine.Store, first, n uint64, key func([]byte, uint64) []byte, src source, enough func() bool) (uint64, error) {
	workers := clients()
	keys, vals := make([][]byte, workers), make([][]byte, workers)
	return b.drive(workers, first, n, func() bool { return !enough() }, func(w int, i uint64) error {
		keys[w] = key(keys[w][:0], i)
		vals[w] = src.Append(vals[w][:0], i)
		l, err := s.Lease(b.ctx, keys[w], engine.LeaseOptions{Refresh: true})
		if err != nil {
			return err
		}
		return l.Put(vals[w], engine.Meta{TTL: lifetime})
	})
}

// full tells whether the store has come to so many bytes on disk, or has begun to evict before that.
func full(s *engine.Store, bytes int64) (enough func() bool, stop func()) {
	return watch(func() bool {
		st := s.Stats()
		return st.DiskBytes >= bytes || st.Evictions > 0
	})
}

// watch asks a question that is too dear to be asked often, and remembers that it was true. stop ends the asking.
func watch(question func() bool) (enough func() bool, stop func()) {
	var yes atomic.Bool
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if question() {
					yes.Store(true)
					return
				}
			case <-end:
				return
			}
		}
	}()
	return yes.Load, sync.OnceFunc(func() { close(end); <-ended })
}

// tooManyMisses tells a store that has lost entries from one in which, as the index allows, one of two neighbours with the same short
// hash is a miss: that takes a few of millions.
func tooManyMisses(misses, reads uint64) error {
	if misses*10_000 > reads {
		return fmt.Errorf("%d of %d reads missed", misses, reads)
	}
	return nil
}

// readable counts the numbers below n whose value is there and is the right one.
func (b *bench) readable(s *engine.Store, n uint64, src source) (uint64, error) {
	workers := clients()
	keys, vals := make([][]byte, workers), make([][]byte, workers)
	var good atomic.Uint64
	_, err := b.drive(workers, 0, n, nil, func(w int, i uint64) error {
		keys[w] = appendKey(keys[w][:0], i)
		e, err := s.Get(vals[w][:0], keys[w])
		if errors.Is(err, engine.ErrMiss) {
			return nil
		}
		if err != nil {
			return err
		}
		if !src.Is(e.Value, i) {
			return fmt.Errorf("entry %d holds another value", i)
		}
		vals[w] = e.Value
		good.Add(1)
		return nil
	})
	return good.Load(), err
}
