package engine

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"stagecache/crypto"
	"stagecache/internal/clock"
	"stagecache/internal/vfs"
	"stagecache/tier"
)

// Options configure a Store. Key or Plain must be set; the rest has defaults.
type Options struct {
	Key     *crypto.RootKey   // the root key
	OldKeys []*crypto.RootKey // read until the store is wrapped with Key, which Open does at once
	Plain   bool              // no root key: entries keep their integrity against damage, not their secrecy

	// Existing refuses (ErrNoStore) where Open would make a store, or begin a new generation because the old one cannot be read.
	Existing bool

	Name     string // bound into every record; "": the directory's base name
	Capacity int64  // bytes on disk, as du counts; 0: 500 MB; at least MinCapacity
	Memory   int64  // bytes for the whole store; 0: disk only; else at least MinMemory
	InFlight int64  // of Memory, what the caller holds itself of values on their way here; at most MaxInFlight

	MaxObject    int           // bytes of a value; 0: 1 MB
	LeaseTimeout time.Duration // a lease ends by itself after this; 0: 60 s
	Block        bool          // Put waits for room in the write-behind queue instead of dropping the disk copy

	Clock clock.Clock // nil: the machine's
	FS    vfs.FS      // nil: the real one
	// Report is told of what an operator should know: a damaged segment, a new generation begun. nil: nobody.
	Report func(event, file string, err error)

	disk func(*tier.DiskOptions) // nil, but in tests: changes what the disk tier is opened with
}

// Limits.
const (
	MinCapacity     = tier.MinSegment // one segment
	MinMemory       = 48_000_000      // hot tier, index, queue and buffers in flight
	MaxKey          = 64 << 10        // bytes
	MaxTags         = 128
	MaxTagBytes     = 16 << 10
	defaultCapacity = 500_000_000
	// shortLived entries stay in memory: the disk would be done writing them about when they expire.
	shortLived = 10 * time.Second
	// maxAhead is how far persisted engine time may be ahead of the wall clock at start. Beyond it the mark itself is not to be
	// believed, and entries would live too long or not at all.
	maxAhead = 10 * time.Minute
)

// entryOverhead bounds what is stored besides a value: key, path, tags, fixed fields.
const entryOverhead = MaxKey + 64<<10 + MaxTagBytes + 1<<10

func (o Options) withDefaults(dir string) (Options, error) {
	if o.Key == nil && !o.Plain {
		return o, ErrNoKey
	}
	if o.Key != nil && o.Plain {
		return o, errors.New("both Key and Plain are set: choose one")
	}
	if o.Name == "" {
		o.Name = filepath.Base(dir)
	}
	if o.Capacity == 0 {
		o.Capacity = defaultCapacity
	}
	if o.Capacity < MinCapacity {
		return o, fmt.Errorf("capacity is %d bytes: at least %d (one segment) are needed", o.Capacity, MinCapacity)
	}
	if o.Memory != 0 && o.Memory < MinMemory {
		return o, fmt.Errorf("memory is %d bytes: at least %d are needed, or 0 for disk only", o.Memory, MinMemory)
	}
	if most := MaxInFlight(o.Memory); o.InFlight < 0 || o.InFlight > most {
		return o, fmt.Errorf("%d bytes of memory are in flight: at most %d of %d can be", o.InFlight, most, o.Memory)
	}
	if o.MaxObject == 0 {
		o.MaxObject = 1_000_000
	}
	if o.MaxObject < 0 || o.MaxObject > 1<<27 {
		return o, fmt.Errorf("max object is %d bytes: at most %d are supported", o.MaxObject, 1<<27)
	}
	if o.LeaseTimeout == 0 {
		o.LeaseTimeout = time.Minute
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Report == nil {
		o.Report = func(string, string, error) {}
	}
	return o, nil
}

// MaxInFlight is how much of a store's memory may be its caller's.
func MaxInFlight(memory int64) int64 { return memory / 16 }

// Heap is what a store with these options may take of Go's heap at most, with InFlight and Garbage. The collector lets a heap grow to twice what is
// alive in it, whatever it costs, unless the process tells it not to: who holds the process to what is configured passes the sum
// over its stores, and what it needs itself, to debug.SetMemoryLimit. Then a store stays within its Memory, and the better the more of that is
// held to Garbage (debug.SetGCPercent). What the hot tier takes is not the collector's and does not count. Store.Heap follows what becomes of the
// index's room.
func (o Options) Heap() int64 {
	b := o.budget()
	return b.index + b.queue + b.flight + b.maps + b.garbage + o.InFlight
}

// Garbage is what of Heap is for garbage.
func (o Options) Garbage() int64 { return o.budget().garbage }

// Hot is what a store with these options gives the hot tier, in bytes.
func (o Options) Hot() int64 { return o.budget().cache }

// budget divides Memory. The write-behind queue gets a sixteenth; what is on its way from there to the disk is sealed, and copied once
// more by bbolt, a commit at a time, and so is what moves between segments. A tenth is for garbage: more would be the hot tier's loss, less the processor's. The index gets
// what it needs if entries take 512 bytes each on disk, at most half. What is left is the hot tier's, and for fastcache's maps
// and the hot tier's lists, which take a seventh of it where entries are small (300 bytes).
type budget struct{ cache, maps, index, queue, flight, garbage int64 }

func (o *Options) budget() budget {
	index := cmp.Or(o.Capacity, defaultCapacity) / entryOnDisk * indexPerEntry
	if o.Memory == 0 {
		b := budget{queue: 12 << 20, flight: 24 << 20, index: index}
		b.garbage = (b.queue + b.flight) / 3
		return b
	}
	b := budget{
		index:   min(o.Memory/2, max(4<<20, index)),
		queue:   min(o.Memory/16, 64<<20),
		garbage: o.Memory / 10,
	}
	b.flight = 3 * min(b.queue, 4<<20)
	left := o.Memory - b.queue - b.flight - b.garbage - o.InFlight
	b.index = min(b.index, left-(tier.MinMemory*7+5)/6)
	left -= b.index
	b.cache = hotOf(left)
	b.maps = left - b.cache
	return b
}

// hotOf is what is fastcache's of so many bytes for the hot tier.
func hotOf(bytes int64) int64 { return bytes * 6 / 7 }

// Of a small entry, as the budget takes it: 1 KiB of JSON, packed with its segment's dictionary, takes 530 bytes.
const (
	entryOnDisk   = 512
	indexPerEntry = 16
)
