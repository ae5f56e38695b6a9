package tier

import (
	"testing"
	"time"

	"stagecache/crypto"
)

// BenchmarkLoad opens a tier of a million small records and waits for its index.
func BenchmarkLoad(b *testing.B) {
	dir, keys := b.TempDir(), crypto.NewStageKey("s")
	o := DiskOptions{Keys: keys, Capacity: 4 << 30, Now: func() int64 { return 1000 }, Block: true}
	d, err := OpenDisk(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	const n = 1_000_000
	for i := range n {
		if err := d.Put(Record{Hash: hashOf(i), Seq: uint64(i + 1), Expires: 10_000_000, Blob: []byte("small value"), Labels: []uint64{1, 2}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	var total time.Duration
	for b.Loop() {
		start := time.Now()
		d, err := OpenDisk(dir, o)
		if err != nil {
			b.Fatal(err)
		}
		<-d.Loaded()
		total += time.Since(start)
		if st := d.Stats(); st.Entries < n*99/100 {
			b.Fatalf("%d entries", st.Entries)
		}
		d.Close()
	}
	b.ReportMetric(float64(total.Nanoseconds())/float64(b.N)/n, "ns/entry")
}
