package report

import (
	"math"
	"slices"
)

// Median is the middle of the values, or the mean of the two in the middle; NaN of none. It does not change v.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Percentile is the smallest value that at least p percent of the values do not exceed (nearest rank); NaN of none.
func Percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	rank := int(math.Ceil(p / 100 * float64(len(s))))
	return s[min(max(rank, 1), len(s))-1]
}

// Spread is the least, the middle and the greatest of the values.
func Spread(v []float64) (least, middle, greatest float64) {
	if len(v) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return slices.Min(v), Median(v), slices.Max(v)
}

// Rounds are measurements of two sides that took turns, round by round.
type Rounds struct{ Ours, Theirs []float64 }

// Add takes one round.
func (r *Rounds) Add(ours, theirs float64) {
	r.Ours, r.Theirs = append(r.Ours, ours), append(r.Theirs, theirs)
}

// Ratio is the median of ours by the median of theirs: what the sides in a figure's line give.
func (r *Rounds) Ratio() float64 { return Median(r.Ours) / Median(r.Theirs) }

// Pairs are the ratios round by round, which a machine that is sometimes slower for both disturbs less.
func (r *Rounds) Pairs() []float64 {
	out := make([]float64, len(r.Ours))
	for i := range out {
		out[i] = r.Ours[i] / r.Theirs[i]
	}
	return out
}
