package tier

import (
	"context"
	"errors"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// mostlyDead fills segments with records of which one in ten is left, and says which.
func mostlyDead(l *life) (live []int) {
	l.t.Helper()
	const records = 1500
	for n := range records {
		l.mustPut(n, uint64(n+1), 2000, time.Hour)
		if n%50 == 49 {
			l.sync()
		}
	}
	for n := range records {
		if n%10 == 0 {
			live = append(live, n)
			continue
		}
		_, f, err := l.d.Get(nil, hashOf(n))
		if err != nil {
			l.t.Fatal(err)
		}
		l.d.Drop(hashOf(n), f)
	}
	l.sync()
	return live
}

func hasDead(i SegmentInfo) bool { return i.Live < i.Records/2 }

// A compaction that was stopped, or that a kill ended, has done what it did: the next call has only the rest to do.
func TestACompactionGoesOnWhereItWas(t *testing.T) {
	for _, end := range []string{"stop", "kill"} {
		t.Run(end, func(t *testing.T) {
			l := newLife(t, nil)
			live := mostlyDead(l)
			before := l.d.Stats()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			first, err := l.d.Compact(ctx, hasDead, keepAll, func(c Compaction) {
				if c.SegmentsDone == c.Segments/2 {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) || first.SegmentsDone < 3 || first.SegmentsDone > first.Segments-3 {
				t.Fatalf("%+v, %v", first, err)
			}
			if end == "kill" {
				l.crash()
				l.open()
			}
			second, err := l.d.Compact(context.Background(), hasDead, keepAll, nil)
			if err != nil || second.SegmentsDone != second.Segments || second.Segments > first.Segments-first.SegmentsDone {
				t.Fatalf("after %+v: %+v, %v", first, second, err)
			}
			for _, n := range live {
				l.wantSeq(n, uint64(n+1), "after both")
			}
			after := l.d.Stats()
			if after.DiskBytes > before.DiskBytes/4 {
				t.Errorf("%d bytes with a tenth of them live became %d", before.DiskBytes, after.DiskBytes)
			}
			if du := vfs.TreeUsage(vfs.OS, l.dir); du != after.DiskBytes {
				t.Errorf("%d bytes by the statistics, %d by du", after.DiskBytes, du)
			}
			if end == "stop" && first.BytesReclaimed+second.BytesReclaimed > before.DiskBytes-after.DiskBytes {
				t.Errorf("said to be reclaimed: %d and %d; in truth %d", first.BytesReclaimed, second.BytesReclaimed, before.DiskBytes-after.DiskBytes)
			}
			third, err := l.d.Compact(context.Background(), hasDead, keepAll, nil)
			if err != nil || third.Segments != 0 {
				t.Errorf("a third time there was something to do: %+v, %v", third, err)
			}
			l.reopen()
			for _, n := range live {
				l.wantSeq(n, uint64(n+1), "after a restart")
			}
		})
	}
}

// What is put and replaced while records move stays the newest.
func TestPutsDuringACompactionWin(t *testing.T) {
	l := newLife(t, nil)
	live := mostlyDead(l)
	seq := uint64(10_000)
	newest := make(map[int]uint64)
	if _, err := l.d.Compact(context.Background(), hasDead, keepAll, func(Compaction) {
		n := live[int(seq)*7%len(live)]
		seq++
		newest[n] = seq
		l.mustPut(n, seq, 500, time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, n := range live {
			want := uint64(n + 1)
			if s, ok := newest[n]; ok {
				want = s
			}
			l.wantSeq(n, want, when)
		}
	}
	check("after it")
	l.sync()
	l.reopen()
	check("after a restart")
}
