package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"stagecache/bench/internal/values"
)

func TestKeysDiffer(t *testing.T) {
	d := newDataset(50_000, values.Generate(256))
	seen := make(map[string]bool)
	for i := range d.n {
		seen[string(d.key(i))] = true
	}
	if len(seen) != d.n {
		t.Errorf("%d keys for %d records", len(seen), d.n)
	}
}

// Every rival must give back, after reopening, what was put, and say that it has nothing else.
func TestEveryRivalKeepsWhatItIsGiven(t *testing.T) {
	d := newDataset(5000, values.Generate(1024))
	for _, v := range rivals(d.bytes) {
		t.Run(v.name, func(t *testing.T) {
			dir := t.TempDir()
			s := v.new()
			if err := s.open(dir); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.put(d.first(4000), clients()), s.close()); err != nil {
				t.Fatal(err)
			}
			s = v.new()
			if err := s.open(dir); err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if good, err := verify(s, d); good != 4000 || err != nil {
				t.Errorf("%d records readable of 4000, %v", good, err)
			}
			other := *d
			other.values = slices.Clone(d.values)
			slices.Reverse(other.values)
			if _, err := verify(s, &other); err == nil {
				t.Error("other values pass for right ones")
			}
		})
	}
}

func hitsOf(t *testing.T, p policy, keys string) (hits string) {
	t.Helper()
	for _, k := range keys {
		hit, err := p.access(uint32(k))
		if err != nil {
			t.Fatal(err)
		}
		if hit {
			hits += string(k)
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	return hits
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		name       string
		p          policy
		keys, hits string
	}{
		{"fifo evicts the oldest, hit or not", newFIFO(2), "abacacb", "ac"},
		{"lru evicts what was asked for longest ago", newLRU(2), "abacab", "aa"},
	} {
		if got := hitsOf(t, c.p, c.keys); got != c.hits {
			t.Errorf("%s: hits %q, want %q", c.name, got, c.hits)
		}
	}
}

// What S3-FIFO is for: keys that come once must not push out those that come again.
func TestS3FIFOKeepsItsMainQueueThroughAScan(t *testing.T) {
	s, f := newS3FIFO(100), newFIFO(100)
	for _, p := range []policy{s, f} {
		for range 3 {
			for k := range uint32(50) {
				_, _ = p.access(k) // these never fail
			}
		}
		for k := range uint32(1000) {
			_, _ = p.access(1000 + k)
		}
	}
	kept := func(p policy) (n int) {
		for k := range uint32(50) {
			if hit, _ := p.access(k); hit {
				n++
			}
		}
		return n
	}
	if a, b := kept(s), kept(f); a < 40 || b != 0 {
		t.Errorf("after a scan S3-FIFO has %d of 50, FIFO %d", a, b)
	}
}

// No policy may hold more than its size: a loop over a few keys more than fit gives FIFO and LRU no hit at all, and what
// is asked for within the size always is one.
func TestPoliciesKeepToTheirSize(t *testing.T) {
	for _, c := range contestants {
		if c.ours {
			continue
		}
		p, err := c.make(nil, 50)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			for k := range uint32(5000) {
				if _, err := p.access(k); err != nil {
					t.Fatal(err)
				}
			}
		}
		hits := 0
		for k := range uint32(5000) {
			if hit, _ := p.access(k); hit {
				hits++
			}
		}
		if hits > 55 { // otter and ristretto may be a few above for a moment
			t.Errorf("%s: %d hits with room for 50", c.name, hits)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}

// Ours hold what they say: as many entries as are asked for, and no more.
func TestTheMemoryTierIsMeasuredAtItsSize(t *testing.T) {
	for _, size := range []int{2048, 27_000} {
		p := newMemoryPolicy(size)
		hits := 0
		for range 4 {
			hits = 0
			for k := range uint32(8 * size) {
				hit, err := p.access(k)
				if err != nil {
					t.Fatal(err)
				}
				if hit {
					hits++
				}
			}
		}
		if hits > size {
			t.Errorf("a loop over far more keys has %d hits with room for %d", hits, size)
		}
		for k := range uint32(size / 2) {
			p.access(k) // what can fail did so above
		}
		hits = 0
		for k := range uint32(size / 2) {
			if hit, _ := p.access(k); hit {
				hits++
			}
		}
		if hits < size/4 {
			t.Errorf("of half of the %d entries there is room for, %d are there", size, hits)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheMadeTraceIsWhatItSays(t *testing.T) {
	made := makeTrace(100_000)
	seen := make(map[uint32]int)
	for _, k := range made.keys {
		seen[k]++
	}
	once := 0
	for _, n := range seen {
		if n == 1 {
			once++
		}
	}
	if len(seen) != made.distinct || once < 30_000 || once > 45_000 {
		t.Errorf("%d keys, said to be %d; %d of them come once", len(seen), made.distinct, once)
	}
	if again := makeTrace(100_000); !slices.Equal(made.keys, again.keys) {
		t.Error("two runs make different requests")
	}
}

// A crowd of users sees the ratio that one alone sees in its share.
func TestACrowdSeesWhatOneSees(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	zipf := rand.NewZipf(r, 1.1, 1, 999)
	one, many := newLRU(100), &crowd{policy: newLRU(700), users: 7}
	var a, b int
	for range 20_000 {
		k := uint32(zipf.Uint64())
		if hit, _ := one.access(k); hit {
			a++
		}
		if hit, _ := many.access(k); hit {
			b++
		}
	}
	if a == 0 || b < a-200 || b > a+200 {
		t.Errorf("one user has %d hits, one of seven %d", a, b)
	}
}

func TestTracesAreReadPackedAndPlain(t *testing.T) {
	plain := []byte{0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 9}
	var packed bytes.Buffer
	w, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := readTraces(dir); err == nil {
		t.Error("an empty folder has traces")
	}
	for name, b := range map[string][]byte{"a.trace": plain, "b.trace.xz": packed.Bytes(), "c.txt": []byte("x")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	traces, err := readTraces(dir)
	if err != nil || len(traces) != 2 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	for i, name := range []string{"a", "b"} {
		if tr := traces[i]; tr.name != name || !slices.Equal(tr.keys, []uint32{0, 1, 0}) || tr.distinct != 2 {
			t.Errorf("trace %d is %+v", i, tr)
		}
	}
	if _, err := parseTrace(plain[:5]); err == nil {
		t.Error("five bytes are a trace")
	}
}

// The whole program on very little: its last lines are the figures.
func TestARunEndsWithItsFigures(t *testing.T) {
	var out strings.Builder
	err := run(context.Background(), []string{"-short", "-mb", "1", "-rounds", "1", "-dir", t.TempDir(), "-rivals", "stagecache,badger", "-traces", t.TempDir(), "disk", "ratio"}, &out)
	if err != nil {
		if strings.Contains(err.Error(), "is memory and no disk") {
			t.Skip("the temporary folder is no disk, which a run needs: ", err)
		}
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	figure := regexp.MustCompile(`^figure ((put_vs_badger|get_warm_vs_badger) [0-9.]+ x \(ours [0-9,]+ (put|get)s/s, theirs [0-9,]+ (put|get)s/s\)` +
		`|memory_hits_vs_best -?[0-9.]+ points \(ours [0-9.]+ %, .* entries, theirs [a-z]+ [0-9.]+ %\))$`)
	for _, line := range lines[max(0, len(lines)-3):] {
		if !figure.MatchString(line) {
			t.Errorf("line %q is no figure", line)
		}
	}
	for _, want := range []string{"no -corpus given", "recorded requests are not measured"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

func TestWrongArgumentsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"disc"}, {"-rivals", "redis", "disk"}, {"-rounds", "-1"}, {"-dir", "/dev/shm", "disk"}} {
		if err := run(context.Background(), args, &strings.Builder{}); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
