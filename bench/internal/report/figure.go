package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// None is what stands for the other side where there is no rival.
const None = "none"

// Figure is one claim with both its sides. Its name and unit are single words, its sides have no parentheses.
type Figure struct {
	Name   string
	Value  float64
	Unit   string
	Ours   string
	Theirs string // "": None
}

// String is the figure's line.
func (f Figure) String() string {
	theirs := f.Theirs
	if theirs == "" {
		theirs = None
	}
	return fmt.Sprintf("figure %s %s %s (ours %s, theirs %s)", f.Name, Number(f.Value), f.Unit, f.Ours, theirs)
}

// check refuses what a script could not read again.
func (f Figure) check() error {
	for _, word := range []string{f.Name, f.Unit} {
		if word == "" || strings.ContainsAny(word, " \t\n()") {
			return fmt.Errorf("figure %q: name and unit %q must be single words", f.Name, f.Unit)
		}
	}
	if f.Ours == "" || strings.ContainsAny(f.Ours+f.Theirs, "\n()") {
		return fmt.Errorf("figure %s: its sides (%q, %q) must be one line without parentheses", f.Name, f.Ours, f.Theirs)
	}
	if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		return fmt.Errorf("figure %s is no number: nothing was measured", f.Name)
	}
	return nil
}

// Sheet collects figures in their order.
type Sheet struct {
	figures []Figure
	notes   []string
	errs    []error
}

// Add takes a figure. One that cannot be printed is an error of Print.
func (s *Sheet) Add(f Figure) {
	if err := f.check(); err != nil {
		s.errs = append(s.errs, err)
		return
	}
	s.figures = append(s.figures, f)
}

// NotMeasured notes figures that this program does not measure, and where to look for them.
func (s *Sheet) NotMeasured(why string, names ...string) {
	s.notes = append(s.notes, "not measured here: "+strings.Join(names, ", ")+": "+why)
}

// Print writes the notes and then, last of all, a line per figure.
func (s *Sheet) Print(w io.Writer) error {
	var b strings.Builder
	for _, n := range s.notes {
		fmt.Fprintln(&b, n)
	}
	for _, f := range s.figures {
		fmt.Fprintln(&b, f)
	}
	_, err := io.WriteString(w, b.String())
	return errors.Join(append(s.errs, err)...)
}

// AppendTo adds a line per figure to a file, which is made if need be: where several programs measure for one run, what the file
// holds at the end are the figures of all.
func (s *Sheet) AppendTo(file string) (err error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, figure := range s.figures {
		if _, err := fmt.Fprintln(f, figure); err != nil {
			return err
		}
	}
	return nil
}

// Number writes a value with three significant digits or more, without exponent or separators: "0.0312", "1.04", "18400".
func Number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(digits, 0), 9), 64)
}

// Count writes a whole number with separators: "41,200". For reading; a Figure's value is written by Number.
func Count(v float64) string {
	text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return sign + text
}

// Bytes writes a size in the decimal unit that suits it: "3.21 GB".
func Bytes(n int64) string {
	v, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if math.Abs(v) < 1000 {
			break
		}
		v, unit = v/1000, next
	}
	return Number(v) + " " + unit
}
