package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/engine"
)

const restartEntries = 10_000_000

// Restart and index are about the number of entries, so these are of eight bytes each: so small that the engine does not try to
// compress them, which would be most of the work.
func smallKey(dst []byte, i uint64) []byte { return binary.BigEndian.AppendUint64(dst, i) }

type smallValues struct{}

func (smallValues) Append(dst []byte, i uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, i*0x9e3779b97f4a7c15)
}
func (v smallValues) Is(b []byte, i uint64) bool { return bytes.Equal(b, v.Append(nil, i)) }

var small smallValues

// restart fills a store with small entries, and measures what its index takes and how long a start takes: until the first
// hit, and until the last entry is known. Its capacity is what so many entries of 4 KiB would need.
func (b *bench) restart() error {
	const n = restartEntries
	capacity := max(int64(n)*4096, b.size)
	if err := b.restartFill(n, capacity); err != nil {
		return err
	}
	var coldReady, warmReady, coldHit, warmHit []float64
	for range b.rounds(3, 1) {
		if err := machine.DropCache(filepath.Join(b.dir, "restart")); err != nil {
			return err
		}
		ready, hit, err := b.start(n, capacity)
		if err != nil {
			return err
		}
		coldReady, coldHit = append(coldReady, ready), append(coldHit, hit)
		if ready, hit, err = b.start(n, capacity); err != nil {
			return err
		}
		warmReady, warmHit = append(warmReady, ready), append(warmHit, hit)
	}
	b.printf("start with %s entries, medians of %d: files not in the page cache: first hit after %s s, all after %s s; in it: %s s, %s s\n",
		report.Count(float64(n)), len(coldReady), report.Number(report.Median(coldHit)), report.Number(report.Median(coldReady)),
		report.Number(report.Median(warmHit)), report.Number(report.Median(warmReady)))
	b.sheet.Add(report.Figure{Name: "restart_10m_entries_s", Value: report.Median(coldHit), Unit: "s",
		Ours: report.Number(report.Median(coldHit)) + " s until the first hit, keys asked for in random order, page cache dropped"})
	b.sheet.Add(report.Figure{Name: "restart_10m_complete_s", Value: report.Median(coldReady), Unit: "s",
		Ours: report.Number(report.Median(coldReady)) + " s until every entry hits, page cache dropped"})
	if err := b.restartPurge(n, capacity); err != nil {
		return err
	}
	return b.remove("restart")
}

func (b *bench) restartFill(n uint64, capacity int64) error {
	s, err := b.open("restart", capacity, 0)
	if err != nil {
		return err
	}
	// Every fill level from a tenth on is one at which a store may stay. What waits in the queue is no matter of the index, so
	// each level is looked at when nothing waits.
	const levels = 20
	var perEntry []float64
	start := time.Now()
	for k := range uint64(levels) {
		from, to := n*k/levels, n*(k+1)/levels
		if err := b.fillTagged(s, from, to-from); err != nil {
			return closing(s, err)
		}
		if err := s.Sync(); err != nil {
			return closing(s, err)
		}
		if st := s.Stats(); k >= levels/10-1 {
			perEntry = append(perEntry, float64(st.IndexBytes)/float64(st.Entries))
		}
	}
	took := time.Since(start)
	st := s.Stats()
	if err := s.Close(); err != nil {
		return err
	}
	b.printf("%s small entries put in %.1f s (%s puts/s), %.0f bytes sealed each, %d segments\n", report.Count(float64(st.Entries)), took.Seconds(),
		report.Count(float64(n)/took.Seconds()), float64(st.SealedBytes)/float64(n), st.Segments)
	if uint64(st.Entries) != n {
		b.printf("%d of them are in the index: the others fell to neighbours with the same short hash\n", st.Entries)
	}
	least, middle, most := report.Spread(perEntry)
	b.printf("index per entry at fill levels from a tenth on: %s to %s bytes, median %s\n", report.Number(least), report.Number(most), report.Number(middle))
	b.sheet.Add(report.Figure{Name: "index_bytes_per_entry", Value: most, Unit: "B",
		Ours: fmt.Sprintf("%s B at the worst fill level, median %s B, up to %s entries", report.Number(most), report.Number(middle), report.Count(float64(n)))})
	return nil
}

// start opens the store and gives the seconds until all entries are known and until the first one was found.
func (b *bench) start(n uint64, capacity int64) (ready, hit float64, err error) {
	runtime.GC() // what earlier stages left is not this one's work
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	s, err := engine.Open(filepath.Join(b.dir, "restart"), engine.Options{Key: b.root, Name: "bench", Capacity: capacity, Block: true})
	if err != nil {
		return 0, 0, err
	}
	var key, value []byte
	any := func() uint64 { return rand.Uint64N(n) }
	loading := true
	for loading && b.ctx.Err() == nil {
		select {
		case <-s.Ready():
			loading = false
		default:
			key = smallKey(key[:0], any())
			if e, err := s.Get(value[:0], key); err == nil && hit == 0 {
				hit = time.Since(begin).Seconds()
				value = e.Value
			}
			time.Sleep(time.Millisecond) // a client that asks now and then, not one that competes with the loading
		}
	}
	// Every one of these hits now, or the index is not complete.
	misses := 0
	for range 1000 {
		i := any()
		key = smallKey(key[:0], i)
		e, err := s.Get(value[:0], key)
		if err != nil || !small.Is(e.Value, i) {
			misses++
			continue
		}
		value = e.Value
		if hit == 0 {
			hit = time.Since(begin).Seconds()
		}
		if ready == 0 {
			ready = time.Since(begin).Seconds()
		}
	}
	if misses > 10 { // neighbours with the same short hash are few
		return 0, 0, closing(s, fmt.Errorf("%d of 1000 entries are missing after a start", misses))
	}
	runtime.GC()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	b.printf("start: first hit after %.3f s, all entries after %.3f s; %.1f bytes of heap per entry\n", hit, ready,
		float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(n))
	return ready, hit, closing(s, b.ctx.Err())
}
