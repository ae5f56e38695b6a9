package curve

import (
	"math"
	"strconv"
	"strings"
)

// axis maps values to 0 (its beginning) .. 1 (its end) and has marks at round values.
type axis struct {
	least, most float64
	log         bool
	marks       []float64
}

// newAxis makes an axis that holds all values. A linear one begins at 0; a logarithmic one begins and ends at powers of ten, and
// passes over what is not positive.
func newAxis(values []float64, log bool) axis {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if !log || v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	if log {
		return logAxis(least, most)
	}
	if most <= 0 {
		most = 1
	}
	step := round(most / 4)
	a := axis{most: step * math.Ceil(most/step-1e-9)}
	for i := 0; float64(i)*step <= a.most*(1+1e-9); i++ {
		a.marks = append(a.marks, float64(i)*step)
	}
	return a
}

// fillAxis is one for fill levels: it ends where they do, for the last one is seldom met to the percent.
func fillAxis(fills []float64) axis {
	a := axis{most: 100}
	for _, v := range fills {
		a.most = max(a.most, v)
	}
	step := 50 * math.Ceil(a.most/300)
	for i := 0; float64(i)*step <= a.most; i++ {
		a.marks = append(a.marks, float64(i)*step)
	}
	return a
}

func logAxis(least, most float64) axis {
	if most <= 0 {
		least, most = 1, 1
	}
	from, to := math.Floor(math.Log10(least)+1e-9), math.Ceil(math.Log10(most)-1e-9)
	to = max(to, from+1)
	a := axis{least: math.Pow(10, from), most: math.Pow(10, to), log: true}
	for e := from; e <= to; e++ {
		a.marks = append(a.marks, math.Pow(10, e))
	}
	return a
}

// round gives the nearest of 1, 2, 2.5 and 5 times a power of ten that is not below v, which must be positive.
func round(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if v <= f*unit*(1+1e-9) {
			return f * unit
		}
	}
	return 10 * unit
}

// at is where v lies; what is outside lies on the edge.
func (a *axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(max(v, a.least)/a.least) / math.Log10(a.most/a.least)
	} else {
		v = (v - a.least) / (a.most - a.least)
	}
	return min(max(v, 0), 1)
}

// short writes a mark: "250k", "1.5M", "0.8".
func short(v float64) string {
	unit := ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if math.Abs(v) < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	return plain(v) + unit
}

func shortBytes(v float64) string {
	s := short(v)
	if last := s[len(s)-1:]; strings.Contains("kMGT", last) {
		return s[:len(s)-1] + " " + last + "B"
	}
	return s + " B"
}

// shortSpan writes microseconds.
func shortSpan(us float64) string {
	switch {
	case us < 1:
		return plain(us*1000) + " ns"
	case us < 1000:
		return plain(us) + " us"
	case us < 1e6:
		return plain(us/1000) + " ms"
	}
	return plain(us/1e6) + " s"
}

func times(v float64) string { return plain(v) + "x" }

// plain writes three significant digits at most.
func plain(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
