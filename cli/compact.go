package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) compactCommand() *cli.Command {
	return p.leaf(command{
		name: "compact", usage: "rewrite what is mostly dead and give its room back",
		description: "The gateway serves meanwhile. Works on a gateway that is running and on one that is not.\n" +
			"Interrupting it does no harm.",
		flags:  []cli.Flag{stageFlag("the `STAGE` to compact"), jsonFlag()},
		remote: true,
		run:    (*call).compact,
	})
}

func (c *call) compact() error {
	stage, err := c.stage()
	if err != nil {
		return err
	}
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		show := newProgress(c.err, stage, c.json())
		r, err := conn.Compact(c.ctx, stage, show.update)
		show.end()
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(r)
		}
		c.printf("stage %s: compacted %s, %s given back, in %s",
			stage, plural(int64(r.Segments), "segment", "segments"), bytesText(r.BytesReclaimed), secondsText(r.ElapsedSeconds))
		return nil
	})
}

// progress shows how far a compaction is: a bar on a terminal, lines elsewhere, nothing beside JSON.
type progress struct {
	w     io.Writer
	stage string
	quiet bool
	bar   *progressbar.ProgressBar // nil: lines
	tty   bool
	last  int       // segments done at the last line
	since time.Time // of the last line
}

// lineEvery bounds how often a line is printed while nothing but bytes has changed.
const lineEvery = 5 * time.Second

func newProgress(w io.Writer, stage string, quiet bool) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, stage: stage, tty: ok && term.IsTerminal(int(f.Fd())), quiet: quiet, last: -1}
}

func (p *progress) update(c control.CompactProgress) {
	switch {
	case c.BytesTotal == 0 || p.quiet && !p.tty:
	case p.tty:
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(c.BytesTotal,
				progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("compacting "+p.stage),
				progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		p.bar.ChangeMax64(max(c.BytesTotal, c.BytesRead, 1))
		p.bar.Set64(c.BytesRead)
	case c.SegmentsDone != p.last || time.Since(p.since) >= lineEvery:
		p.last, p.since = c.SegmentsDone, time.Now()
		fmt.Fprintf(p.w, "compacting %s: segment %d of %d, %s of %s read, %s given back\n", p.stage, c.SegmentsDone, c.Segments,
			bytesText(c.BytesRead), bytesText(c.BytesTotal), bytesText(c.BytesReclaimed))
	}
}

// end removes the bar.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
