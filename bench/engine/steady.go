package main

import (
	"fmt"
	"path/filepath"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/engine"
	"stagecache/internal/vfs"
)

// steady fills a store to its capacity, then writes several times the capacity more: the rate must not fall, and what
// reaches the disk beyond the sealed records is the write amplification. At the end it flushes the full store.
func (b *bench) steady() error {
	s, err := b.open("steady", b.size, b.memory)
	if err != nil {
		return err
	}
	if err := b.steadyRounds(s); err != nil {
		return closing(s, err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	return b.remove("steady")
}

func (b *bench) steadyRounds(s *engine.Store) error {
	enough, stop := watch(func() bool { return s.Stats().Evictions > 0 })
	defer stop()
	start := time.Now()
	n, err := b.fill(s, 0, 1<<62, appendKey, b.values, enough)
	if err != nil {
		return err
	}
	empty := float64(n) / time.Since(start).Seconds()
	if err := s.Sync(); err != nil {
		return err
	}

	times := b.rounds(4, 3)
	first := s.Stats()
	if first.DiskBytes < b.size*9/10 {
		b.printf("the store began to evict at %s of its capacity of %s: memory for its index ran out before its disk\n", report.Bytes(first.DiskBytes), report.Bytes(b.size))
	}
	io, err := machine.ProcessIO()
	if err != nil {
		return err
	}
	enough, stop = watch(func() bool { return s.Stats().SealedBytes-first.SealedBytes >= int64(times)*b.size })
	defer stop()
	start = time.Now()
	more, err := b.fill(s, n, 1<<62, appendKey, b.values, enough)
	if err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	full := float64(more) / time.Since(start).Seconds()
	last := s.Stats()
	ioLast, err := machine.ProcessIO()
	if err != nil {
		return err
	}
	sealed := last.SealedBytes - first.SealedBytes
	committed, written := last.WrittenBytes-first.WrittenBytes, ioLast.Written-io.Written
	du := vfs.TreeUsage(vfs.OS, filepath.Join(b.dir, "steady"))
	b.printf("an empty store took %s puts/s, a full one %s (%s of it), while %s were sealed: %d times the capacity\n",
		report.Count(empty), report.Count(full), report.Number(full/empty), report.Bytes(sealed), times)
	b.printf("per sealed byte %s committed (statistics), %s written (/proc/self/io)\n",
		report.Number(float64(committed)/float64(sealed)), report.Number(float64(written)/float64(sealed)))
	b.printf("on disk %s by du, %s by the statistics, capacity %s; %s entries in %d segments; %s of memory by the statistics\n",
		report.Bytes(du), report.Bytes(last.DiskBytes), report.Bytes(b.size), report.Count(float64(last.Entries)), last.Segments, report.Bytes(last.MemoryBytes))
	if last.SpillDropped > 0 {
		b.printf("%d entries were dropped at the queue\n", last.SpillDropped)
	}
	b.sheet.Add(report.Figure{Name: "write_amplification", Value: float64(written) / float64(sealed), Unit: "x",
		Ours: report.Bytes(written) + " written, " + report.Bytes(committed) + " of it batches", Theirs: report.Bytes(sealed) + " sealed"})
	b.sheet.Add(report.Figure{Name: "put_full_vs_empty", Value: full / empty, Unit: "x",
		Ours: report.Count(full) + " puts/s at capacity", Theirs: report.Count(empty) + " puts/s into an empty store"})
	return b.flush(s, "flush_ms", appendKey(nil, n+more-1))
}

// flush empties a store in which there is an entry of that key.
func (b *bench) flush(s *engine.Store, figure string, key []byte) error {
	if _, err := s.Get(nil, key); err != nil {
		return fmt.Errorf("an entry before the flush: %w", err)
	}
	start := time.Now()
	r, err := s.Flush(b.ctx)
	took := time.Since(start)
	if err != nil {
		return err
	}
	if _, err := s.Get(nil, key); err == nil {
		return fmt.Errorf("an entry has outlived the flush")
	}
	what := fmt.Sprintf("%s with %s entries on %s", took.Round(time.Microsecond), report.Count(float64(r.Entries)), report.Bytes(r.Bytes))
	b.printf("flush: %s\n", what)
	b.sheet.Add(report.Figure{Name: figure, Value: float64(took) / float64(time.Millisecond), Unit: "ms", Ours: what})
	return nil
}
