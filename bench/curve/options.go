package curve

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"stagecache/bench/internal/values"
	"stagecache/engine"
)

// Options say what is measured. Size must be set; the rest has defaults.
type Options struct {
	Size      int64         // capacity in bytes, at least MinSize
	Memory    int64         // bytes for the whole store, at least engine.MinMemory; 0: disk only
	ValueSize int           // bytes of a generated value, MinValue to MaxValue; 0: 1024. Not together with Corpus
	Corpus    string        // folder of JSON files to store; "": generated JSON
	Workers   int           // goroutines that put and get; 0: four per processor
	WriteOnly bool          // no gets
	Plain     bool          // integrity only, no encryption: what "encrypt: false" of a stage does
	Levels    []int         // where to measure, in percent of Size, rising; nil: DefaultLevels
	ReadTime  time.Duration // of either kind of gets at a level; 0: a second for each GB of Size, at least a tenth and at most one

	Progress func(Progress)                      // called about twice a second, and after each level, never twice at a time; nil: nobody
	Report   func(event, file string, err error) // what the store tells an operator; nil: nobody
}

// Limits.
const (
	MinSize  = 64_000_000 // eight segments of the smallest size: less evicts by jumps
	MinValue = 256
	MaxValue = 1_000_000

	MaxWorkers = 4096
)

// DefaultLevels go up to the capacity, and to twice that much: by then every entry of a full store has been replaced once.
func DefaultLevels() []int {
	return []int{5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 125, 150, 175, 200}
}

// DefaultMemory is a sixteenth of the capacity, within reason: enough for the index of small records, which may take half of it.
func DefaultMemory(size int64) int64 {
	return min(max(size/16/1e6*1e6, engine.MinMemory), 1e9)
}

// Need is how many bytes a run may take on the disk: the capacity, a segment more, and what is on its way out.
func (o Options) Need() int64 { return o.Size + 2*min(max(o.Size/64, engine.MinCapacity), 512<<20) }

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Size < MinSize:
		return o, fmt.Errorf("size is %d bytes: at least %d are needed", o.Size, MinSize)
	case o.Memory != 0 && o.Memory < engine.MinMemory:
		return o, fmt.Errorf("memory is %d bytes: at least %d are needed, or 0 for disk only", o.Memory, engine.MinMemory)
	case o.Corpus != "" && o.ValueSize != 0:
		return o, errors.New("a corpus and a size of values exclude each other")
	case o.ValueSize != 0 && (o.ValueSize < MinValue || o.ValueSize > MaxValue):
		return o, fmt.Errorf("values of %d bytes: %d to %d are possible", o.ValueSize, MinValue, MaxValue)
	case o.Workers < 0 || o.Workers > MaxWorkers:
		return o, fmt.Errorf("%d workers: 1 to %d are possible", o.Workers, MaxWorkers)
	case !slices.IsSorted(o.Levels) || len(o.Levels) > 0 && o.Levels[0] <= 0:
		return o, fmt.Errorf("levels %v do not rise from above 0", o.Levels)
	}
	if o.ValueSize == 0 {
		o.ValueSize = 1024
	}
	if o.Workers == 0 {
		o.Workers = 4 * runtime.GOMAXPROCS(0)
	}
	if len(o.Levels) == 0 {
		o.Levels = DefaultLevels()
	}
	if o.ReadTime == 0 {
		o.ReadTime = min(max(time.Duration(o.Size), 100*time.Millisecond), time.Second)
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Report == nil {
		o.Report = func(string, string, error) {}
	}
	return o, nil
}

// Progress tells how far a run is.
type Progress struct {
	Percent   int     // the level that is being measured
	Phase     string  // "puts", "gets from memory", "gets from disk"; "done" after the level
	Share     float64 // of the phase that is done, 0 to 1
	PerSecond float64 // operations, over the last half second
	Level     *Level  // only with "done"
}

// payload gives a value for every number: each is another one, and knows its number.
type payload struct {
	src    *values.Source
	number bool // values of a corpus repeat, so the number is appended
}

const digits = 16

func (o Options) payload() (payload, error) {
	if o.Corpus == "" {
		return payload{src: values.Generate(o.ValueSize)}, nil
	}
	src, err := values.Load(o.Corpus)
	return payload{src: src, number: true}, err
}

func (p payload) append(dst []byte, i uint64) []byte {
	dst = p.src.Append(dst, i)
	if p.number {
		dst = appendHex(dst, i)
	}
	return dst
}

func (p payload) is(v []byte, i uint64) bool {
	if p.number {
		var room [digits]byte
		cut := len(v) - digits
		if cut < 0 || string(v[cut:]) != string(appendHex(room[:0], i)) {
			return false
		}
		v = v[:cut]
	}
	return p.src.Is(v, i)
}

func (p payload) mean() float64 {
	if p.number {
		return p.src.Mean() + digits
	}
	return p.src.Mean()
}

func appendHex(dst []byte, i uint64) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[i>>shift&15])
	}
	return dst
}

// appendKey appends the key of a number, about as long as a gateway's.
func appendKey(dst []byte, i uint64) []byte {
	return appendHex(append(dst, "GET\x00https\x00api.example.com\x00/prod/products/"...), i)
}
