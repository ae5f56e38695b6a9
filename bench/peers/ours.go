package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"stagecache/crypto"
	"stagecache/engine"
)

// ours is the engine with its disk tier alone. A put is a lease for a refresh, so that no look for an older version is part of
// it (no rival looks either), and its Put.
type ours struct{ s *engine.Store }

// rootKey is the same for all stores of this process: what one has written, the next reads.
var rootKey = sync.OnceValue(crypto.NewRootKey)

func (o *ours) open(dir string) (err error) {
	o.s, err = engine.Open(filepath.Join(dir, "store"), engine.Options{Key: rootKey(), Capacity: 28_400_000_000, Block: true})
	if err == nil {
		<-o.s.Ready()
	}
	return err
}

func (o *ours) put(d *dataset, goroutines int) error {
	ctx := context.Background()
	return spread(d.n, goroutines, func(from, to int) error {
		for i := from; i < to; i++ {
			if err := fill(ctx, o.s, d.key(i), d.value(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func fill(ctx context.Context, s *engine.Store, key, value []byte) error {
	l, err := s.Lease(ctx, key, engine.LeaseOptions{Refresh: true})
	if err != nil {
		return err
	}
	return l.Put(value, engine.Meta{TTL: time.Hour})
}

func (o *ours) get(dst, key []byte) ([]byte, error) {
	e, err := o.s.Get(dst[len(dst):], key)
	if errors.Is(err, engine.ErrMiss) {
		return dst, errMissing
	}
	return e.Value, err
}

func (o *ours) close() error { return o.s.Close() }
