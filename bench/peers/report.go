package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
)

// table prints rows in columns, the first one flush left.
func (b *bench) table(head []string, rows [][]string) {
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	width := 0
	for _, row := range append([][]string{head}, rows...) {
		width = max(width, len(row[0]))
	}
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintf(w, "%-*s\t%s\t\n", width, row[0], strings.Join(row[1:], "\t"))
	}
	w.Flush()
}

// spreadOf is the median with the least and the greatest.
func spreadOf(v []float64) string {
	least, middle, greatest := report.Spread(v)
	return fmt.Sprintf("%s (%s - %s)", report.Count(middle), report.Count(least), report.Count(greatest))
}

func (r *diskRun) report() {
	var puts, gets [][]string
	for _, v := range r.rivals {
		res := r.results[v.name]
		puts = append(puts, []string{v.name, spreadOf(res.puts), fmt.Sprintf("%.2f", report.Median(res.putCPU)),
			fmt.Sprintf("%d of %d", res.readable, res.stored), fmt.Sprintf("%.2f", res.written), fmt.Sprintf("%.2f", res.disk)})
		gets = append(gets, []string{v.name, spreadOf(res.gets), fmt.Sprintf("%.2f", report.Median(res.getCPU))})
	}
	r.printf("put, until closed and synced; median (least - greatest)\n")
	r.table([]string{"", "puts/s", "cpu us each", "readable after reopening", "written/byte", "on disk/byte"}, puts)
	r.printf("get, warm, keys at random\n")
	r.table([]string{"", "gets/s", "cpu us each"}, gets)
	for _, v := range r.rivals {
		r.printf("  %s: %s\n", v.name, v.note)
		if lost := r.results[v.name].lost; lost > 0 {
			r.printf("  %s: over all rounds %d records were not readable after reopening\n", v.name, lost)
		}
	}
}

// line adds a figure: the run's own for the values that every run has, a separate one for those of a corpus.
func (b *bench) line(src *values.Source, name, unit string, ours, theirs []float64) {
	r := report.Rounds{Ours: ours, Theirs: theirs}
	least, middle, greatest := report.Spread(r.Pairs())
	b.printf("%s: %.2f, round by round %.2f (%.2f - %.2f)\n", name, r.Ratio(), middle, least, greatest)
	if src != b.sources[0] {
		name += "_corpus"
	}
	b.sheet.Add(report.Figure{Name: name, Value: r.Ratio(), Unit: "x",
		Ours: report.Count(report.Median(ours)) + " " + unit, Theirs: report.Count(report.Median(theirs)) + " " + unit})
}

// diskUsage is what du says of dir.
func diskUsage(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // a file that has just gone takes nothing
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}

// cgo says whether rivals could be built with their C code: Pebble's zstd is C with it, Go without.
func cgo() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "CGO_ENABLED" && s.Value == "1" {
				return "on"
			}
		}
	}
	return "off"
}
