package report

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestMedianAndPercentile(t *testing.T) {
	for _, c := range []struct {
		v                []float64
		median, p50, p99 float64
	}{
		{[]float64{7}, 7, 7, 7},
		{[]float64{9, 1}, 5, 1, 9},
		{[]float64{3, 1, 2}, 2, 2, 3},
		{[]float64{4, 1, 3, 2}, 2.5, 2, 4},
		{[]float64{5, 5, 5, 5, 1000}, 5, 5, 1000},
	} {
		before := slices.Clone(c.v)
		if got := Median(c.v); got != c.median {
			t.Errorf("median of %v: %v, want %v", c.v, got, c.median)
		}
		if got := Percentile(c.v, 50); got != c.p50 {
			t.Errorf("p50 of %v: %v, want %v", c.v, got, c.p50)
		}
		if got := Percentile(c.v, 99); got != c.p99 {
			t.Errorf("p99 of %v: %v, want %v", c.v, got, c.p99)
		}
		if !slices.Equal(c.v, before) {
			t.Errorf("%v was changed to %v", before, c.v)
		}
	}
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for p, want := range map[float64]float64{0: 1, 1: 1, 50: 50, 99: 99, 99.9: 100, 100: 100} {
		if got := Percentile(hundred, p); got != want {
			t.Errorf("p%v of 1 to 100: %v, want %v", p, got, want)
		}
	}
	if !math.IsNaN(Median(nil)) || !math.IsNaN(Percentile(nil, 50)) {
		t.Error("of no values, the median and every percentile are no numbers")
	}
}

func TestRoundsCompareMediansAndPairs(t *testing.T) {
	var r Rounds
	r.Add(90, 100)
	r.Add(45, 50) // the machine was busy for both
	r.Add(80, 100)
	if got := r.Ratio(); got != 0.8 {
		t.Errorf("ratio of medians %v, want 0.8", got)
	}
	if got := r.Pairs(); !slices.Equal(got, []float64{0.9, 0.9, 0.8}) {
		t.Errorf("pairs %v", got)
	}
	if least, middle, greatest := Spread(r.Pairs()); least != 0.8 || middle != 0.9 || greatest != 0.9 {
		t.Errorf("spread %v %v %v", least, middle, greatest)
	}
}

func TestNumbersForScriptsAndForReaders(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 1.0449: "1.04", 0.0312: "0.0312", 12.34: "12.3", 123.4: "123", 18400.4: "18400", 999.6: "1000",
		1234567.8: "1234568", -2.5: "-2.50", 1e-12: "0.000000000",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 999.4: "999", 999.5: "1,000", 41200: "41,200", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := Count(v); got != want {
			t.Errorf("Count(%v) is %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 3_210_000_000: "3.21 GB", -2_000_000: "-2.00 MB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestSheetsOfSeveralProgramsMeetInOneFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sheet")
	var want strings.Builder
	for _, name := range []string{"a", "b"} {
		var s Sheet
		s.Add(Figure{Name: name, Value: 2, Unit: "x", Ours: "2", Theirs: "1"})
		s.NotMeasured("no figure", "c")
		if err := s.AppendTo(file); err != nil {
			t.Fatal(err)
		}
		want.WriteString("figure " + name + " 2.00 x (ours 2, theirs 1)\n")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want.String() {
		t.Errorf("the file holds %q, %v; want %q", got, err, want.String())
	}
	if err := new(Sheet).AppendTo(filepath.Join(file, "x")); err == nil {
		t.Error("a file that cannot be made is no error")
	}
}

func TestAFigureLineCanBeReadAgain(t *testing.T) {
	line := regexp.MustCompile(`^figure ([a-z0-9_]+) (-?[0-9]+(?:\.[0-9]+)?) (\S+) \(ours ([^()]+), theirs ([^()]+)\)$`)
	var s Sheet
	s.Add(Figure{Name: "put_speed", Value: 2.345, Unit: "x", Ours: "140,000 puts/s", Theirs: "61,000 puts/s"})
	s.Add(Figure{Name: "idle_write_bytes_per_s", Value: 0, Unit: "B/s", Ours: "0 B in 10 s"})
	s.NotMeasured("somewhere else", "a", "b")
	var b strings.Builder
	if err := s.Print(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 3 || lines[0] != "not measured here: a, b: somewhere else" {
		t.Fatalf("printed %q", lines)
	}
	for i, want := range [][]string{{"put_speed", "2.35", "x", "140,000 puts/s", "61,000 puts/s"}, {"idle_write_bytes_per_s", "0", "B/s", "0 B in 10 s", "none"}} {
		if got := line.FindStringSubmatch(lines[i+1]); got == nil || !slices.Equal(got[1:], want) {
			t.Errorf("line %q gives %q, want %q", lines[i+1], got, want)
		}
	}
}

func TestWhatIsNoFigureIsAnErrorAndNoLine(t *testing.T) {
	for name, f := range map[string]Figure{
		"two words":       {Name: "a b", Value: 1, Unit: "x", Ours: "1"},
		"no unit":         {Name: "a", Value: 1, Ours: "1"},
		"no side":         {Name: "a", Value: 1, Unit: "x"},
		"a parenthesis":   {Name: "a", Value: 1, Unit: "x", Ours: "1 (one)"},
		"nothing by none": {Name: "a", Value: math.NaN(), Unit: "x", Ours: "1"},
		"one by nothing":  {Name: "a", Value: math.Inf(1), Unit: "x", Ours: "1"},
	} {
		var s Sheet
		s.Add(f)
		var b strings.Builder
		if err := s.Print(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v, printed %q", name, err, b.String())
		}
	}
}
