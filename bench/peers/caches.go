package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"

	"stagecache/engine"
	"stagecache/tier"
)

// otterPolicy does its upkeep at once, so that the result does not depend on when a goroutine runs.
type otterPolicy struct {
	c *otter.Cache[uint32, struct{}]
}

func newOtter(size int) (*otterPolicy, error) {
	c, err := otter.New(&otter.Options[uint32, struct{}]{MaximumSize: size, Executor: func(fn func()) { fn() }})
	return &otterPolicy{c}, err
}

func (o *otterPolicy) access(key uint32) (bool, error) {
	if _, ok := o.c.GetIfPresent(key); ok {
		return true, nil
	}
	o.c.Set(key, struct{}{})
	o.c.CleanUp()
	return false, nil
}

func (o *otterPolicy) close() error {
	o.c.StopAllGoroutines()
	return nil
}

// ristrettoPolicy waits for every Set, for the same reason.
type ristrettoPolicy struct {
	c *ristretto.Cache[uint64, struct{}]
}

func newRistretto(size int) (*ristrettoPolicy, error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, struct{}]{
		NumCounters: 10 * int64(size), MaxCost: int64(size), BufferItems: 64, IgnoreInternalCost: true,
	})
	return &ristrettoPolicy{c}, err
}

func (r *ristrettoPolicy) access(key uint32) (bool, error) {
	if _, ok := r.c.Get(uint64(key)); ok {
		return true, nil
	}
	r.c.Set(uint64(key), struct{}{}, 1)
	r.c.Wait()
	return false, nil
}

func (r *ristrettoPolicy) close() error {
	r.c.Close()
	return nil
}

// memoryPolicy is our memory tier at its least size, with blobs so large that so many of them are what it has room for.
type memoryPolicy struct {
	m    *tier.Memory
	blob []byte
	room []byte
	seq  uint64
}

// perRecord is what an entry of the memory tier takes besides its blob: hash, fields, fastcache's header.
const perRecord = 16 + 45 + 4

// blobSize is how large blobs are when so many fill the memory tier.
func blobSize(entries int) int {
	n := tier.MemoryStep/entries - perRecord
	return n - n/4096*16 // a header and a key for each chunk
}

func newMemoryPolicy(size int) *memoryPolicy {
	return &memoryPolicy{m: tier.NewMemory(tier.MemoryStep), blob: make([]byte, blobSize(size))}
}

func (p *memoryPolicy) access(key uint32) (bool, error) {
	h := hashOf(key)
	var err error
	if p.room, _, err = p.m.Get(p.room[:0], h); err == nil {
		if binary.BigEndian.Uint32(p.room) != key {
			return false, errors.New("memory tier answers with another blob")
		}
		return true, nil
	}
	p.seq++
	binary.BigEndian.PutUint32(p.blob, key)
	return false, p.m.Put(tier.Record{Hash: h, Seq: p.seq, Expires: 1 << 60, Blob: p.blob})
}

func (p *memoryPolicy) close() error { return p.m.Close() }

// crowd is a policy of many times the size that so many users share evenly, each with keys of its own and all with the same
// requests: what one of them sees is what it would see in its share of the size. It lets a tier whose least size is far above a
// small trace be measured with entries of a usual size. Keys must be dense, so that no two users' meet.
type crowd struct {
	policy
	users uint32
	hits  uint32 // of all users, not yet told
}

func (c *crowd) access(key uint32) (bool, error) {
	for u := range c.users {
		hit, err := c.policy.access(key*c.users + u)
		if err != nil {
			return false, err
		}
		if hit {
			c.hits++
		}
	}
	if c.hits < c.users {
		return false, nil
	}
	c.hits -= c.users
	return true, nil
}

// hashOf spreads a key over the 128 bits of a hash, as the engine's keyed hash does.
func hashOf(key uint32) (h tier.Hash) {
	r := rand.NewPCG(uint64(key), 0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(h[:], r.Uint64())
	binary.LittleEndian.PutUint64(h[8:], r.Uint64())
	return h
}

// storePolicy is a store with values so large that so many of them are what its memory or its disk has room for. They are random
// bytes, each key's its own: what they had in common, a dictionary would pack.
type storePolicy struct {
	s          *engine.Store
	value      []byte
	memoryOnly bool // only what memory answers is a hit
	room       []byte
}

// storeKind says what bounds a storePolicy.
type storeKind int

const (
	roomy     storeKind = iota // the least memory; the disk holds everything
	diskOnly                   // ratioCapacity of disk, no memory
	bothTiers                  // the same with the least memory
)

const (
	// perEntry is what a small entry takes on the disk besides its value: header, seal, key, fields, its line in the index.
	perEntry = 160
	// perEntryMemory is the same in memory, where there is no seal.
	perEntryMemory = perRecord + 10 + 32
)

func newStorePolicy(b *bench, entries int, kind storeKind) (*storePolicy, error) {
	dir, err := os.MkdirTemp(b.dir, "ratio-")
	if err != nil {
		return nil, err
	}
	o := engine.Options{Key: rootKey(), Capacity: ratioCapacity, Memory: engine.MinMemory, Block: true}
	p := &storePolicy{}
	size := ratioCapacity/entries - perEntry
	switch kind {
	case roomy:
		o.Capacity = 2 * maxVolume
		size, p.memoryOnly = int(o.Hot())/entries-perEntryMemory, true
	case diskOnly:
		o.Memory = 0
	}
	o.MaxObject = size
	p.value = make([]byte, size)
	p.s, err = engine.Open(filepath.Join(dir, "ratio"), o)
	return p, err
}

func (p *storePolicy) access(key uint32) (bool, error) {
	k := binary.BigEndian.AppendUint32([]byte("trace/"), key)
	seed := [32]byte{}
	copy(seed[:], k)
	r := rand.NewChaCha8(seed)
	e, err := p.s.Get(p.room[:0], k)
	if err == nil {
		var want [16]byte
		_, _ = r.Read(want[:]) // never fails
		if string(e.Value[:16]) != string(want[:]) {
			return false, errors.New("engine answers with another value")
		}
		p.room = e.Value
		return e.Tier == engine.Memory || !p.memoryOnly, nil
	}
	if !errors.Is(err, engine.ErrMiss) {
		return false, err
	}
	_, _ = r.Read(p.value)
	return false, fill(context.Background(), p.s, k, p.value)
}

func (p *storePolicy) close() error { return p.s.Close() }
