package main

import "stagecache/tier"

// Hit ratios are compared at the same number of entries of one size, as a share of the keys that occur. Others are given that
// number; what they take besides the values is not held against them. Ours are the tiers themselves, with their own overhead
// taken out of a size in bytes. Their least sizes, 32 MiB of memory and 512 MiB of disk in the usual 64 segments, are far above
// a small trace, so many users repeat it side by side, each with keys of its own (see crowd).

// shares of the keys, in thousandths.
var (
	shares      = []int{1, 10, 50, 100, 250, 500}
	sharesShort = []int{10, 100}
)

// What one cell of the table may cost: bytes to write to the disk, and requests.
const (
	maxVolume   = 24e9
	maxRequests = 40e6
)

// Sizes of our entries with all their overhead, and the disk they share.
const (
	smallEntry    = 1200
	largeEntry    = 16 << 10
	ratioCapacity = 512 << 20
)

// contestant is a column of the table.
type contestant struct {
	name, note  string
	figure      string // the name of ours in the figures; "": none
	model       bool   // nobody's code: not what ours are held against
	ours        bool
	long        bool  // not part of a short run
	room, entry int64 // of ours, in bytes
	// volume is how much is written to the disk for so many misses and keys of all users. nil: nothing.
	volume func(misses, keys float64) float64
	make   func(b *bench, entries int) (policy, error)
}

var contestants = []contestant{
	{name: "fifo", make: func(_ *bench, n int) (policy, error) { return newFIFO(n), nil }},
	{name: "lru", make: func(_ *bench, n int) (policy, error) { return newLRU(n), nil }},
	{name: "otter", note: "v2.4.0", make: func(_ *bench, n int) (policy, error) { return newOtter(n) }},
	{name: "ristretto", note: "v2.4.2", make: func(_ *bench, n int) (policy, error) { return newRistretto(n) }},
	{name: "s3-fifo", note: "a model, the algorithm with lists of keys: not counted among the others", model: true, make: func(_ *bench, n int) (policy, error) { return newS3FIFO(n), nil }},
	{name: "memory 1K", note: "our memory tier alone, entries of 1.2 kB", figure: "memory_hits_vs_best", ours: true, room: tier.MemoryStep, entry: smallEntry,
		make: func(_ *bench, n int) (policy, error) { return newMemoryPolicy(n), nil }},
	{name: "memory 16K", note: "the same, entries of 16 KiB", ours: true, room: tier.MemoryStep, entry: largeEntry,
		make: func(_ *bench, n int) (policy, error) { return newMemoryPolicy(n), nil }},
	{name: "of a store", note: "hits in the memory of a store whose disk holds everything, entries of 1.2 kB", ours: true, long: true, room: tier.MemoryStep, entry: smallEntry,
		volume: func(_, keys float64) float64 { return smallEntry * keys },
		make:   func(b *bench, n int) (policy, error) { return newStorePolicy(b, n, roomy) }},
	{name: "disk", note: "a store without memory, entries of 16 KiB", ours: true, long: true, room: ratioCapacity, entry: largeEntry,
		volume: func(misses, _ float64) float64 { return largeEntry * misses },
		make:   func(b *bench, n int) (policy, error) { return newStorePolicy(b, n, diskOnly) }},
	{name: "both tiers", note: "the same with memory of a sixteenth of the disk", figure: "both_tiers_hits_vs_best", ours: true, long: true, room: ratioCapacity, entry: largeEntry,
		volume: func(misses, _ float64) float64 { return largeEntry * misses },
		make:   func(b *bench, n int) (policy, error) { return newStorePolicy(b, n, bothTiers) }},
}

// users is how many share the room of c when each of them has so many entries.
func (c *contestant) users(entries int) int {
	if !c.ours {
		return 1
	}
	return max(1, int(c.room/c.entry)/entries)
}
