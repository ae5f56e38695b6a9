package curve

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"stagecache/bench/internal/report"
)

// WriteTable writes the curve for people: what was measured where, a table of puts, a table of gets, and how the last level
// compares with an early one.
func (r *Result) WriteTable(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.about() {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	rows := [][]string{{"fill", "entries", "puts/s", "p50", "p99", "p99.9", "written/sealed", "evicted", "on disk", "resident"}}
	for i := range r.Levels {
		l := &r.Levels[i]
		rows = append(rows, append(append([]string{percent(l.Percent), report.Count(float64(l.Entries))}, l.Puts.cells()...),
			number(l.WriteAmplification, report.Number), report.Count(float64(l.Evictions)), report.Bytes(l.DiskBytes), number(l.ResidentBytes, report.Bytes)))
	}
	table(&b, rows)
	fmt.Fprintln(&b)
	rows = [][]string{{"fill", "memory gets/s", "p50", "p99", "p99.9", "disk gets/s", "p50", "p99", "p99.9", "from device"}}
	for i := range r.Levels {
		l := &r.Levels[i]
		device := number(l.DeviceBytesPerGet, func(v float64) string { return report.Bytes(int64(v)) })
		rows = append(rows, append(append(append([]string{percent(l.Percent)}, l.GetsMemory.cells()...), l.GetsDisk.cells()...), device))
	}
	if r.read() {
		table(&b, rows)
		fmt.Fprintln(&b)
	}
	for _, line := range r.compare() {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "all levels took %.0f s\n", r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

// about says what was measured, and on what.
func (r *Result) about() []string {
	fs := r.FileSystem
	if fs == "" {
		fs = "unknown file system"
	}
	seal := "sealed with AES-256-GCM"
	if !r.Encrypt {
		seal = "not encrypted"
	}
	tier := "no memory tier"
	if r.MemoryBytes > 0 {
		tier = report.Bytes(r.MemoryBytes) + " of memory"
	}
	return []string{
		fmt.Sprintf("machine: %s, %s; %s", r.Machine, fs, r.Date.Format(time.RFC3339)),
		fmt.Sprintf("store: %s on disk, %s, %s; %s, %d workers", report.Bytes(r.SizeBytes), tier, seal, r.Values, r.Workers),
	}
}

func (r *Result) read() bool {
	for i := range r.Levels {
		if r.Levels[i].GetsMemory != nil || r.Levels[i].GetsDisk != nil {
			return true
		}
	}
	return false
}

// compare sets the last level beside the first one at which everything was measured that is there.
func (r *Result) compare() []string {
	if len(r.Levels) < 2 {
		return nil
	}
	last := &r.Levels[len(r.Levels)-1]
	var out []string
	say := func(what string, rate func(*Level) *Rate) {
		end := rate(last)
		if end == nil {
			return
		}
		for i := range r.Levels[:len(r.Levels)-1] {
			l := &r.Levels[i]
			if begin := rate(l); begin != nil && begin.PerSecond > 0 && begin.P99 > 0 {
				out = append(out, fmt.Sprintf("%s, beside %s: rate x %s, p99 x %s",
					what, percent(l.Percent), report.Number(end.PerSecond/begin.PerSecond), report.Number(end.P99/begin.P99)))
				return
			}
		}
	}
	at := " at " + percent(last.Percent)
	say("puts"+at, func(l *Level) *Rate { return &l.Puts })
	say("gets from memory"+at, func(l *Level) *Rate { return l.GetsMemory })
	say("gets from disk"+at, func(l *Level) *Rate { return l.GetsDisk })
	return out
}

func table(b *strings.Builder, rows [][]string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	w.Flush() // into a strings.Builder, which does not fail
}

const unknown = "-"

// number writes what may be unknown.
func number[T any](v *T, text func(T) string) string {
	if v == nil {
		return unknown
	}
	return text(*v)
}

func (r *Rate) cells() []string {
	if r == nil {
		return []string{unknown, unknown, unknown, unknown}
	}
	return []string{report.Count(r.PerSecond), micros(r.P50), micros(r.P99), micros(r.P999)}
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", v) }

// micros writes a span that is given in microseconds.
func micros(us float64) string {
	switch {
	case us < 1000:
		return report.Number(us) + " us"
	case us < 1e6:
		return report.Number(us/1000) + " ms"
	}
	return report.Number(us/1e6) + " s"
}
