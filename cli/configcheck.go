package cli

import (
	"errors"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
)

func (p *program) configCheckCommand() *cli.Command {
	return p.leaf(command{
		name: "check", usage: "check a configuration file: all errors at once", args: "FILE", max: 1,
		flags: []cli.Flag{jsonFlag()},
		run:   (*call).configCheck,
	})
}

// problem is one error or warning of config check --json.
type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// checkResult is what config check --json prints.
type checkResult struct {
	OK       bool      `json:"ok"`
	File     string    `json:"file"`
	Errors   []problem `json:"errors"`
	Warnings []problem `json:"warnings"`
}

func (c *call) configCheck() error {
	path := c.flags.Args().First()
	if path == "" {
		var err error
		if path, err = c.configFile(); err != nil {
			return err
		}
	} else if c.flags.IsSet("config") {
		return usagef("", "the file is given twice, as an argument and with --config")
	}
	cfg, err := config.Load(path, config.Options{LookupEnv: c.lookup})
	var invalid config.Errors
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	var warnings []config.Error
	if cfg != nil {
		warnings = cfg.Warnings()
	}
	if c.json() {
		r := checkResult{OK: err == nil, File: path, Errors: problems(invalid), Warnings: problems(warnings)}
		if jerr := c.printJSON(r); jerr != nil {
			return jerr
		}
		if err != nil {
			return &reportedError{"the configuration is wrong"}
		}
		return nil
	}
	if err != nil {
		return err
	}
	c.warnings(warnings)
	c.printf("%s: ok, %s", path, plural(int64(len(cfg.Stages)), "stage", "stages"))
	return nil
}

func problems(list []config.Error) []problem {
	out := []problem{}
	for _, e := range list {
		out = append(out, problem(e))
	}
	return out
}

func (p *program) warnings(list []config.Error) {
	for _, w := range list {
		p.complain("warning: "+w.Error(), w.Hint)
	}
}
