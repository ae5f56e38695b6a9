package main

import (
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

var boltBucket = []byte("b")

type boltStore struct{ db *bolt.DB }

func (b *boltStore) open(dir string) (err error) {
	b.db, err = bolt.Open(filepath.Join(dir, "bolt.db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, NoStatistics: true})
	return err
}

// put commits batches one after another: bbolt has one writer, more goroutines would only queue.
func (b *boltStore) put(d *dataset, _ int) error {
	for from := 0; from < d.n; from += batchSize {
		err := b.db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(boltBucket)
			for i := from; err == nil && i < min(from+batchSize, d.n); i++ {
				err = bucket.Put(d.key(i), d.value(i))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *boltStore) get(dst, key []byte) ([]byte, error) {
	err := b.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(boltBucket).Get(key)
		if v == nil {
			return errMissing
		}
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

func (b *boltStore) close() error { return b.db.Close() }
