package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// warm measures reads from files that are in the page cache, without a memory tier.
func (b *bench) warm() error {
	s, err := b.open(b.filled.name, b.size, 0)
	if err != nil {
		return err
	}
	return closing(s, b.warmRounds(s))
}

func (b *bench) warmRounds(s *engine.Store) error {
	n := b.filled.entries
	if _, err := b.readable(s, n, b.values); err != nil { // brings all pages in
		return err
	}
	var rates []float64
	cpu, first := usage(), s.Stats().DiskHits
	for range b.rounds(5, 3) {
		before := s.Stats()
		io, err := machine.ProcessIO()
		if err != nil {
			return err
		}
		rate, err := b.getRound(s, clients(), b.rounds(4, 2), n)
		if err != nil {
			return err
		}
		after := s.Stats()
		ioAfter, err := machine.ProcessIO()
		if err != nil {
			return err
		}
		if err := tooManyMisses(after.Misses-before.Misses, after.DiskHits-before.DiskHits); err != nil {
			return err
		}
		if read := ioAfter.Read - io.Read; read > 1<<20 {
			b.printf("not all warm: %s came from the device\n", report.Bytes(read))
		}
		rates = append(rates, rate)
	}
	least, middle, most := report.Spread(rates)
	b.printf("warm disk reads: %s gets/s, median of %d rounds (%s to %s), %d at a time; %s of processor time each\n",
		report.Count(middle), len(rates), report.Count(least), report.Count(most), clients(), cpuPer(cpu, s.Stats().DiskHits-first))
	b.sheet.Add(report.Figure{Name: "gets_warm_per_s", Value: middle, Unit: "gets/s", Ours: report.Count(middle) + " gets/s"})
	return nil
}

// getRound reads random numbers below n for some seconds.
func (b *bench) getRound(s *engine.Store, workers, seconds int, n uint64) (float64, error) {
	keys, vals, random := make([][]byte, workers), make([][]byte, workers), make([]*rand.PCG, workers)
	for w := range random {
		random[w] = rand.NewPCG(uint64(w), uint64(time.Now().UnixNano()))
	}
	var over atomic.Bool
	timer := time.AfterFunc(time.Duration(seconds)*time.Second, func() { over.Store(true) })
	defer timer.Stop()
	start := time.Now()
	done, err := b.drive(workers, 0, 1<<62, func() bool { return !over.Load() }, func(w int, _ uint64) error {
		i := random[w].Uint64() % n
		keys[w] = appendKey(keys[w][:0], i)
		e, err := s.Get(vals[w][:0], keys[w])
		switch {
		case err == nil:
			vals[w] = e.Value
		case !errors.Is(err, engine.ErrMiss): // misses are the caller's to judge
			return fmt.Errorf("entry %d: %w", i, err)
		}
		return nil
	})
	return float64(done) / time.Since(start).Seconds(), err
}

// inFlight is how many cold reads run at a time.
const inFlight = 64

// cold measures reads that reach the device, in turns with raw ones of the same files. The page cache is dropped before each
// turn (posix_fadvise DONTNEED), and /proc/self/io must show that the device was asked. The raw side reads as many bytes as
// a sealed record has at random places, once through the page cache and once past it (O_DIRECT); the faster one counts. Raw
// reads get a Go processor each: with fewer, Go's scheduler would be measured and not the device, for a goroutine in a
// blocking read keeps its processor for a while.
func (b *bench) cold() error {
	s, err := b.open(b.filled.name, b.size, b.memory)
	if err != nil {
		return err
	}
	return closing(s, b.coldRounds(s))
}

func (b *bench) coldRounds(s *engine.Store) error {
	f := b.filled
	dir := filepath.Join(b.dir, f.name)
	// Few reads for the number of pages, so that hardly one finds its page read already.
	reads := max(uint64(f.sealed)/4096/10, inFlight*block)
	raw, err := openRaw(dir, int(f.sealed/int64(f.entries)))
	if err != nil {
		return err
	}
	defer raw.close()
	var cached, direct report.Rounds
	var cost, rawCost []float64 // processor time of a read, in us
	keys := newOrder(f.entries)
	for range b.rounds(9, 9) {
		ours, used, err := b.turn(dir, reads, raw.size, "ours", func() error { return b.coldGets(s, keys, reads) })
		if err != nil {
			return err
		}
		cost = append(cost, used)
		theirs, _, err := b.turn(dir, reads, raw.size, "raw pread", func() error { return b.rawReads(reads, raw.cached) })
		if err != nil {
			return err
		}
		cached.Add(ours, theirs)
		if theirs, used, err = b.turn(dir, reads, raw.size, "raw pread, O_DIRECT", func() error { return b.rawReads(reads, raw.direct) }); err != nil {
			return err
		}
		direct.Add(ours, theirs)
		rawCost = append(rawCost, used)
	}
	best, how := cached, "raw pread through the page cache"
	if report.Median(direct.Theirs) > report.Median(cached.Theirs) {
		best, how = direct, "raw pread with O_DIRECT"
	}
	least, middle, most := report.Spread(best.Pairs())
	b.printf("cold reads, %d in flight, %d times %d a turn: ours %s gets/s, %s us of processor time each; raw pread of %d bytes of the same files %s/s through the page cache, %s/s with O_DIRECT, %s us each\n",
		inFlight, passes, reads, report.Count(report.Median(best.Ours)), report.Number(report.Median(cost)), raw.size,
		report.Count(report.Median(cached.Theirs)), report.Count(report.Median(direct.Theirs)), report.Number(report.Median(rawCost)))
	b.printf("round by round against %s: %s (%s to %s)\n", how, report.Number(middle), report.Number(least), report.Number(most))
	b.sheet.Add(report.Figure{Name: "get_cold_vs_device", Value: best.Ratio(), Unit: "x",
		Ours: report.Count(report.Median(best.Ours)) + " gets/s", Theirs: report.Count(report.Median(best.Theirs)) + " reads/s, " + how})
	return nil
}

