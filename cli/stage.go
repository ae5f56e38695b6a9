package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) stageListCommand() *cli.Command {
	return p.leaf(command{
		name: "list", usage: "list the stages, and what is on the disk without being configured",
		flags:  []cli.Flag{jsonFlag()},
		remote: true,
		run:    (*call).stageList,
	})
}

func (p *program) stageShowCommand() *cli.Command {
	return p.leaf(command{
		name: "show", usage: "show a stage's effective settings and where each comes from", args: "STAGE", min: 1, max: 1,
		flags:  []cli.Flag{jsonFlag()},
		remote: true,
		run:    (*call).stageShow,
	})
}

func (p *program) stageRemoveCommand() *cli.Command {
	return p.leaf(command{
		name: "remove", usage: "delete the directory of a stage that is not configured any more", args: "STAGE", min: 1, max: 1,
		flags:  []cli.Flag{jsonFlag()},
		remote: true,
		run:    (*call).stageRemove,
	})
}

// stagesResult is what stage list --json prints.
type stagesResult struct {
	Stages []control.StageInfo `json:"stages"`
}

func (c *call) stageList() error {
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		list, err := conn.Stages(c.ctx)
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(stagesResult{Stages: append([]control.StageInfo{}, list...)})
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "STAGE\tSTATE\tBASE PATH\tMODE\tDISK\tCAPACITY")
		for _, s := range list {
			if s.Orphaned {
				fmt.Fprintf(t, "%s\torphaned\t-\t-\t%s\t-\n", s.Stage, bytesText(s.DiskBytes))
				continue
			}
			state := "configured"
			if !s.CacheEnabled {
				state = "cache off"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Stage, state, s.BasePath, s.Mode, bytesText(s.DiskBytes), bytesText(s.CapacityBytes))
		}
		t.Flush()
		return nil
	})
}

func (c *call) stageShow() error {
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		d, err := conn.Stage(c.ctx, c.flags.Args().First())
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(d)
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "stage\t%s (%s:%d)\n", d.Stage, d.File, d.Line)
		fmt.Fprintf(t, "mode\t%s\n", d.Mode)
		fmt.Fprintf(t, "base path\t%s\n", d.BasePath)
		if len(d.Hosts) > 0 {
			fmt.Fprintf(t, "hosts\t%s\n", strings.Join(d.Hosts, ", "))
		}
		cache := fmt.Sprintf("%s on disk, %s of memory, objects up to %s",
			bytesText(d.Cache.CapacityBytes), bytesText(d.Cache.MemoryBytes), bytesText(int64(d.Cache.MaxObjectBytes)))
		if !d.Cache.Enabled {
			cache = "off"
		}
		if strings.HasPrefix(d.Cache.Origin, "set ") {
			cache += " (" + d.Cache.Origin + ")"
		}
		fmt.Fprintf(t, "cache\t%s\n", cache)
		for _, r := range d.Routes {
			fmt.Fprintf(t, "route\t%s -> %s (%s)\n", r.Path, r.Backend, r.URL)
		}
		t.Flush()
		for _, m := range d.Methods {
			c.printf("\n%s", m.Method)
			t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			for _, s := range m.Settings {
				fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, valueText(s.Value), s.Origin)
			}
			t.Flush()
		}
		return nil
	})
}

// valueText shows a setting's value; what is empty is "-".
func valueText(v any) string {
	text := fmt.Sprint(v)
	switch v := v.(type) {
	case []string:
		text = strings.Join(v, ", ")
	case []any: // as it comes over the socket
		words := make([]string, len(v))
		for i, w := range v {
			words[i] = fmt.Sprint(w)
		}
		text = strings.Join(words, ", ")
	}
	if text == "" {
		return "-"
	}
	return text
}

func (c *call) stageRemove() error {
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		r, err := conn.RemoveStage(c.ctx, c.flags.Args().First())
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(r)
		}
		c.printf("stage %s: removed %s, %s given back", r.Stage, r.Dir, bytesText(r.DiskBytes))
		return nil
	})
}
