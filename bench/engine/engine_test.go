package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"stagecache/bench/internal/child"
)

// TestMain lets a measurement start this test binary as its own process.
func TestMain(m *testing.M) {
	if child.Role() == residentRole {
		if err := serveResident(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestAnOrderNamesEveryNumberOnceBeforeItRepeats(t *testing.T) {
	for _, n := range []uint64{1, 2, 7, 1000} {
		o := newOrder(n)
		for turn := range 2 {
			seen := make([]bool, n)
			for range n {
				i := o.next()
				if seen[i] {
					t.Fatalf("of %d, %d comes twice in turn %d", n, i, turn)
				}
				seen[i] = true
			}
		}
	}
}

func TestDriveDoesEveryNumberOnceAndCountsThem(t *testing.T) {
	b := &bench{ctx: t.Context()}
	for _, n := range []uint64{0, 1, block - 1, block, 5*block + 3} {
		var mu sync.Mutex
		seen := make(map[uint64]int)
		done, err := b.drive(3, 100, n, nil, func(_ int, i uint64) error {
			mu.Lock()
			defer mu.Unlock()
			seen[i]++
			return nil
		})
		if err != nil || done != n || uint64(len(seen)) != n {
			t.Fatalf("of %d: %d done, %d met, %v", n, done, len(seen), err)
		}
		for i, times := range seen {
			if times != 1 || i < 100 || i >= 100+n {
				t.Errorf("of %d: %d came %d times", n, i, times)
			}
		}
	}
}

func TestDriveEndsAtTheFirstErrorAndAtAnInterrupt(t *testing.T) {
	b := &bench{ctx: t.Context()}
	broken := errors.New("broken")
	if _, err := b.drive(2, 0, 1<<62, nil, func(_ int, i uint64) error {
		if i == 1000 {
			return broken
		}
		return nil
	}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.ctx = ctx
	if _, err := b.drive(2, 0, 1<<62, nil, func(_ int, i uint64) error {
		if i == 1000 {
			cancel()
		}
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after an interrupt", err)
	}
}

func TestAFewMissesAreTheIndexsRightAndManyAreNot(t *testing.T) {
	for _, c := range []struct {
		misses, reads uint64
		ok            bool
	}{{0, 0, true}, {0, 5, true}, {1, 5, false}, {1, 9_999, false}, {1, 10_000, true}, {11, 100_000, false}} {
		if err := tooManyMisses(c.misses, c.reads); (err == nil) != c.ok {
			t.Errorf("%d misses of %d reads: %v", c.misses, c.reads, err)
		}
	}
}

func TestSmallValuesKnowTheirNumber(t *testing.T) {
	v := small.Append(nil, 5)
	if len(v) != 8 || !small.Is(v, 5) || small.Is(v, 6) {
		t.Errorf("value %q", v)
	}
}

func TestChooseAddsWhatAStageNeeds(t *testing.T) {
	for only, want := range map[string]string{
		"": "put warm cold memory steady compact restart idle resident", "cold": "put cold", "idle,put": "put idle", "steady": "steady",
	} {
		got, err := choose(only, false)
		var names []string
		for _, s := range got {
			names = append(names, s.name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("-only %q chooses %q, %v; want %q", only, names, err, want)
		}
	}
	if _, err := choose("put,lukewarm", true); err == nil || !strings.Contains(err.Error(), `"lukewarm"`) || !strings.Contains(err.Error(), "restart") {
		t.Errorf("an unknown stage: %v", err)
	}
}

func TestAShortRunDoesWithoutSomeStagesUnlessTheyAreNamed(t *testing.T) {
	has := func(only, name string) bool {
		got, err := choose(only, true)
		if err != nil || len(got) == 0 {
			t.Fatalf("-short -only %q: %d stages, %v", only, len(got), err)
		}
		return slices.ContainsFunc(got, func(s stage) bool { return s.name == name })
	}
	for _, name := range []string{"warm", "compact"} {
		if has("", name) || !has(name, name) {
			t.Errorf("%s is run: %v unnamed, %v named", name, has("", name), has(name, name))
		}
	}
}

func TestBadFlagsAreErrorsThatNameThem(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-size", "huge"}, "-size"},
		{[]string{"-size", "1MB"}, "-size is 1MB"},
		{[]string{"-memory", "x"}, "-memory"},
		{[]string{"-only", "x"}, "-only"},
		{[]string{"-dir", "/dev/null/x"}, "-dir"},
		{[]string{"extra"}, `"extra"`},
	} {
		if err := run(t.Context(), c.args, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q in it", c.args, err, c.want)
		}
	}
}
