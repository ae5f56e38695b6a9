package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// maxSettings is more than there are keys.
const maxSettings = 64

func (p *program) stageSetCommand() *cli.Command {
	return p.leaf(command{
		name: "set", usage: "change settings at run time; they survive restarts and reloads", args: "STAGE [NAME=VALUE ...]", min: 1, max: 1 + maxSettings,
		description: "Names and values are those of the file: ttl=60s, caching=false, key.headers=[Accept-Language]; enabled,\n" +
			"capacity, memory, max_object and max_ttl are the stage's cache. The first change of an entry copies the values that\n" +
			"it has then, and the copy counts from then on, whatever the file says, until --remove.\n" +
			"stage show tells where each value comes from.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "method", Usage: "the `ENTRY` to change, such as 'GET /products/{id}'; without it the stage's default"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "remove", Usage: "remove what was set of the entry: the file counts again"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "cache", Usage: "with --remove: what was set of the stage's cache"},
			jsonFlag(),
		},
		remote: true,
		run:    (*call).stageSet,
	})
}

func (c *call) stageSet() error {
	args := c.flags.Args().Slice()
	r := control.SetRequest{
		Entry: strings.Join(strings.Fields(c.flags.String("method")), " "), Remove: c.flags.Bool("remove"), Cache: c.flags.Bool("cache"),
		Set: make(map[string]string),
	}
	for _, a := range args[1:] {
		name, value, ok := strings.Cut(a, "=")
		if !ok || name == "" || value == "" {
			return usagef("write ttl=60s", "%q is not NAME=VALUE", a)
		}
		if _, twice := r.Set[name]; twice {
			return usagef("", "%s is set twice", name)
		}
		r.Set[name] = value
	}
	if err := r.Check(); err != nil {
		return usagef(hintOf(err), "%v", err)
	}
	return c.administer(func(conn *control.Connection, _ *config.Config) error {
		d, err := conn.SetStage(c.ctx, args[0], r)
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(d)
		}
		entry := r.Entry
		if entry == "" {
			entry = config.DefaultEntry
		}
		did := "set"
		switch {
		case r.Remove && r.Cache:
			entry, did = "the cache", "as in the file again"
		case r.Remove:
			did = "as in the file again"
		}
		note := ""
		if conn.Offline {
			note = "; the gateway is not running, and will start with it"
		}
		c.printf("stage %s: %s: %s%s", d.Stage, entry, did, note)
		for _, a := range args[1:] {
			fmt.Fprintf(c.out, "  %s\n", a)
		}
		return nil
	})
}
