package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) flushCommand() *cli.Command {
	return p.leaf(command{
		name: "flush", usage: "empty a stage, or purge part of it",
		description: "Without --path, --tag and --request the whole stage is emptied. Paths are relative to the stage and begin with /:\n" +
			"a trailing * is a prefix, * elsewhere stands for one segment, and without * it is that exact path with all\n" +
			"its queries and variants. Works on a gateway that is running and on one that is not.",
		flags: []cli.Flag{
			stageFlag("the `STAGE` to flush"),
			&cli.StringSliceFlag{Name: "path", Usage: "purge this `PATH` only; may be repeated"},
			&cli.StringSliceFlag{Name: "tag", Usage: "purge what has this `TAG` only; may be repeated"},
			&cli.StringSliceFlag{Name: "request", Usage: "purge what a GET of this `URL` is answered from: absolute, or a path with its query; may be repeated"},
			&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "with --request: a header that is part of the key, `'NAME: VALUE'`; may be repeated"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "soft", Usage: "make entries stale instead of removing them (with --path, --tag or --request)"},
			jsonFlag(),
		},
		remote: true,
		run:    (*call).flush,
	})
}

// purgesResult is what flush --json prints when it purges.
type purgesResult struct {
	Stage  string                `json:"stage"`
	Purges []control.PurgeResult `json:"purges"`
}

func (c *call) flush() error {
	stage, err := c.stage()
	if err != nil {
		return err
	}
	purges, err := c.purgeRequests()
	if err != nil {
		return err
	}
	return c.administer(func(conn *control.Connection, cfg *config.Config) error {
		if len(purges) == 0 {
			return c.flushAll(conn, stage)
		}
		return c.purge(conn, cfg, stage, purges)
	})
}

func (c *call) purgeRequests() ([]control.PurgeRequest, error) {
	soft := c.flags.Bool("soft")
	var list []control.PurgeRequest
	for _, path := range c.flags.StringSlice("path") {
		list = append(list, control.PurgeRequest{Path: path, Soft: soft})
	}
	for _, tag := range c.flags.StringSlice("tag") {
		list = append(list, control.PurgeRequest{Tag: tag, Soft: soft})
	}
	header, err := c.headers()
	if err != nil {
		return nil, err
	}
	for _, url := range c.flags.StringSlice("request") {
		list = append(list, control.PurgeRequest{Request: url, Header: header, Soft: soft})
	}
	if soft && len(list) == 0 {
		return nil, usagef("--path '/*' --soft makes the whole stage stale", "--soft needs --path, --tag or --request")
	}
	if len(header) > 0 && len(c.flags.StringSlice("request")) == 0 {
		return nil, usagef("", "--header needs --request")
	}
	for _, p := range list { // all of them before the first is done
		if err := p.Check(); err != nil {
			return nil, usagef(hintOf(err), "%v", err)
		}
	}
	return list, nil
}

func (c *call) flushAll(conn *control.Connection, stage string) error {
	r, err := conn.Flush(c.ctx, stage)
	if err != nil {
		return err
	}
	if c.json() {
		return c.printJSON(r)
	}
	c.printf("stage %s: flushed, %s (%s) in %s", stage, plural(r.Entries, "entry", "entries"), bytesText(r.Bytes), secondsText(r.ElapsedSeconds))
	return nil
}

func (c *call) purge(conn *control.Connection, cfg *config.Config, stage string, purges []control.PurgeRequest) error {
	result := purgesResult{Stage: stage}
	for _, p := range purges {
		r, err := conn.Purge(c.ctx, stage, p)
		if err != nil {
			return err
		}
		result.Purges = append(result.Purges, r)
		if !c.json() {
			did := "purged " + purgeText(p)
			if p.Soft {
				did = "made " + purgeText(p) + " stale"
			}
			c.printf("stage %s: %s, at most %s, in %s", stage, did, plural(r.AtMost, "entry", "entries"), secondsText(r.ElapsedSeconds))
		}
		c.warnAboutBase(cfg, stage, p, r)
	}
	if c.json() {
		return c.printJSON(result)
	}
	return nil
}

func purgeText(p control.PurgeRequest) string {
	switch {
	case p.Tag != "":
		return "tag " + p.Tag
	case p.Request != "":
		return "request " + p.Request
	}
	return "path " + p.Path
}

// warnAboutBase tells who purged a path of the gateway that paths are the stage's.
func (c *call) warnAboutBase(cfg *config.Config, stage string, p control.PurgeRequest, r control.PurgeResult) {
	for _, s := range cfg.Stages {
		if s.Name == stage && r.AtMost == 0 && s.BasePath != "/" && strings.HasPrefix(p.Path, s.BasePath+"/") {
			c.notef("nothing was there; paths are relative to the stage: did you mean %s?", strings.TrimPrefix(p.Path, s.BasePath))
		}
	}
}
