package curve

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// Colours that can be told apart on white and on black: the picture has no background of its own.
const (
	ink    = "#808080"
	blue   = "#2f86cf"
	orange = "#dd8a24"
	red    = "#cc5555"
	green  = "#3f9d60"
)

// The sizes of the picture and of a panel in it, in pixels; left and bottom have room for marks.
const (
	panelWidth, panelHeight = 480, 230
	padLeft, padRight       = 66, 24
	padTop, padBottom       = 44, 36
	headHeight              = 66
	columns                 = 2
)

// series is one line of a panel. A value that is not there (NaN) interrupts it.
type series struct {
	name, colour string
	values       []float64
}

type panel struct {
	title string
	log   bool
	mark  func(float64) string
	lines []series
}

// WriteSVG draws the curve: a panel per kind of figure over the fill level. The picture has no scripts, fetches nothing, and is
// for light and dark backgrounds alike.
func (r *Result) WriteSVG(w io.Writer) error {
	panels := r.panels()
	width, height := columns*panelWidth, headHeight+(len(panels)+columns-1)/columns*panelHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `, width, height, width, height)
	fmt.Fprintf(&b, `font-family="system-ui, sans-serif" font-size="11" fill="%s">`+"\n", ink)
	fmt.Fprintf(&b, "<title>What a stagecache store costs as it fills</title>\n")
	text(&b, 12, 20, `font-size="15" font-weight="bold"`, "What a stagecache store costs as it fills")
	for i, line := range r.about() {
		text(&b, 12, 38+float64(i)*15, "", line)
	}
	for i := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%columns*panelWidth, headHeight+i/columns*panelHeight)
		panels[i].draw(&b, r.fills())
		fmt.Fprintln(&b, "</g>")
	}
	fmt.Fprintln(&b, "</svg>")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) fills() []float64 {
	return r.pick(func(l *Level) *float64 { return &l.Percent })
}

// pick gives a value of every level; NaN where there is none.
func (r *Result) pick(of func(*Level) *float64) []float64 {
	out := make([]float64, len(r.Levels))
	for i := range r.Levels {
		out[i] = math.NaN()
		if v := of(&r.Levels[i]); v != nil {
			out[i] = *v
		}
	}
	return out
}

func (r *Result) panels() []panel {
	line := func(name, colour string, of func(*Level) *float64) series { return series{name, colour, r.pick(of)} }
	whole := func(name, colour string, of func(*Level) int64) series {
		return line(name, colour, func(l *Level) *float64 { v := float64(of(l)); return &v })
	}
	var out []panel
	for _, k := range []struct {
		what, verb string
		of         func(*Level) *Rate
	}{
		{"puts", "put", func(l *Level) *Rate { return &l.Puts }},
		{"gets from memory", "get", func(l *Level) *Rate { return l.GetsMemory }},
		{"gets from disk", "get", func(l *Level) *Rate { return l.GetsDisk }},
	} {
		of := func(name, colour string, value func(*Rate) *float64) series {
			return line(name, colour, func(l *Level) *float64 {
				if rate := k.of(l); rate != nil {
					return value(rate)
				}
				return nil
			})
		}
		out = append(out,
			panel{k.what + ", per second", false, short, []series{of(k.verb+"s/s", blue, func(r *Rate) *float64 { return &r.PerSecond })}},
			panel{k.what + ", time of one (log)", true, shortSpan, []series{
				of("p50", blue, func(r *Rate) *float64 { return &r.P50 }),
				of("p99", orange, func(r *Rate) *float64 { return &r.P99 }),
				of("p99.9", red, func(r *Rate) *float64 { return &r.P999 }),
			}})
	}
	return append(out,
		panel{"bytes written to disk per byte of sealed records", false, times, []series{
			line("written/sealed", blue, func(l *Level) *float64 { return l.WriteAmplification }),
		}},
		panel{"entries", false, short, []series{
			whole("in the store", blue, func(l *Level) int64 { return l.Entries }),
			whole("evicted since the level before", orange, func(l *Level) int64 { return int64(l.Evictions) }),
		}},
		panel{"resident memory", false, shortBytes, []series{
			line("process", blue, func(l *Level) *float64 {
				if l.ResidentBytes == nil {
					return nil
				}
				v := float64(*l.ResidentBytes)
				return &v
			}),
			whole("store, by its statistics", green, func(l *Level) int64 { return l.StoreBytes }),
			whole("its index", orange, func(l *Level) int64 { return l.IndexBytes }),
		}},
		panel{"bytes on disk", false, shortBytes, []series{
			whole("as du counts", blue, func(l *Level) int64 { return l.DiskBytes }),
		}})
}

func (p *panel) draw(b *strings.Builder, fills []float64) {
	var all []float64
	for _, s := range p.lines {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				all = append(all, v)
			}
		}
	}
	text(b, padLeft, 16, `font-size="12" font-weight="bold"`, p.title)
	if len(all) == 0 {
		text(b, padLeft, padTop+40, "", "not measured")
		return
	}
	x, y := fillAxis(fills), newAxis(all, p.log)
	const right, bottom = panelWidth - padRight, panelHeight - padBottom
	px := func(v float64) float64 { return padLeft + x.at(v)*(right-padLeft) }
	py := func(v float64) float64 { return bottom - y.at(v)*(bottom-padTop) }
	for _, m := range y.marks {
		line(b, padLeft, py(m), right, py(m), `stroke-opacity="0.25"`)
		text(b, padLeft-6, py(m)+4, `text-anchor="end"`, p.mark(m))
	}
	for _, m := range x.marks {
		line(b, px(m), bottom, px(m), bottom+4, `stroke-opacity="0.6"`)
		text(b, px(m), bottom+16, `text-anchor="middle"`, plain(m)+" %")
	}
	line(b, px(100), padTop, px(100), bottom, `stroke-dasharray="3 3" stroke-opacity="0.6"`)
	text(b, right, bottom+30, `text-anchor="end"`, "bytes written, of the capacity; full from 100 % on")
	left := float64(padLeft)
	for _, s := range p.lines {
		s.draw(b, fills, px, py, p.mark)
		if len(p.lines) > 1 {
			line(b, left, 28, left+16, 28, fmt.Sprintf(`stroke="%s" stroke-width="2"`, s.colour))
			text(b, left+21, 32, "", s.name)
			left += 34 + 6*float64(len(s.name))
		}
	}
}

// draw draws the line, a dot for each value, and for whoever points at it what it stands for.
func (s *series) draw(b *strings.Builder, fills []float64, px, py func(float64) float64, mark func(float64) string) {
	var path strings.Builder
	pen := "M"
	for i, v := range s.values {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, px(fills[i]), py(v))
		pen = "L"
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8"/>`+"\n", path.String(), s.colour)
	for i, v := range s.values {
		if !math.IsNaN(v) {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.4" fill="%s"><title>%s at %s: %s</title></circle>`+"\n",
				px(fills[i]), py(v), s.colour, escape(s.name), percent(fills[i]), escape(mark(v)))
		}
	}
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, attributes string) {
	if !strings.Contains(attributes, "stroke=") {
		attributes = `stroke="` + ink + `" ` + attributes
	}
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, attributes)
}

func text(b *strings.Builder, x, y float64, attributes, content string) {
	if attributes != "" {
		attributes = " " + attributes
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f"%s>%s</text>`+"\n", x, y, attributes, escape(content))
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // into a strings.Builder, which does not fail
	return b.String()
}
