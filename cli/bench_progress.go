package cli

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"stagecache/bench/curve"
)

// benchProgress shows how far a bench is: a line that changes on a terminal, a line per level elsewhere, nothing beside JSON.
type benchProgress struct {
	w      io.Writer
	tty    bool
	quiet  bool
	levels int // in all
	level  int // begun at 1
	drawn  bool
}

func newBenchProgress(w io.Writer, levels int, quiet bool) *benchProgress {
	f, ok := w.(*os.File)
	return &benchProgress{w: w, tty: ok && term.IsTerminal(int(f.Fd())), quiet: quiet, levels: levels, level: 1}
}

// clearLine goes to the beginning of the line and empties it.
const clearLine = "\r\x1b[K"

func (p *benchProgress) update(now curve.Progress) {
	done := now.Level != nil
	switch {
	case p.tty && !done:
		fmt.Fprintf(p.w, clearLine+"level %d of %d, %d %% full: %s, %3.0f %%, %s/s", p.level, p.levels, now.Percent, now.Phase, 100*now.Share, countText(int64(now.PerSecond)))
		p.drawn = true
	case done && !p.tty && !p.quiet:
		line := fmt.Sprintf("level %d of %d, %d %% full: %s puts/s", p.level, p.levels, now.Percent, countText(int64(now.Level.Puts.PerSecond)))
		if r := now.Level.GetsMemory; r != nil {
			line += ", " + countText(int64(r.PerSecond)) + " gets/s from memory"
		}
		if r := now.Level.GetsDisk; r != nil {
			line += ", " + countText(int64(r.PerSecond)) + " gets/s from disk"
		}
		fmt.Fprintln(p.w, line)
	}
	if done {
		p.level++
	}
}

// end removes the line.
func (p *benchProgress) end() {
	if p.drawn {
		fmt.Fprint(p.w, clearLine)
	}
}
