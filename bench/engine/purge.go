package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// commonTag is what all entries of the restart stage carry.
const commonTag = "all"

// fillTagged is fill with small entries that carry commonTag.
func (b *bench) fillTagged(s *engine.Store, first, n uint64) error {
	workers := clients()
	keys, vals := make([][]byte, workers), make([][]byte, workers)
	tags := []string{commonTag}
	_, err := b.drive(workers, first, n, nil, func(w int, i uint64) error {
		keys[w] = smallKey(keys[w][:0], i)
		vals[w] = small.Append(vals[w][:0], i)
		l, err := s.Lease(b.ctx, keys[w], engine.LeaseOptions{Refresh: true})
		if err != nil {
			return err
		}
		return l.Put(vals[w], engine.Meta{TTL: lifetime, Tags: tags})
	})
	return err
}

// restartPurge purges the tag that all n entries carry, looks that they are gone, also after a start, and flushes the store.
func (b *bench) restartPurge(n uint64, capacity int64) error {
	s, err := b.open("restart", capacity, 0)
	if err != nil {
		return err
	}
	r, err := s.Purge(b.ctx, engine.Tag(commonTag), engine.Hard)
	if err == nil {
		err = allMiss(s, n)
	}
	if err := closing(s, err); err != nil {
		return err
	}
	what := fmt.Sprintf("%s, at most %s entries", r.Elapsed.Round(time.Microsecond), report.Count(float64(r.AtMost)))
	b.printf("purge of a tag that all carry: %s; what was asked for after it, and after a start, missed\n", what)
	b.sheet.Add(report.Figure{Name: "purge_tag_10m_ms", Value: float64(r.Elapsed) / float64(time.Millisecond), Unit: "ms", Ours: what})
	if s, err = b.open("restart", capacity, 0); err != nil {
		return err
	}
	if err := allMiss(s, n); err != nil {
		return closing(s, fmt.Errorf("after a start: %w", err))
	}
	if err := b.fillTagged(s, n, 1); err != nil {
		return closing(s, err)
	}
	return closing(s, b.flush(s, "flush_many_entries_ms", smallKey(nil, n)))
}

// allMiss looks for some of the first n entries, and is an error if one is there.
func allMiss(s *engine.Store, n uint64) error {
	for range 10_000 {
		i := rand.Uint64N(n)
		switch _, err := s.Get(nil, smallKey(nil, i)); {
		case err == nil:
			return fmt.Errorf("entry %d has outlived the purge of its tag", i)
		case !errors.Is(err, engine.ErrMiss):
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}
