package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"
)

func (p *program) app() *cli.App {
	p.limits = make(map[*cli.Command]limits)
	app := cli.NewApp()
	app.Name = "cachectl"
	app.HelpName = "cachectl"
	app.Usage = "an encrypted, persistent response cache in front of HTTP APIs"
	app.Description = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not reachable.\n" +
		"The configuration is the file of --config, else $CACHECTL_CONFIG, else ./stagecache.yaml,\n" +
		"else /etc/stagecache/stagecache.yaml."
	app.HideHelpCommand = true
	app.HideVersion = true
	app.DisableSliceFlagSeparator = true
	app.Flags = []cli.Flag{&cli.BoolFlag{DisableDefaultText: true, Name: "version", Usage: "print the version"}}
	app.Reader, app.Writer, app.ErrWriter = p.in, p.out, p.err
	app.ExitErrHandler = func(*cli.Context, error) {} // Main decides how a run ends
	app.OnUsageError = onUsageError
	app.Commands = []*cli.Command{
		p.serveCommand(),
		p.flushCommand(),
		p.statsCommand(),
		p.explainCommand(),
		p.compactCommand(),
		p.group("stage", "list, show, set and remove stages", p.stageListCommand(), p.stageShowCommand(), p.stageSetCommand(), p.stageRemoveCommand()),
		p.group("key", "root keys", p.keyGenerateCommand(), p.keyRotateCommand()),
		p.group("iam", "who may do what", p.simulateCommand()),
		p.verifyCommand(),
		p.group("config", "the configuration file", p.configCheckCommand()),
		p.group("import", "configurations from elsewhere", p.importOpenAPICommand()),
		p.benchCommand(),
		p.completionCommand(),
		p.versionCommand(),
	}
	return app
}

// command describes one command for leaf.
type command struct {
	name, usage, args string
	description       string
	min, max          int // how many arguments
	flags             []cli.Flag
	remote            bool // it administers: --admin reaches a gateway over the network
	run               func(*call) error
}

// call is one run of one command.
type call struct {
	*program
	ctx   context.Context
	flags *cli.Context
}

// limits are how many arguments a command takes.
type limits struct{ min, max int }

func (p *program) leaf(c command) *cli.Command {
	flags := append(c.flags, &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "the configuration `FILE`"})
	if c.remote {
		flags = append(flags,
			&cli.StringFlag{Name: "admin", Usage: "the `URL` of a gateway's admin.listen, instead of the one of the configuration file"},
			&cli.StringFlag{Name: "token-file", Usage: "the `FILE` with the token to send to it"},
			&cli.StringFlag{Name: "ca", Usage: "a PEM `FILE` with the authorities to believe, instead of the system's"})
	}
	cmd := &cli.Command{
		Name: c.name, Usage: c.usage, ArgsUsage: c.args, Description: c.description,
		Flags: flags, HideHelpCommand: true, OnUsageError: onUsageError,
		Action: func(cc *cli.Context) error { return c.run(&call{program: p, ctx: cc.Context, flags: cc}) },
	}
	p.limits[cmd] = limits{c.min, c.max}
	return cmd
}

func (p *program) group(name, usage string, sub ...*cli.Command) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, Subcommands: sub, HideHelpCommand: true, OnUsageError: onUsageError}
}

// onUsageError is asked about values that a flag cannot have; names were checked before.
func onUsageError(_ *cli.Context, err error, _ bool) error { return usagef("", "%v", err) }

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{DisableDefaultText: true, Name: "json", Usage: "print the result as JSON"}
}

func stageFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "stage", Aliases: []string{"s"}, Usage: usage}
}

// stage is the value of a --stage that must be given.
func (c *call) stage() (string, error) {
	if s := c.flags.String("stage"); s != "" {
		return s, nil
	}
	return "", usagef("cachectl stage list shows which there are", "cachectl %s needs --stage", c.flags.Command.Name)
}

func (c *call) json() bool { return c.flags.Bool("json") }

// printf prints a line of the result.
func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// notef tells something that is not the result.
func (c *call) notef(format string, args ...any) {
	fmt.Fprintf(c.err, "cachectl: "+format+"\n", args...)
}

// printJSON prints one object on one line.
func (c *call) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
