package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
)

// diskRun fills and reads every rival with one dataset.
type diskRun struct {
	*bench
	d       *dataset
	rivals  []*rival
	results map[string]*result
}

// result is what the rounds of one rival gave.
type result struct {
	puts, gets       []float64 // per second, one for each round
	putCPU, getCPU   []float64 // microseconds of processor time for each
	stored, readable int       // records of the last round
	lost             int       // records of all rounds that were not readable after reopening
	written, disk    float64   // bytes written and left on disk, for each byte of keys and values
}

// clients is how many goroutines write and read.
func clients() int { return 4 * runtime.GOMAXPROCS(0) }

func (b *bench) disk() error {
	for _, src := range b.sources {
		n := int(float64(b.bytes) / (src.Mean() + keySize))
		r := &diskRun{bench: b, d: newDataset(n, src), rivals: b.chosen(), results: make(map[string]*result)}
		if err := r.run(); err != nil {
			return err
		}
		r.report()
		b.compare(src, r.results)
	}
	return nil
}

func (r *diskRun) run() error {
	r.printf("\n== disk: %s, %d records, keys and values %.0f MB, zstd alone makes %.0f %% of them; %d goroutines, %d rounds\n",
		r.d.name, r.d.n, float64(r.d.bytes)/1e6, 100*r.d.packing(), clients(), r.rounds)
	for round := range r.rounds {
		r.printf("round %d\n", round+1)
		for k := range r.rivals {
			v := r.rivals[(k+round)%len(r.rivals)] // each one comes first once in a while
			if err := r.round(v); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	return nil
}

// round fills a fresh store, closes it, reads all of it, then reads at random.
func (r *diskRun) round(v *rival) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(r.dir, "rival-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := r.d
	if v.share > 1 {
		d = d.first(d.n / v.share)
	}
	res := r.results[v.name]
	if res == nil {
		res = &result{}
		r.results[v.name] = res
	}
	debug.FreeOSMemory() // what the rival before left is not this one's to clean up
	if err := r.fill(v, d, dir, res); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := r.read(v, d, dir, res); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	r.printf("  %s: %s puts/s, %s gets/s\n", v.name, report.Count(res.puts[len(res.puts)-1]), report.Count(res.gets[len(res.gets)-1]))
	return nil
}

// fill times from the first put until the store is closed and everything it left in its files is on the disk, and then counts
// what can be read again.
func (r *diskRun) fill(v *rival, d *dataset, dir string, res *result) error {
	s := v.new()
	if err := s.open(dir); err != nil {
		return err
	}
	stop, err := r.profile("put", v.name)
	if err != nil {
		return err
	}
	before, _ := machine.ProcessIO() // zero where the system does not tell
	cpu, _ := machine.ProcessUsage()
	start := time.Now()
	err = s.put(d, clients())
	if err = errors.Join(err, s.close(), syncFiles(dir)); err != nil {
		return err
	}
	took := time.Since(start)
	cpuAfter, _ := machine.ProcessUsage()
	after, _ := machine.ProcessIO()
	if err := stop(); err != nil {
		return err
	}
	s = v.new()
	if err := s.open(dir); err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	good, err := verify(s, d)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	res.stored, res.readable = d.n, good
	res.lost += d.n - good
	res.puts = append(res.puts, float64(good)/took.Seconds())
	res.putCPU = append(res.putCPU, (cpuAfter.Total()-cpu.Total()).Seconds()*1e6/float64(d.n))
	res.written = float64(after.Written-before.Written) / float64(d.bytes)
	res.disk = float64(diskUsage(dir)) / float64(d.bytes)
	return nil
}

// read times random gets of what is there. The store has just been read from end to end, so its files are in the page cache.
func (r *diskRun) read(v *rival, d *dataset, dir string, res *result) error {
	s := v.new()
	if err := s.open(dir); err != nil {
		return err
	}
	defer s.close() // nothing was written
	if _, err := verify(s, d.first(min(d.n, r.gets))); err != nil {
		return err
	}
	stop, err := r.profile("get", v.name)
	if err != nil {
		return err
	}
	cpu, _ := machine.ProcessUsage()
	start := time.Now()
	var good atomic.Int64
	err = spread(r.gets, clients(), func(from, to int) error {
		rnd := rand.New(rand.NewPCG(uint64(from), 0))
		var room []byte
		n := 0
		for range to - from {
			i := rnd.IntN(d.n)
			v, err := s.get(room[:0], d.key(i))
			switch {
			case errors.Is(err, errMissing):
			case err != nil:
				return err
			case !d.right(i, v):
				return fmt.Errorf("record %d holds another value", i)
			default:
				n++
			}
			room = v
		}
		good.Add(int64(n))
		return nil
	})
	took := time.Since(start)
	cpuAfter, _ := machine.ProcessUsage()
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	res.gets = append(res.gets, float64(good.Load())/took.Seconds())
	res.getCPU = append(res.getCPU, (cpuAfter.Total()-cpu.Total()).Seconds()*1e6/float64(r.gets))
	return nil
}

// verify counts the records that are there; one with another value is an error.
func verify(s store, d *dataset) (int, error) {
	var good atomic.Int64
	err := spread(d.n, clients(), func(from, to int) error {
		var room []byte
		for i := from; i < to; i++ {
			v, err := s.get(room[:0], d.key(i))
			switch {
			case errors.Is(err, errMissing):
			case err != nil:
				return err
			case !d.right(i, v):
				return fmt.Errorf("record %d holds another value", i)
			default:
				good.Add(1)
			}
			room = v
		}
		return nil
	})
	return int(good.Load()), err
}

// syncFiles makes what a store left in the page cache part of its time.
func syncFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// compare makes the figures, from the values that every run has: those of 1 KiB.
func (b *bench) compare(src *values.Source, results map[string]*result) {
	ours, theirs := results[oursName], results[badgerName]
	if ours == nil || theirs == nil {
		return
	}
	b.line(src, "put_vs_badger", "puts/s", ours.puts, theirs.puts)
	b.line(src, "get_warm_vs_badger", "gets/s", ours.gets, theirs.gets)
}
