package main

import "errors"

// store is one rival on disk.
type store interface {
	// open opens or creates the store in dir.
	open(dir string) error
	// put stores all records of d from so many goroutines, in the way that is fastest with this store for a caller that wants
	// them on the disk in the end.
	put(d *dataset, goroutines int) error
	// get appends the value to dst; errMissing.
	get(dst, key []byte) ([]byte, error)
	close() error
}

var errMissing = errors.New("missing")

// rival says how to make one, and what to know when comparing.
type rival struct {
	name, note string
	new        func() store
	extra      bool // not part of a short run
	share      int  // it stores one in so many of the records: too slow for all of them. 0: all
}

const (
	oursName   = "stagecache"
	badgerName = "badger"
)

// rivals lists them; stored is how many bytes of keys and values each will hold.
func rivals(stored int64) []*rival {
	return []*rival{
		{name: oursName, note: "packed by a dictionary (S2) or zstd, AES-256-GCM; Options.Block, Memory 0: the disk tier alone", new: func() store { return &ours{} }},
		{name: badgerName, note: "v4.9.6: zstd, AES-256-CTR without authentication, SyncWrites; a block cache of a quarter of what is stored, at most 256 MiB (its default); index cache 100 MiB; write batches",
			new: func() store { return &badgerStore{blockCache: min(256<<20, stored/4)} }},
		{name: "badger, small cache", note: "the same with a block cache of 8 MiB: our disk tier has none at all",
			new: func() store { return &badgerStore{blockCache: 8 << 20} }, extra: true},
		{name: "pebble", note: "v2.1.7: zstd; it has no encryption; bloom filters, cache 256 MiB; batches of 1000 with Sync",
			new: func() store { return &pebbleStore{} }, extra: true},
		{name: "bbolt", note: "v1.5.0, raw: no compression, no encryption; one file, batches of 1000; a fifth of the records",
			new: func() store { return &boltStore{} }, extra: true, share: 5},
	}
}

// batchSize is how many records a batch takes where the caller chooses.
const batchSize = 1000

// spread runs work for each range of [0,n) in its own goroutine and returns their errors.
func spread(n, goroutines int, work func(from, to int) error) error {
	errs := make(chan error, goroutines)
	for k := range goroutines {
		go func() { errs <- work(k*n/goroutines, (k+1)*n/goroutines) }()
	}
	var err error
	for range goroutines {
		err = errors.Join(err, <-errs)
	}
	return err
}
