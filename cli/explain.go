package cli

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) explainCommand() *cli.Command {
	return p.leaf(command{
		name: "explain", usage: "say what would become of a request, and why", args: "METHOD URL", min: 2, max: 2,
		description: "URL is absolute, or a path with its query as a client would send it; with --stage also a path relative to the\n" +
			"stage. Shows route, settings and where they come from, the parts of the cache key, what is stored, and whether the\n" +
			"next such request is a hit, stale or a miss. The backend is not asked, and nothing changes.",
		flags: []cli.Flag{
			stageFlag("the `STAGE`; without it, the one that answers URL"),
			&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "a header of the request, `'NAME: VALUE'`; may be repeated"},
			jsonFlag(),
		},
		remote: true,
		run:    (*call).explain,
	})
}

func (c *call) explain() error {
	header, err := c.headers()
	if err != nil {
		return err
	}
	q := control.ExplainRequest{Method: c.flags.Args().Get(0), URL: c.flags.Args().Get(1), Header: header}
	if err := q.Check(); err != nil {
		if wrong, ok := errors.AsType[*control.Error](err); ok {
			return usagef(wrong.HintText, "%s", wrong.Message)
		}
		return err
	}
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		e, err := c.explained(conn, q)
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(e)
		}
		c.printExplanation(e)
		return nil
	})
}

// headers are those of --header.
func (c *call) headers() (map[string][]string, error) {
	header := make(map[string][]string)
	for _, line := range c.flags.StringSlice("header") {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usagef("write -H 'Accept-Language: de'", "%q is not a header", line)
		}
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], strings.TrimSpace(value))
	}
	return header, nil
}

// explained asks about the stage that was named, or about each until one answers the URL.
func (c *call) explained(conn *control.Connection, q control.ExplainRequest) (e control.Explanation, err error) {
	if stage := c.flags.String("stage"); stage != "" {
		return conn.Explain(c.ctx, stage, q)
	}
	stages, err := conn.Stages(c.ctx)
	if err != nil {
		return e, err
	}
	path, _, _ := strings.Cut(q.URL, "?")
	// The longest base path first, as the gateway looks for it.
	slices.SortStableFunc(stages, func(a, b control.StageInfo) int { return len(b.BasePath) - len(a.BasePath) })
	err = &control.Error{Status: http.StatusNotFound, Message: "no stage answers " + q.URL, HintText: "cachectl stage list shows the base paths; with --stage the path may be relative to the stage"}
	for _, s := range stages {
		base := strings.TrimSuffix(s.BasePath, "/")
		// A path alone that is not below the base path would count as relative to the stage.
		if s.Orphaned || strings.HasPrefix(path, "/") && path != base && !strings.HasPrefix(path, base+"/") {
			continue
		}
		e, err = conn.Explain(c.ctx, s.Stage, q)
		var other *control.Error
		if !errors.As(err, &other) || other.Status != http.StatusNotFound && other.Status != http.StatusConflict {
			return e, err
		}
	}
	return e, err
}

func (c *call) printExplanation(e control.Explanation) {
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "request\t%s %s\n", e.Method, e.URL)
	fmt.Fprintf(t, "stage\t%s (mode %s, base path %s)\n", e.Stage, e.Mode, e.BasePath)
	if e.Route != "" {
		fmt.Fprintf(t, "route\t%s -> %s (%s)\n", e.Route, e.Backend, e.BackendURL)
	}
	t.Flush()
	if len(e.Settings) > 0 {
		c.printf("\nsettings of %s", e.Entry)
		t = tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		for _, s := range e.Settings {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, valueText(s.Value), s.Origin)
		}
		t.Flush()
	}
	if len(e.Key) > 0 {
		c.printf("\ncache key")
		t = tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		for _, p := range e.Key {
			value := strings.Join(p.Values, " | ")
			switch {
			case p.Absent:
				value = "(absent)"
			case value == "":
				value = `""`
			}
			fmt.Fprintf(t, "  %s\t%s\n", p.Name, value)
		}
		t.Flush()
		c.printf("\nstored")
		c.printStored(e.Stored)
	}
	c.printf("\nnext: %s: %s", e.Next.Outcome, e.Next.Why)
}

func (c *call) printStored(s *control.StoredEntry) {
	if s == nil {
		c.printf("  nothing")
		return
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  answer\tstatus %d, %s, in %s, encrypted: %t\n", s.Status, bytesText(int64(s.SizeBytes)), s.Tier, s.Encrypted)
	fmt.Fprintf(t, "  stored\t%s, age %d s\n", s.StoredAt.Format(time.RFC3339), s.AgeSeconds)
	fmt.Fprintf(t, "  freshness\t%.0f s left, kept for %.0f s\n", s.TTLSeconds, s.RetainedSeconds)
	for _, v := range []struct{ name, value string }{
		{"etag", s.ETag}, {"last-modified", s.LastModified}, {"tags", strings.Join(s.Tags, ", ")}, {"vary", strings.Join(s.Vary, ", ")},
	} {
		if v.value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", v.name, v.value)
		}
	}
	if s.Variants > 0 {
		fmt.Fprintf(t, "  variants\t%d\n", s.Variants)
	}
	t.Flush()
}
