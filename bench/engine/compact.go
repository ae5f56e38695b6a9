package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"stagecache/bench/internal/report"
	"stagecache/engine"
	"stagecache/internal/vfs"
)

// What the compact stage stores: every keepEvery-th entry carries the tag that stays, the others the one that is purged.
const keepEvery = 10

// compact fills a store, purges nine entries of ten by their tag, and compacts it while clients read the tenth that is left. Beside
// their rate it measures the one they had before, and beside the space that came back the space of what was dead.
func (b *bench) compact() error {
	s, err := b.open("compact", b.size, 0)
	if err != nil {
		return err
	}
	if err := closing(s, b.compactRound(s)); err != nil {
		return err
	}
	return b.remove("compact")
}

func (b *bench) compactRound(s *engine.Store) error {
	n, err := b.compactFill(s)
	if err != nil {
		return err
	}
	if _, err := s.Purge(b.ctx, engine.Tag("drop"), engine.Hard); err != nil {
		return err
	}
	idle, err := b.getLive(s, n, watchTime(time.Duration(b.rounds(5, 3))*time.Second))
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "compact")
	before := vfs.TreeUsage(vfs.OS, dir)
	done := make(chan struct{})
	var progress engine.CompactProgress
	var cerr error
	var took time.Duration
	go func() {
		defer close(done)
		start := time.Now()
		progress, cerr = s.Compact(b.ctx, nil)
		took = time.Since(start)
	}()
	during, err := b.getLive(s, n, done)
	<-done
	if err := errors.Join(err, cerr); err != nil {
		return err
	}
	after := vfs.TreeUsage(vfs.OS, dir)
	dead := before / keepEvery * (keepEvery - 1)
	b.printf("%s with nine dead entries of ten became %s in %.2f s; the compaction says that it reclaimed %s and moved %s entries\n",
		report.Bytes(before), report.Bytes(after), took.Seconds(), report.Bytes(progress.BytesReclaimed), report.Count(float64(progress.EntriesMoved)))
	b.sheet.Add(report.Figure{Name: "get_during_compact_vs_idle", Value: during / idle, Unit: "x",
		Ours: report.Count(during) + " gets/s during a compaction", Theirs: report.Count(idle) + " gets/s before it"})
	b.sheet.Add(report.Figure{Name: "compact_reclaimed_vs_dead", Value: float64(before-after) / float64(dead), Unit: "x",
		Ours: report.Bytes(before-after) + " reclaimed by du", Theirs: report.Bytes(dead) + " held dead entries"})
	return nil
}

// compactFill fills the store to nine tenths of its capacity.
func (b *bench) compactFill(s *engine.Store) (uint64, error) {
	enough, stop := full(s, b.size*9/10)
	defer stop()
	workers := clients()
	keys, vals := make([][]byte, workers), make([][]byte, workers)
	keep, drop := []string{"keep"}, []string{"drop"}
	n, err := b.drive(workers, 0, 1<<62, func() bool { return !enough() }, func(w int, i uint64) error {
		keys[w] = appendKey(keys[w][:0], i)
		vals[w] = b.values.Append(vals[w][:0], i)
		l, err := s.Lease(b.ctx, keys[w], engine.LeaseOptions{Refresh: true})
		if err != nil {
			return err
		}
		m := engine.Meta{TTL: lifetime, Tags: drop}
		if i%keepEvery == 0 {
			m.Tags = keep
		}
		return l.Put(vals[w], m)
	})
	return n, errors.Join(err, s.Sync())
}

// watchTime is a channel that is closed after d.
func watchTime(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// getLive reads entries that were not purged, again and again, until end is closed, and gives the rate.
func (b *bench) getLive(s *engine.Store, n uint64, end <-chan struct{}) (float64, error) {
	workers := clients()
	keys, vals := make([][]byte, workers), make([][]byte, workers)
	order := newOrder(n / keepEvery)
	more := func() bool {
		select {
		case <-end:
			return false
		default:
			return true
		}
	}
	before := s.Stats()
	start := time.Now()
	done, err := b.drive(workers, 0, 1<<62, more, func(w int, _ uint64) error {
		i := order.next() * keepEvery
		keys[w] = appendKey(keys[w][:0], i)
		e, err := s.Get(vals[w][:0], keys[w])
		switch {
		case err == nil && !b.values.Is(e.Value, i):
			return fmt.Errorf("entry %d holds another value", i)
		case err == nil:
			vals[w] = e.Value
		case !errors.Is(err, engine.ErrMiss):
			return fmt.Errorf("entry %d: %w", i, err)
		}
		return nil
	})
	rate := float64(done) / time.Since(start).Seconds()
	after := s.Stats()
	return rate, errors.Join(err, tooManyMisses(after.Misses-before.Misses, done))
}
