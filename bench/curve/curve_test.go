package curve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stagecache/engine"
)

// small is a run of about a second.
func small() Options {
	return Options{Size: MinSize, Memory: engine.MinMemory, ValueSize: 16384, Workers: 3, Levels: []int{2, 110, 115}, ReadTime: time.Millisecond}
}

func claim(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestARunMeasuresEveryLevel(t *testing.T) {
	var done []int
	o := small()
	o.Progress = func(p Progress) {
		if p.Level != nil {
			done = append(done, p.Percent)
		}
	}
	r, err := Run(t.Context(), claim(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Levels) != 3 || r.Interrupted || !slices.Equal(done, o.Levels) {
		t.Fatalf("%d levels, told of %v, interrupted %v", len(r.Levels), done, r.Interrupted)
	}
	for i, l := range r.Levels {
		if want := float64(o.Levels[i]); l.Percent < want-1 || l.Percent > want+6 {
			t.Errorf("level %v was measured at %v", want, l.Percent)
		}
		if l.Puts.Count == 0 || l.Puts.PerSecond <= 0 || l.Puts.P50 > l.Puts.P99 || l.Puts.P99 > l.Puts.P999 || l.Puts.P999 > l.Puts.Max {
			t.Errorf("puts %+v", l.Puts)
		}
		if l.GetsMemory == nil {
			t.Errorf("level %d has no gets from memory", o.Levels[i])
		}
		if l.SealedBytes <= 0 || l.IndexBytes <= 0 || l.DiskBytes <= 0 {
			t.Errorf("level %+v", l)
		}
	}
	first, last := r.Levels[0], r.Levels[2]
	if first.GetsDisk != nil {
		t.Error("what fits into memory was read from disk")
	}
	if r.Levels[1].GetsDisk == nil || r.Levels[1].Evictions+last.Evictions == 0 || first.Evictions != 0 {
		t.Errorf("a full store: gets from disk %v, %d evictions", r.Levels[1].GetsDisk, r.Levels[1].Evictions)
	}
	if last.DiskBytes > MinSize*5/4 || last.Entries <= first.Entries {
		t.Errorf("a full store has %d bytes on disk and %d entries", last.DiskBytes, last.Entries)
	}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(b.String(), "\n"); !strings.HasPrefix(lines[0], "machine: ") || !strings.Contains(b.String(), "puts/s") || !strings.Contains(b.String(), "\nputs at ") {
		t.Errorf("table\n%s", b.String())
	}
}

func TestACorpusIsStoredAndFoundAgain(t *testing.T) {
	corpus := t.TempDir()
	for name, text := range map[string]string{"a.json": `{"a": 1}`, "b.json": `["` + strings.Repeat("b", 3000) + `"]`} {
		if err := os.WriteFile(filepath.Join(corpus, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := small()
	o.ValueSize, o.Corpus, o.Levels, o.Plain = 0, corpus, []int{3}, true
	r, err := Run(t.Context(), claim(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.ValueBytes != float64(8+3004+2*digits)/2 || r.Encrypt || len(r.Levels) != 1 || r.Levels[0].GetsMemory == nil {
		t.Errorf("result %+v", r)
	}
	p, err := o.payload()
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(4) {
		v := p.append(nil, i)
		for k := range uint64(4) {
			if p.is(v, k) != (i == k) {
				t.Errorf("value %d is that of %d: %v", i, k, i != k)
			}
		}
	}
}

func TestAnInterruptLeavesTheLevelsThatWereFinished(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := small()
	o.Progress = func(p Progress) {
		if p.Level != nil {
			cancel()
		}
	}
	r, err := Run(ctx, claim(t, t.TempDir()), o)
	if !errors.Is(err, context.Canceled) || r == nil || len(r.Levels) != 1 || !r.Interrupted {
		t.Errorf("result %+v, %v", r, err)
	}
}

func TestWriteOnlyAsksForNothing(t *testing.T) {
	o := small()
	o.WriteOnly, o.Levels = true, []int{2}
	r, err := Run(t.Context(), claim(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil || r.Levels[0].GetsMemory != nil || strings.Contains(b.String(), "gets/s") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestOptionsThatMakeNoSenseAreErrors(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"size is 1 bytes":   func(o *Options) { o.Size = 1 },
		"memory is 1 bytes": func(o *Options) { o.Memory = 1 },
		"exclude each":      func(o *Options) { o.Corpus = "x" },
		"values of 8 bytes": func(o *Options) { o.ValueSize = 8 },
		"-1 workers":        func(o *Options) { o.Workers = -1 },
		"levels [2 1]":      func(o *Options) { o.Levels = []int{2, 1} },
		"levels [0 1]":      func(o *Options) { o.Levels = []int{0, 1} },
		"missing":           func(o *Options) { o.ValueSize, o.Corpus = 0, filepath.Join("missing", "corpus") },
	} {
		o := small()
		change(&o)
		if r, err := Run(t.Context(), claim(t, t.TempDir()), o); err == nil || !strings.Contains(err.Error(), want) || r != nil {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	o := small()
	o.Size = 1 << 60
	var room *NoRoomError
	if _, err := Run(t.Context(), claim(t, t.TempDir()), o); !errors.As(err, &room) || room.Need <= 1<<60 || room.Free <= 0 {
		t.Errorf("a size that no disk has: %v", err)
	}
}

func TestAClaimTouchesNothingOfOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	f, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(f.Path) != dir {
		t.Errorf("the folder is %s", f.Path)
	}
	second := claim(t, dir) // beside a run that is still going on
	if !slices.Equal(second.Leftover, []string{f.Path}) {
		t.Errorf("left over: %q", second.Leftover)
	}
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Path); err != nil {
		t.Errorf("the other run's folder: %v", err)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory that was made is still there: %v", err)
	}

	for _, make := range []func(dir string) error{
		func(dir string) error { return os.Mkdir(filepath.Join(dir, "stages"), 0o700) },
		func(dir string) error { return os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600) },
		// One that only looks like ours.
		func(dir string) error { return os.Mkdir(filepath.Join(dir, folderPrefix+"1"), 0o700) },
	} {
		dir := t.TempDir()
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		var foreign *NotOursError
		if _, err := Claim(dir); !errors.As(err, &foreign) || foreign.Dir != dir {
			t.Errorf("a directory in use: %v", err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("it holds %v now, %v", entries, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(file); err == nil {
		t.Error("a file was claimed")
	}
}

func TestASampleHasNoNumberTwice(t *testing.T) {
	for _, c := range []struct {
		first, end uint64
		most, want int
	}{{5, 5, 10, 0}, {5, 6, 10, 1}, {0, 1000, 10, 10}, {100, 1100, 1000, 1000}, {7, 1234, 5000, 1227}} {
		got := sample(c.first, c.end, c.most)
		slices.Sort(got)
		if len(got) != c.want || len(slices.Compact(got)) != c.want || c.want > 0 && (got[0] < c.first || got[c.want-1] >= c.end) {
			t.Errorf("of %d to %d at most %d: %d", c.first, c.end, c.most, len(got))
		}
	}
}
