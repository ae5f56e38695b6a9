package main

import (
	"bytes"
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

type badgerStore struct {
	blockCache int64
	db         *badger.DB
}

func (b *badgerStore) open(dir string) (err error) {
	o := badger.DefaultOptions(dir).
		WithEncryptionKey(bytes.Repeat([]byte{7}, 32)).
		WithIndexCacheSize(100 << 20). // needed with encryption: else every read decrypts the table's index
		WithBlockCacheSize(b.blockCache).
		WithCompression(options.ZSTD).
		WithSyncWrites(true).
		WithDetectConflicts(false). // nothing here conflicts
		WithMetricsEnabled(false).
		WithLogger(nil)
	b.db, err = badger.Open(o)
	return err
}

// put uses a write batch for each goroutine: of Badger's ways the fastest, as transactions are large and their commits overlap.
func (b *badgerStore) put(d *dataset, goroutines int) error {
	return spread(d.n, goroutines, func(from, to int) error {
		w := b.db.NewWriteBatch()
		defer w.Cancel()
		for i := from; i < to; i++ {
			if err := w.SetEntry(badger.NewEntry(d.key(i), d.value(i)).WithTTL(time.Hour)); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

func (b *badgerStore) get(dst, key []byte) ([]byte, error) {
	err := b.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			dst = append(dst, v...)
			return nil
		})
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		err = errMissing
	}
	return dst, err
}

func (b *badgerStore) close() error { return b.db.Close() }
