package main

import (
	"context"
	"fmt"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/engine"
)

// idle measures what a store writes while nobody puts anything, and while there is one put a second.
func (b *bench) idle() error {
	s, err := b.open("idle", b.size, b.memory)
	if err != nil {
		return err
	}
	if err := closing(s, b.idleRounds(s)); err != nil {
		return err
	}
	return b.remove("idle")
}

func (b *bench) idleRounds(s *engine.Store) error {
	if _, err := b.fill(s, 0, 50_000, appendKey, b.values, func() bool { return false }); err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	if err := pause(b.ctx, 2*time.Second); err != nil { // what the puts left to do
		return err
	}
	seconds := b.rounds(15, 4)
	quiet, err := b.written(func() error { return pause(b.ctx, time.Duration(seconds)*time.Second) })
	if err != nil {
		return err
	}
	before := s.Stats()
	trickle, err := b.written(func() error {
		for i := range seconds {
			if _, err := b.fill(s, 1<<40+uint64(i), 1, appendKey, b.values, func() bool { return false }); err != nil {
				return err
			}
			if err := pause(b.ctx, time.Second); err != nil { // more than a record waits, so each is committed alone
				return err
			}
		}
		return s.Sync()
	})
	if err != nil {
		return err
	}
	sealed := s.Stats().SealedBytes - before.SealedBytes
	b.printf("one put a second: %s written for %s sealed\n", report.Bytes(trickle), report.Bytes(sealed))
	b.sheet.Add(report.Figure{Name: "idle_write_bytes_per_s", Value: float64(quiet) / float64(seconds), Unit: "B/s",
		Ours: fmt.Sprintf("%s in %d s without a put", report.Bytes(quiet), seconds)})
	b.sheet.Add(report.Figure{Name: "trickle_write_bytes_per_s", Value: float64(trickle) / float64(seconds), Unit: "B/s",
		Ours: fmt.Sprintf("%s in %d s with one put a second", report.Bytes(trickle), seconds)})
	return nil
}

// written is how many bytes this process wrote to disk while f ran.
func (b *bench) written(f func() error) (int64, error) {
	before, err := machine.ProcessIO()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := machine.ProcessIO()
	return after.Written - before.Written, err
}

// pause waits, unless the run is interrupted.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
