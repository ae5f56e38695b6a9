package main

import (
	"fmt"
	"time"

	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// filled is a closed store that was written by put.
type filled struct {
	name    string
	entries uint64
	sealed  int64 // bytes of its sealed records
}

// fillShare is up to where of its capacity put fills a store: nothing is evicted, so all must be readable.
const fillShare = 0.6

// put measures writing: from the first Put to the end of Close, counting only what is readable after reopening.
func (b *bench) put() error {
	var rates []float64
	for round := range b.rounds(3, 1) {
		if b.filled != nil {
			if err := b.remove(b.filled.name); err != nil {
				return err
			}
		}
		rate, f, err := b.putRound(fmt.Sprintf("put-%d", round))
		if err != nil {
			return err
		}
		b.filled = f
		rates = append(rates, rate)
	}
	b.printf("puts: %s puts/s, median of %d rounds\n", report.Count(report.Median(rates)), len(rates))
	b.sheet.Add(report.Figure{Name: "puts_per_s", Value: report.Median(rates), Unit: "puts/s", Ours: report.Count(report.Median(rates)) + " puts/s"})
	return nil
}

func (b *bench) putRound(name string) (float64, *filled, error) {
	s, err := b.open(name, b.size, b.memory)
	if err != nil {
		return 0, nil, err
	}
	enough, stop := full(s, int64(fillShare*float64(b.size)))
	defer stop()
	cpu, start := usage(), time.Now()
	n, err := b.fill(s, 0, 1<<62, appendKey, b.values, enough)
	putting := time.Since(start)
	stop()
	if err != nil {
		return 0, nil, closing(s, err)
	}
	if err := s.Sync(); err != nil {
		return 0, nil, closing(s, err)
	}
	st := s.Stats()
	if err := s.Close(); err != nil {
		return 0, nil, err
	}
	took := time.Since(start)
	each := cpuPer(cpu, n)

	if s, err = b.open(name, b.size, 0); err != nil {
		return 0, nil, err
	}
	good, err := b.readable(s, n, b.values)
	if err := closing(s, err); err != nil {
		return 0, nil, err
	}
	rate := float64(good) / took.Seconds()
	b.printf("%s puts in %.2f s and %.2f s to close; %s readable after reopening: %s puts/s; %s of processor time and %.0f bytes sealed per value of %.0f bytes\n",
		report.Count(float64(n)), putting.Seconds(), (took - putting).Seconds(), report.Count(float64(good)), report.Count(rate), each,
		float64(st.SealedBytes)/float64(n), b.values.Mean())
	if st.Evictions > 0 {
		b.printf("the store began to evict at %s of its capacity of %s: memory for its index ran out before its disk\n", report.Bytes(st.DiskBytes), report.Bytes(b.size))
	}
	if good != n {
		b.printf("of %d entries %d cannot be read: %d were evicted, %d dropped at the queue; the index held %d before closing (two with the same short hash are one to it)\n",
			n, n-good, st.Evictions, st.SpillDropped, st.Entries)
	}
	return rate, &filled{name: name, entries: n, sealed: st.SealedBytes}, nil
}

// closing closes a store that was used; err, if any, is what counts.
func closing(s *engine.Store, err error) error {
	if cerr := s.Close(); err == nil {
		return cerr
	}
	return err
}
