package curve

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// example is a result with n levels. Gets from disk begin at the third.
func example(n int) *Result {
	r := &Result{Date: time.Unix(1.7e9, 0).UTC(), Machine: "a <machine> & \"more\"", FileSystem: "ext4", SizeBytes: 20e9, MemoryBytes: 5e8,
		Values: "generated", ValueBytes: 1024, Workers: 8, Encrypt: true, Seconds: 90}
	for i, fill := range DefaultLevels()[:n] {
		resident, written, amplification, device := int64(1e8+1e6*i), int64(1e8), 1.04, 0.0
		l := Level{Percent: float64(fill) + 0.4, Entries: int64(1e6 * i), Puts: rateOf(60e3 + 1e3*float64(i)), SealedBytes: 1e8, WrittenBytes: &written,
			WriteAmplification: &amplification, Evictions: uint64(1000 * i), DiskBytes: int64(1e9 * i), ResidentBytes: &resident, IndexBytes: 2e7, StoreBytes: 9e7}
		memory := rateOf(1.2e6)
		l.GetsMemory = &memory
		if i >= 2 {
			disk := rateOf(150e3 / float64(i))
			l.GetsDisk, l.DeviceBytesPerGet = &disk, &device
		}
		r.Levels = append(r.Levels, l)
	}
	return r
}

func rateOf(perSecond float64) Rate {
	us := 1e6 / perSecond
	return Rate{Count: 1000, PerSecond: perSecond, P50: us, P99: 10 * us, P999: 500 * us, Max: 5000 * us}
}

type drawing struct {
	elements map[string]int
	texts    []string
}

// readSVG reads a picture, and fails if it is no XML, has a script or a link, or draws anything outside its frame.
func readSVG(t *testing.T, r *Result) drawing {
	t.Helper()
	var b strings.Builder
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	out := drawing{elements: make(map[string]int)}
	var width, height, x0, y0 float64
	inside := func(what string, x, y float64) {
		if x, y = x+x0, y+y0; !(x >= 0 && x <= width && y >= 0 && y <= height) {
			t.Errorf("%s at %v, %v is outside of %v x %v", what, x, y, width, height)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, b.String())
		}
		switch e := token.(type) {
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				out.texts = append(out.texts, s)
			}
		case xml.EndElement:
			if e.Name.Local == "g" {
				x0, y0 = 0, 0
			}
		case xml.StartElement:
			out.elements[e.Name.Local]++
			get := func(name string) float64 {
				for _, a := range e.Attr {
					if a.Name.Local == name {
						v, err := strconv.ParseFloat(a.Value, 64)
						if err != nil {
							t.Errorf("%s: %s=%q", e.Name.Local, name, a.Value)
						}
						return v
					}
				}
				t.Errorf("%s has no %s", e.Name.Local, name)
				return math.NaN()
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
					t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
				switch a.Name.Local {
				case "transform":
					if _, err := fmt.Sscanf(a.Value, "translate(%g %g)", &x0, &y0); err != nil {
						t.Errorf("transform %q: %v", a.Value, err)
					}
				case "d":
					for _, p := range strings.FieldsFunc(a.Value, func(r rune) bool { return r == 'M' || r == 'L' }) {
						var x, y float64
						if _, err := fmt.Sscanf(p, "%g %g", &x, &y); err != nil {
							t.Errorf("path %q: %v", a.Value, err)
						}
						inside("a line", x, y)
					}
				}
			}
			switch e.Name.Local {
			case "svg":
				width, height = get("width"), get("height")
			case "circle":
				inside("a dot", get("cx"), get("cy"))
			case "text":
				inside("a text", get("x"), get("y"))
			case "line":
				inside("a line", get("x1"), get("y1"))
				inside("a line", get("x2"), get("y2"))
			case "g", "path", "title":
			default:
				t.Errorf("there is a <%s>", e.Name.Local)
			}
		}
	}
}

func TestThePictureIsWellFormedAndShowsEveryLevel(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 15} {
		d := readSVG(t, example(n))
		if got := d.elements["g"]; got != 10 {
			t.Errorf("%d levels: %d panels, want 10", n, got)
		}
		// Fifteen lines have a dot at every level, and the four of gets from disk from the third on.
		if want := 15*n + 4*max(n-2, 0); d.elements["circle"] != want {
			t.Errorf("%d levels: %d dots, want %d", n, d.elements["circle"], want)
		}
	}
	d := readSVG(t, example(15))
	for _, want := range []string{"puts, per second", "p99.9", "100 %", "200 %", "60k", "1 ms", "resident memory", `machine: a <machine> & "more", ext4; 2023-11-14T22:13:20Z`} {
		if !slices.Contains(d.texts, want) {
			t.Errorf("no text is %q", want)
		}
	}
	if !slices.Contains(readSVG(t, example(2)).texts, "not measured") {
		t.Error("a panel without values does not say so")
	}
}

func TestAxesHoldTheirValuesAndHaveMarks(t *testing.T) {
	for _, c := range []struct {
		values      []float64
		log         bool
		least, most float64
		marks       int
	}{
		{[]float64{0}, false, 0, 1, 5},
		{[]float64{1}, false, 0, 1, 5},
		{[]float64{3, 61_000}, false, 0, 80_000, 5},
		{[]float64{1.06, 1.07}, false, 0, 1.5, 4},
		{[]float64{100}, false, 0, 100, 5},
		{[]float64{0, 1, 1000}, true, 1, 1000, 4},
		{[]float64{2.5, 31_000}, true, 1, 100_000, 6},
		{[]float64{10}, true, 10, 100, 2},
		{nil, true, 1, 10, 2},
	} {
		a := newAxis(c.values, c.log)
		if math.Abs(a.least-c.least) > 1e-9*c.most || math.Abs(a.most-c.most) > 1e-9*c.most || len(a.marks) != c.marks {
			t.Errorf("%v, log %v: from %v to %v with marks %v", c.values, c.log, a.least, a.most, a.marks)
		}
		for _, v := range append(a.marks, c.values...) {
			if at := a.at(v); !(at >= 0 && at <= 1) {
				t.Errorf("%v, log %v: %v lies at %v", c.values, c.log, v, at)
			}
		}
		if a.at(a.most) != 1 || a.at(a.least) != 0 {
			t.Errorf("%v, log %v: the ends lie at %v and %v", c.values, c.log, a.at(a.least), a.at(a.most))
		}
	}
}

func TestMarksHaveShortTexts(t *testing.T) {
	for got, want := range map[string]string{
		short(0): "0", short(250_000): "250k", short(1.5e6): "1.5M", shortBytes(0): "0 B", shortBytes(512): "512 B", shortBytes(2.5e9): "2.5 GB",
		shortSpan(0.1): "100 ns", shortSpan(10): "10 us", shortSpan(1e5): "100 ms", shortSpan(1e7): "10 s", times(1.5): "1.5x",
		micros(999): "999 us", micros(1500): "1.50 ms", micros(2e6): "2.00 s", plain(1234567): "1230000",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
