package main

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"stagecache/bench/internal/values"
)

// dataset is what every rival stores: record i has key(i) and value(i). Keys and values are made beforehand, so that no
// rival waits for them or has to copy what it keeps until a batch is written.
type dataset struct {
	name   string
	n      int
	keys   []byte // keySize bytes each
	values [][]byte
	bytes  int64 // of all n records, keys and values
}

const (
	keyFormat = "GET /v1/products/%010d?lang=en"
	keySize   = 35
	// poolBytes bounds the memory for values. Records take them in turn.
	poolBytes = 32 << 20
)

// newDataset makes n records with values of src. The order of keys is random, as that of requests is; sorted order would
// spare a log-structured merge tree most of its work.
func newDataset(n int, src *values.Source) *dataset {
	d := &dataset{name: src.Name, n: n, keys: make([]byte, 0, n*keySize)}
	for size := 0; size < poolBytes && len(d.values) < n; {
		v := src.Append(nil, uint64(len(d.values)))
		d.values = append(d.values, v)
		size += len(v)
	}
	for i := range n {
		// The factor has no divisor in common with 10^10, so all keys differ.
		d.keys = fmt.Appendf(d.keys, keyFormat, (uint64(i)*6364136223)%1e10)
		d.bytes += int64(keySize + len(d.value(i)))
	}
	if len(d.keys) != n*keySize {
		panic("keys are not all of one size")
	}
	return d
}

func (d *dataset) key(i int) []byte           { return d.keys[i*keySize : (i+1)*keySize : (i+1)*keySize] }
func (d *dataset) value(i int) []byte         { return d.values[i%len(d.values)] }
func (d *dataset) right(i int, v []byte) bool { return bytes.Equal(v, d.value(i)) }

// first is the dataset's first n records.
func (d *dataset) first(n int) *dataset {
	f := *d
	f.n, f.bytes = n, 0
	for i := range n {
		f.bytes += int64(keySize + len(d.value(i)))
	}
	return &f
}

// packing is what zstd makes of the values one by one, as a share of their size: how compressible they are.
func (d *dataset) packing() float64 {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	defer e.Close()
	var in, out int
	var room []byte
	for _, v := range d.values[:min(len(d.values), 2000)] {
		room = e.EncodeAll(v, room[:0])
		in, out = in+len(v), out+len(room)
	}
	return float64(out) / float64(in)
}
