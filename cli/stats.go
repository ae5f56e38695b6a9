package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) statsCommand() *cli.Command {
	return p.leaf(command{
		name: "stats", usage: "hit rate, what each tier holds, backend time saved",
		description: "Without --stage all stages are shown. Requests are counted from the start of the gateway; on one that is\n" +
			"not running only what the disk holds is known.",
		flags: []cli.Flag{
			stageFlag("one `STAGE` only"), jsonFlag(),
			&cli.BoolFlag{DisableDefaultText: true, Name: "watch", Aliases: []string{"w"}, Usage: "show them again and again, until interrupted"},
			&cli.DurationFlag{Name: "interval", Usage: "how often with --watch", Value: 2 * time.Second},
		},
		remote: true,
		run:    (*call).stats,
	})
}

// minInterval keeps --watch from asking without a pause.
const minInterval = 100 * time.Millisecond

func (c *call) stats() error {
	watch, every := c.flags.Bool("watch"), c.flags.Duration("interval")
	if every < minInterval {
		return usagef("", "--interval is less than %v", minInterval)
	}
	if c.flags.IsSet("interval") && !watch {
		return usagef("add --watch", "--interval needs --watch")
	}
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		if !watch {
			return c.showStats(conn)
		}
		if conn.Offline {
			return &control.UnreachableError{
				Message:  "the gateway is not running: there is nothing to watch",
				HintText: "without --watch the figures on the disk are shown",
			}
		}
		return c.watchStats(conn, every)
	})
}

func (c *call) showStats(conn *control.Connection) error {
	if stage := c.flags.String("stage"); stage != "" {
		s, err := conn.Stats(c.ctx, stage)
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(s)
		}
		writeStats(c.out, s, conn.Offline)
		return nil
	}
	list, err := conn.AllStats(c.ctx)
	if err != nil {
		return err
	}
	if c.json() {
		return c.printJSON(control.StatsList{Stages: list})
	}
	writeStatsTable(c.out, list, conn.Offline)
	return nil
}

// watchStats shows figures until it is interrupted, which is how a watch ends well.
func (c *call) watchStats(conn *control.Connection, every time.Duration) error {
	clear := c.onTerminal() && !c.json()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if clear {
			fmt.Fprint(c.out, "\x1b[H\x1b[2J") // home, and erase the screen
		}
		err := c.showStats(conn)
		if err == nil {
			err = c.out.err
		}
		if c.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !clear && !c.json() {
			c.printf("")
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *call) onTerminal() bool {
	f, ok := c.out.w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
