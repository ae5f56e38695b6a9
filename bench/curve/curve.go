package curve

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/internal/vfs"
)

// lifetime is longer than any run: nothing expires.
const lifetime = 24 * time.Hour

// keyFile holds the root key, so that a folder that is kept can be verified and served.
const keyFile = "root.key"

// run is what the parts of a run share.
type run struct {
	ctx    context.Context
	o      Options
	values payload
	dir    string // of the store
	store  *engine.Store

	count    uint64  // numbers put so far: the keys are those below it
	perEntry float64 // bytes committed per entry, by what was put last
	pulse    pulse

	// At the end of the level before. (The store evicts and moves on its own too, during the gets.)
	last    engine.Stats
	written int64 // by this process, as the system counts
}

// Run measures in a folder. An error, such as that of ctx, comes with a Result that holds the levels that were finished.
// The store stays in the folder: Folder.Remove removes it.
func Run(ctx context.Context, f *Folder, o Options) (*Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := f.Room(o.Need()); err != nil {
		return nil, err
	}
	values, err := o.payload()
	if err != nil {
		return nil, err
	}
	key := crypto.NewRootKey()
	if err := crypto.CreateKeyFile(filepath.Join(f.Path, keyFile), key); err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, o: o, values: values, dir: filepath.Join(f.Path, "stages", "bench")}
	r.store, err = engine.Open(r.dir, engine.Options{
		Key: key, Name: "bench", Capacity: o.Size, Memory: o.Memory, InFlight: engine.MaxInFlight(o.Memory), // as serve opens it
		Block: true, MaxObject: largest(o.Size), Report: o.Report,
	})
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	result := &Result{Date: begin.UTC().Truncate(time.Second), Machine: machine.Describe(), FileSystem: f.FileSystem, SizeBytes: o.Size,
		MemoryBytes: o.Memory, Values: values.src.Name, ValueBytes: values.mean(), Workers: o.Workers, Encrypt: !o.Plain, Levels: []Level{}}
	tell, stop := r.pulse.start(o.Progress)
	r.o.Progress = tell
	err = r.climb(result)
	stop()
	result.Seconds = time.Since(begin).Seconds()
	result.Interrupted = len(result.Levels) < len(o.Levels)
	return result, errors.Join(err, r.store.Close())
}

// largest is the largest value a store of this size takes.
func largest(size int64) int { return int(min(size/8, 16e6)) }

// climb goes from level to level.
func (r *run) climb(result *Result) error {
	// A few entries tell how large one is on the disk, and open the files.
	few := min(max(uint64(float64(r.o.Size)/500/r.values.mean()), 16), 2000)
	if _, err := r.fill(few); err != nil {
		return err
	}
	r.last = r.store.Stats()
	if io, err := machine.ProcessIO(); err == nil {
		r.written = io.Written
	}
	for _, percent := range r.o.Levels {
		l, err := r.level(percent)
		if err != nil {
			return err
		}
		result.Levels = append(result.Levels, l)
		r.o.Progress(Progress{Percent: percent, Phase: "done", Share: 1, Level: &l})
	}
	return nil
}

// level fills the store up to a level and measures there.
func (r *run) level(percent int) (l Level, err error) {
	missing := float64(r.o.Size)*float64(percent)/100 - float64(r.store.Stats().WrittenBytes)
	r.pulse.phase(percent, "puts")
	if l.Puts, err = r.fill(uint64(max(missing/r.perEntry, 1))); err != nil {
		return l, err
	}
	after := r.store.Stats()
	l.Percent = 100 * float64(after.WrittenBytes) / float64(r.o.Size)
	if !r.o.WriteOnly {
		if err := r.gets(&l, percent, &after); err != nil {
			return l, err
		}
	}
	last := r.store.Stats()
	l.SealedBytes, l.Evictions = last.SealedBytes-r.last.SealedBytes, last.Evictions-r.last.Evictions
	if io, err := machine.ProcessIO(); err == nil && l.SealedBytes > 0 {
		written := io.Written - r.written
		amplification := float64(written) / float64(l.SealedBytes)
		l.WrittenBytes, l.WriteAmplification = &written, &amplification
		r.written = io.Written
	}
	r.last = last
	l.Entries, l.IndexBytes, l.StoreBytes = last.Entries, last.IndexBytes, last.MemoryBytes
	l.DiskBytes = vfs.TreeUsage(vfs.OS, r.dir)
	if resident, err := machine.Resident(); err == nil {
		l.ResidentBytes = &resident
	}
	return l, nil
}

// fill puts n more entries, and returns when they are on the disk. A put is a lease for a refresh, so that no look for an older
// version is part of it, and Put.
func (r *run) fill(n uint64) (Rate, error) {
	r.pulse.goal(n)
	first, written := r.count, r.store.Stats().WrittenBytes
	start := time.Now()
	h, err := r.drive(n, func(w *worker, i uint64) error {
		w.key = appendKey(w.key[:0], first+i)
		w.value = r.values.append(w.value[:0], first+i)
		begin := time.Now()
		l, err := r.store.Lease(r.ctx, w.key, engine.LeaseOptions{Refresh: true})
		if err != nil {
			return err
		}
		if err := l.Put(w.value, engine.Meta{TTL: lifetime, Plain: r.o.Plain}); err != nil {
			return fmt.Errorf("put a value of %d bytes: %w", len(w.value), err)
		}
		w.latency.add(time.Since(begin))
		return nil
	})
	if err != nil {
		return Rate{}, err
	}
	if err := r.store.Sync(); err != nil {
		return Rate{}, fmt.Errorf("write to disk: %w", err)
	}
	took := time.Since(start)
	r.count += n
	st := r.store.Stats()
	if st.SpillDropped > 0 {
		return Rate{}, fmt.Errorf("the store dropped %d entries on their way to the disk", st.SpillDropped)
	}
	r.perEntry = float64(st.WrittenBytes-written) / float64(n)
	return rate(h, took), nil
}

// worker is one goroutine's own.
type worker struct {
	key, value []byte
	latency    histogram
}

// block is how many numbers a worker takes at a time.
const block = 16

// errEnough ends a drive early, as intended.
var errEnough = errors.New("enough")

// drive hands out the numbers below n to the workers, until they are used up, an error occurs (errEnough is none), or the run is
// interrupted.
func (r *run) drive(n uint64, do func(w *worker, i uint64) error) (*histogram, error) {
	var next atomic.Uint64
	var over atomic.Bool
	workers, errs := make([]worker, r.o.Workers), make([]error, r.o.Workers)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for !over.Load() && r.ctx.Err() == nil {
				from := next.Add(block) - block
				if from >= n {
					return
				}
				to := min(from+block, n)
				for i := from; i < to; i++ {
					if errs[k] = do(&workers[k], i); errs[k] != nil {
						over.Store(true)
						return
					}
				}
				r.pulse.done.Add(to - from)
			}
		})
	}
	wg.Wait()
	total := &workers[0].latency
	for k := range workers {
		if k > 0 {
			total.merge(&workers[k].latency)
		}
		if errors.Is(errs[k], errEnough) {
			errs[k] = nil
		}
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err // what it made fail is no news
	}
	return total, errors.Join(errs...)
}
