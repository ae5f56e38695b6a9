package curve

import (
	"time"
)

// Result is what a run has measured.
type Result struct {
	Date        time.Time `json:"date"`
	Machine     string    `json:"machine"`
	FileSystem  string    `json:"file_system"`
	SizeBytes   int64     `json:"size_bytes"`
	MemoryBytes int64     `json:"memory_bytes"`
	Values      string    `json:"values"`
	ValueBytes  float64   `json:"value_bytes"` // on average
	Workers     int       `json:"workers"`
	Encrypt     bool      `json:"encrypt"`
	Levels      []Level   `json:"levels"`
	Interrupted bool      `json:"interrupted"` // levels are missing
	Seconds     float64   `json:"seconds"`
}

// Level is what was measured at one level of fill. What is not known or was not measured is null in JSON.
type Level struct {
	Percent float64 `json:"percent"` // bytes committed since the beginning, of the capacity; past 100 the store is full
	Entries int64   `json:"entries"` // in the store

	Puts       Rate  `json:"puts"`
	GetsMemory *Rate `json:"gets_memory"`
	GetsDisk   *Rate `json:"gets_disk"`
	// DeviceBytesPerGet is what the device had to be asked for, for a get from disk: 0 if all was in the page cache.
	DeviceBytesPerGet *float64 `json:"device_bytes_per_get"`
	Misses            uint64   `json:"misses"` // gets of entries that had been evicted; in no rate

	WriteAmplification *float64 `json:"write_amplification"` // bytes written to disk by bytes of sealed records
	SealedBytes        int64    `json:"sealed_bytes"`        // since the level before
	WrittenBytes       *int64   `json:"written_bytes"`       // likewise, as the system counts
	Evictions          uint64   `json:"evictions"`           // likewise

	DiskBytes     int64  `json:"disk_bytes"`     // as du counts
	ResidentBytes *int64 `json:"resident_bytes"` // memory of the process
	IndexBytes    int64  `json:"index_bytes"`
	StoreBytes    int64  `json:"store_memory_bytes"` // memory of the store by its own statistics: memory tier, index, queue
}

// Rate is a number of operations, how many there were in a second, and how long they took.
type Rate struct {
	Count     uint64  `json:"count"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"` // microseconds
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	Max       float64 `json:"max_us"`
}

func rate(h *histogram, took time.Duration) Rate {
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return Rate{Count: h.n, PerSecond: float64(h.n) / max(took, 1).Seconds(),
		P50: us(h.quantile(0.50)), P99: us(h.quantile(0.99)), P999: us(h.quantile(0.999)), Max: us(h.most)}
}
