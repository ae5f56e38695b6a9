package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stagecache/tier"
)

// TestExistingBeginsNothing guards offline commands that only look: they must not make a store, nor give up an old one.
func TestExistingBeginsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", "v", minute("/"))
	r.close()
	r.o.Existing = true
	r.open()
	r.want("a", "v")
	r.close()
	before := snapshot(t, r.dir)
	key := filepath.Join(r.dir, "stage.key")
	data, _ := os.ReadFile(key)
	os.WriteFile(key, data[:20], 0o600)
	if _, err := Open(r.dir, r.o); !errors.Is(err, ErrNoStore) {
		t.Fatalf("a damaged key file: %v", err)
	}
	os.WriteFile(key, data, 0o600)
	if after := snapshot(t, r.dir); after != before {
		t.Fatalf("changed on disk:\n%s\n%s", before, after)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), r.o); !errors.Is(err, ErrNoStore) {
		t.Fatalf("no store: %v", err)
	}
	r.o.Existing = false
}

// TestSetAsideGoesWithAFlush: what a start could not read is kept, counted, and gone after the next flush.
func TestSetAsideGoesWithAFlush(t *testing.T) {
	r := newRig(t, nil)
	r.put("a", strings.Repeat("v", 5000), minute("/"))
	r.close()
	if err := os.Truncate(filepath.Join(r.dir, "stage.key"), 10); err != nil {
		t.Fatal(err)
	}
	r.open()
	if rep, err := verifyClosed(r); err != nil || len(rep.Damaged) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	aside := func() int { m, _ := filepath.Glob(filepath.Join(r.dir, "*aside*")); return len(m) }
	if aside() != 2 || r.s.Stats().Quarantined != 1 {
		t.Fatalf("%d set aside, %+v", aside(), r.s.Stats())
	}
	if _, err := r.s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	if aside() != 0 || r.s.Stats().Quarantined != 0 {
		t.Fatalf("after a flush: %d set aside, %+v", aside(), r.s.Stats())
	}
}

func TestVerifyMissesNothing(t *testing.T) {
	for _, file := range []string{"stage.key", "gen-*/purges.db"} {
		r := newRig(t, nil)
		r.put("a", "v", minute("/"))
		r.close()
		m, _ := filepath.Glob(filepath.Join(r.dir, file))
		os.Remove(m[0])
		if rep, err := Verify(r.dir, VerifyOptions{Key: r.o.Key}); err != nil || len(rep.Damaged) != 1 {
			t.Errorf("%s is missing: %+v, %v", file, rep, err)
		}
	}
}

// TestBudgetFillsTheDisk: memory divides into parts that add up, and the index gets enough for small entries to fill the
// capacity wherever half of the memory allows it.
func TestBudgetFillsTheDisk(t *testing.T) {
	for _, o := range []Options{
		{Memory: 48e6, Capacity: 500e6}, {Memory: 64e6, Capacity: 500e6}, {Memory: 256e6, Capacity: 1e9},
		{Memory: 512e6, Capacity: 6.1e9}, {Memory: 4e9, Capacity: 58.2e9}, {Memory: 512e6, Capacity: 237e9},
		{Memory: 48e6, Capacity: 237e9}, {Memory: 48e6, Capacity: 500e6, InFlight: 3e6}, {Memory: 48e6, Capacity: 237e9, InFlight: 3e6}, {Memory: 512e6, Capacity: 6.1e9, InFlight: 32e6},
	} {
		b := o.budget()
		if sum := b.cache + b.maps + b.index + b.queue + b.flight + b.garbage + o.InFlight; sum > o.Memory || b.index > o.Memory/2 || b.cache < tier.MinMemory {
			t.Errorf("%d bytes: %+v", o.Memory, b)
		}
		if need := o.Capacity / 530 * 15; b.index < min(need, (o.Memory-o.InFlight)*2/5) {
			t.Errorf("%d bytes for %d on disk: the index gets %d of %d", o.Memory, o.Capacity, b.index, need)
		}
	}
}

// Guards against a start that refuses a store because its capacity was lowered.
func TestLessCapacityThanIsStored(t *testing.T) {
	r := newScratchRig(t, func(o *Options) { o.Capacity, o.Memory, o.Block = 64<<20, 0, true })
	const entries = 400
	for i := range entries {
		r.put(fmt.Sprint("k", i), string(noise(i, 100_000)), Meta{TTL: time.Hour})
	}
	r.sync()
	before := r.s.Stats().DiskBytes
	r.close()
	r.o.Capacity = 24 << 20
	r.open()
	// The first puts find no room until what is worth least has gone.
	r.put("new", "v", Meta{TTL: time.Hour})
	r.sync()
	r.want("new", "v")
	st := r.s.Stats()
	if before < 40_000_000 || st.DiskBytes > r.o.Capacity || st.Evictions == 0 || st.Entries < 50 {
		t.Errorf("of %d bytes %d stayed with %d entries, %d evicted; the capacity is %d", before, st.DiskBytes, st.Entries, st.Evictions, r.o.Capacity)
	}
	r.want(fmt.Sprint("k", entries-1), string(noise(entries-1, 100_000)))
	r.want("k0", "")
}
