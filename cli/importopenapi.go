package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/openapi"
)

func (p *program) importOpenAPICommand() *cli.Command {
	return p.leaf(command{
		name: "openapi", usage: "make a configuration out of an exported API", args: "FILE", min: 1, max: 1,
		description: "FILE is OpenAPI 3 or Swagger 2 with x-amazon-apigateway-integration, as \"aws apigateway get-export\n" +
			"--parameters extensions=integrations\" writes it; - is the standard input. What cannot be carried over is a\n" +
			"warning on standard error. The result keys as API Gateway does: look at the warnings before you serve it.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to a new `FILE` instead of the standard output"},
			&cli.StringFlag{Name: "stage", Aliases: []string{"s"}, Usage: "`NAME` of the stage; default: the document's base path, else prod"},
			&cli.StringFlag{Name: "backend", Usage: "send every route to this `URL`, whatever its integration says"},
			&cli.StringSliceFlag{Name: "variable", Usage: "`NAME=VALUE` for ${stageVariables.NAME}; may be repeated"},
			jsonFlag(),
		},
		run: (*call).importOpenAPI,
	})
}

// importResult is what import openapi --json prints.
type importResult struct {
	File     string            `json:"file,omitempty"` // that was written; none without --out
	Config   string            `json:"config"`
	Warnings []openapi.Warning `json:"warnings"`
}

// maxImport bounds what is read from the standard input; files that large are refused as well.
const maxImport = 64 << 20

func (c *call) importOpenAPI() error {
	o := openapi.Options{Stage: c.flags.String("stage"), Backend: c.flags.String("backend"), Variables: make(map[string]string)}
	for _, v := range c.flags.StringSlice("variable") {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return usagef("write --variable host=backend.example.com", "--variable %q has no NAME=VALUE", v)
		}
		o.Variables[name] = value
	}
	name := c.flags.Args().First()
	data, err := c.document(name)
	if err != nil {
		return err
	}
	text, warnings, err := openapi.Import(name, data, o)
	if err != nil {
		return err
	}
	out := c.flags.String("out")
	if c.json() {
		if out != "" {
			if err := writeConfig(out, text); err != nil {
				return err
			}
		}
		return c.printJSON(importResult{File: out, Config: text, Warnings: warnings})
	}
	for _, w := range warnings {
		c.complain("warning: "+w.String(), "")
	}
	if out == "" {
		_, err := io.WriteString(c.out, text)
		return err
	}
	if err := writeConfig(out, text); err != nil {
		return err
	}
	c.notef("wrote %s; cachectl config check %s looks at it again", out, out)
	return nil
}

func writeConfig(out, text string) error {
	if err := writeNew(out, text); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &hintedError{fmt.Errorf("%s exists already", out), "nothing was changed; choose another name"}
		}
		return err
	}
	return nil
}

func (c *call) document(name string) ([]byte, error) {
	in := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxImport))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

// writeNew makes a file, or leaves nothing behind.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