// passes is how often a turn drops the page cache and reads: a pass of few reads is over in a tenth of a second.
const passes = 4

// turn drops the page cache and runs one side, passes times, and gives its rate and the processor time of a read in us.
func (b *bench) turn(dir string, reads uint64, size int, who string, side func() error) (rate, cost float64, err error) {
	var took, used time.Duration
	var read int64
	for range passes {
		if err := machine.DropCache(dir); err != nil {
			return 0, 0, err
		}
		before, err := machine.ProcessIO()
		if err != nil {
			return 0, 0, err
		}
		cpu, start := usage(), time.Now()
		if err := side(); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", who, err)
		}
		took += time.Since(start)
		used += usage().Total() - cpu.Total()
		after, err := machine.ProcessIO()
		if err != nil {
			return 0, 0, err
		}
		read += after.Read - before.Read
	}
	n := float64(passes * reads)
	// A read of one page, sometimes of two, a few that another has brought in already. Anything else is a cache that was not
	// dropped, or reading ahead.
	if perRead := float64(read) / n; perRead < 3500 || perRead > float64(2*4096+size) {
		b.printf("%s: %.0f bytes came from the device per read: this turn was not what it should be\n", who, perRead)
	}
	return n / took.Seconds(), float64(used.Nanoseconds()) / 1000 / n, nil
}

func (b *bench) coldGets(s *engine.Store, order *order, reads uint64) error {
	keys, vals := make([][]byte, inFlight), make([][]byte, inFlight)
	before := s.Stats()
	_, err := b.drive(inFlight, 0, reads, nil, func(w int, _ uint64) error {
		i := order.next()
		keys[w] = appendKey(keys[w][:0], i)
		e, err := s.Get(vals[w][:0], keys[w])
		switch {
		case err == nil:
			vals[w] = e.Value
		case !errors.Is(err, engine.ErrMiss): // misses are the caller's to judge
			return fmt.Errorf("entry %d: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	after := s.Stats()
	if after.MemoryHits != before.MemoryHits {
		return fmt.Errorf("%d reads were answered from memory", after.MemoryHits-before.MemoryHits)
	}
	return tooManyMisses(after.Misses-before.Misses, reads)
}

func (b *bench) rawReads(reads uint64, read func(worker int, random *rand.Rand) error) error {
	random := make([]*rand.Rand, inFlight)
	for w := range random {
		random[w] = rand.New(rand.NewPCG(uint64(w), uint64(time.Now().UnixNano())))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(inFlight, runtime.GOMAXPROCS(0))))
	_, err := b.drive(inFlight, 0, reads, nil, func(w int, _ uint64) error { return read(w, random[w]) })
	return err
}

// raw reads the files of a store without the store.
type raw struct {
	size    int // bytes of a read
	files   []*os.File
	ends    []int64 // where each file ends if all are put one behind the other
	directs []*os.File
	buffers [][]byte // aligned, one per worker
}

func openRaw(dir string, size int) (*raw, error) {
	names, err := machine.Files(dir)
	if err != nil {
		return nil, err
	}
	r := &raw{size: size}
	var end int64
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			r.close()
			return nil, err
		}
		if info.Size() < 1<<20 {
			continue // keys, locks, lists
		}
		f, err := os.Open(name)
		if err != nil {
			r.close()
			return nil, err
		}
		r.files = append(r.files, f)
		d, err := machine.OpenDirect(name)
		if err != nil {
			r.close()
			return nil, fmt.Errorf("open %s past the page cache: %w", name, err)
		}
		r.directs = append(r.directs, d)
		end += info.Size() - int64(size)
		r.ends = append(r.ends, end)
	}
	for range inFlight {
		room, err := machine.AlignedBuffer((size/4096 + 2) * 4096)
		if err != nil {
			r.close()
			return nil, err
		}
		r.buffers = append(r.buffers, room)
	}
	return r, nil
}

func (r *raw) close() {
	for _, f := range append(r.files, r.directs...) {
		f.Close()
	}
}

// where chooses a file and an offset.
func (r *raw) where(random *rand.Rand) (int, int64) {
	at := random.Int64N(r.ends[len(r.ends)-1])
	for i, end := range r.ends {
		if at < end {
			if i > 0 {
				at -= r.ends[i-1]
			}
			return i, at
		}
	}
	return 0, 0
}

func (r *raw) cached(w int, random *rand.Rand) error {
	i, at := r.where(random)
	_, err := r.files[i].ReadAt(r.buffers[w][:r.size], at)
	return err
}

// direct reads the pages that hold the bytes. The last page of a file may be short.
func (r *raw) direct(w int, random *rand.Rand) error {
	i, at := r.where(random)
	from, to := at&^4095, (at+int64(r.size)+4095)&^4095
	n, err := r.directs[i].ReadAt(r.buffers[w][:to-from], from)
	if int64(n) >= at+int64(r.size)-from {
		return nil
	}
	return err
}

// order names the numbers below n in a random order, and none twice before it has named all. (An order with a pattern would not
// do: the kernel takes some for a reason to read ahead.)
type order struct {
	perm  []int
	count atomic.Uint64
}

func newOrder(n uint64) *order {
	return &order{perm: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), n)).Perm(int(n))}
}

func (o *order) next() uint64 { return uint64(o.perm[(o.count.Add(1)-1)%uint64(len(o.perm))]) }
