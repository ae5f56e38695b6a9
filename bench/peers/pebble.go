package main

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

type pebbleStore struct{ db *pebble.DB }

func (p *pebbleStore) open(dir string) (err error) {
	o := &pebble.Options{
		CacheSize:    256 << 20,
		MemTableSize: 64 << 20,
		Logger:       quiet{},
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.UniformDBCompressionSettings(sstable.ZstdCompression)
	})
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.db, err = pebble.Open(dir, o)
	return err
}

func (p *pebbleStore) put(d *dataset, goroutines int) error {
	return spread(d.n, goroutines, func(from, to int) error {
		for ; from < to; from += batchSize {
			b := p.db.NewBatch()
			for i := from; i < min(from+batchSize, to); i++ {
				if err := b.Set(d.key(i), d.value(i), nil); err != nil {
					return err
				}
			}
			if err := b.Commit(pebble.Sync); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pebbleStore) get(dst, key []byte) ([]byte, error) {
	v, closer, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, errMissing
	}
	if err != nil {
		return dst, err
	}
	dst = append(dst, v...)
	return dst, closer.Close()
}

func (p *pebbleStore) close() error {
	return errors.Join(p.db.Flush(), p.db.Close())
}

// quiet keeps Pebble's messages out of the report.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called where Pebble cannot go on; it must not return.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf("pebble: "+format, args...)) }
