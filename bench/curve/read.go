package curve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/engine"
)

// enough is how many gets a figure needs at least.
const enough = 1000

// sampleSize bounds how many different entries are asked for at a level.
const sampleSize = 1 << 19

// gets measures reads of either kind.
func (r *run) gets(l *Level, percent int, st *engine.Stats) (err error) {
	// Newest first: hot is what memory holds for sure, warm is what it may hold.
	hot := min(r.count, uint64(float64(r.o.Memory)/8/(r.values.mean()+200)))
	warm := min(r.count, uint64(float64(r.o.Memory)/r.values.mean()))
	if hot >= enough/10 {
		r.pulse.phase(percent, "gets from memory")
		if l.GetsMemory, err = r.memoryGets(l, hot); err != nil {
			return err
		}
	}
	// A full store has evicted the oldest. Some of those that were asked for have been kept instead of newer ones, hence not all of the
	// newest are there.
	oldest := uint64(0)
	if st.Evictions > 0 {
		oldest = r.count - min(r.count, uint64(st.Entries)*3/4)
	}
	if newest := r.count - warm; newest >= oldest+enough {
		r.pulse.phase(percent, "gets from disk")
		return r.diskGets(l, oldest, newest)
	}
	return nil
}

// memoryGets asks for the newest entries, at random, after it has asked for each once.
func (r *run) memoryGets(l *Level, hot uint64) (*Rate, error) {
	first := r.count - hot
	if _, err := r.drive(hot, func(w *worker, i uint64) error {
		_, _, err := r.get(w, first+i)
		return err
	}); err != nil {
		return nil, err
	}
	end := r.pulse.until(r.o.ReadTime)
	var others atomic.Uint64
	start := time.Now()
	h, err := r.drive(1<<62, func(w *worker, i uint64) error {
		if i%block == 0 && end() {
			return errEnough
		}
		from, took, err := r.get(w, first+rand.Uint64N(hot))
		if err != nil {
			return err
		}
		if from != engine.Memory {
			others.Add(1)
			return nil
		}
		w.latency.add(took)
		return nil
	})
	took := time.Since(start)
	if err != nil || others.Load() > h.n/10 {
		return nil, err // what memory does not keep cannot be measured there
	}
	got := rate(h, took)
	return &got, nil
}

// diskGets asks for entries from oldest on and below newest, each once.
func (r *run) diskGets(l *Level, oldest, newest uint64) error {
	numbers := sample(oldest, newest, sampleSize)
	io, ioErr := machine.ProcessIO()
	end := r.pulse.until(r.o.ReadTime)
	var misses, others atomic.Uint64
	start := time.Now()
	h, err := r.drive(uint64(len(numbers)), func(w *worker, i uint64) error {
		if i%block == 0 && i >= enough && end() { // a slow disk takes its time
			return errEnough
		}
		from, took, err := r.get(w, numbers[i])
		switch {
		case err != nil:
			return err
		case from == engine.Disk:
			w.latency.add(took)
		case from == engine.Memory:
			others.Add(1)
		default:
			misses.Add(1)
		}
		return nil
	})
	took := time.Since(start)
	if err != nil {
		return err
	}
	l.Misses = misses.Load()
	if h.n < enough/2 || others.Load() > h.n/10 {
		return nil
	}
	got := rate(h, took)
	l.GetsDisk = &got
	if now, err := machine.ProcessIO(); err == nil && ioErr == nil {
		each := float64(now.Read-io.Read) / float64(h.n)
		l.DeviceBytesPerGet = &each
	}
	return nil
}

// get asks for one entry and says where it was (0: nowhere) and how long that took. Another value than what was put is an error.
func (r *run) get(w *worker, i uint64) (engine.Tier, time.Duration, error) {
	w.key = appendKey(w.key[:0], i)
	begin := time.Now()
	e, err := r.store.Get(w.value[:0], w.key)
	took := time.Since(begin)
	if errors.Is(err, engine.ErrMiss) {
		return 0, took, nil
	}
	if err != nil {
		return 0, took, err
	}
	w.value = e.Value
	if !r.values.is(e.Value, i) {
		return 0, took, fmt.Errorf("entry %d holds another value than was put", i)
	}
	return e.Tier, took, nil
}

// sample chooses numbers from first on and below end, none twice, spread over all of them, in a random order. (An order with a
// pattern would not do: the kernel takes some for a reason to read ahead.)
func sample(first, end uint64, most int) []uint64 {
	n := end - first
	k := min(n, uint64(most))
	out := make([]uint64, k)
	for i := range k {
		from, to := first+i*n/k, first+(i+1)*n/k
		out[i] = from + rand.Uint64N(to-from)
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
