package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"stagecache/crypto"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

func (p *program) keyGenerateCommand() *cli.Command {
	return p.leaf(command{
		name: "generate", usage: "make a new root key file",
		description: "The file is made with mode 0600 and an existing one is never overwritten. Keep a copy in a safe place:\n" +
			"without it a cache cannot be read any more.",
		flags: []cli.Flag{&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the `FILE` to make"}, jsonFlag()},
		run:   (*call).keyGenerate,
	})
}

func (p *program) keyRotateCommand() *cli.Command {
	return p.leaf(command{
		name: "rotate", usage: "wrap all stages with the root key that the configuration names now",
		description: "Make a key with key generate, set encryption.key_file to it, list the former key under old_key_files, and\n" +
			"run this: every stage on the disk, configured or not, is wrapped with the new key while the gateway serves; what is\n" +
			"stored stays. Afterwards the former key opens nothing any more and can leave the configuration. Interrupted, it can\n" +
			"be run again. Works on a gateway that is running and on one that is not.",
		flags:  []cli.Flag{jsonFlag()},
		remote: true,
		run:    (*call).keyRotate,
	})
}

func (c *call) keyRotate() error {
	return c.administer(func(conn *control.Connection, cfg *config.Config) error {
		r, err := conn.RotateKeys(c.ctx)
		if err != nil {
			return err
		}
		if c.json() {
			return c.printJSON(r)
		}
		c.printf("root key %s", r.KeyID)
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		changed := 0
		for _, s := range r.Stages {
			text := s.State
			switch s.State {
			case control.Rewrapped:
				changed++
				text = "rewrapped, was under " + s.From
			case control.WrapNone:
				text = "clear: it was filled without a root key"
			case control.WrapUnreadable:
				text = "unreadable: " + s.Problem
			}
			fmt.Fprintf(t, "stage %s\t%s\n", s.Stage, text)
		}
		t.Flush()
		switch {
		case changed > 0:
			c.notef("former keys open nothing any more: they can leave encryption.old_key_files")
		case len(r.Stages) > 0 && len(cfg.Encryption.OldKeyFiles) == 0:
			c.complain("nothing was to be done", "cachectl key generate --out NEW.key makes another key; set encryption.key_file to it and list the present one under old_key_files first")
		}
		return nil
	})
}

// keyResult is what key generate --json prints.
type keyResult struct {
	File  string `json:"file"`
	KeyID string `json:"key_id"`
}

func (c *call) keyGenerate() error {
	out := c.flags.String("out")
	if out == "" {
		return usagef("cachectl key generate --out root.key", "cachectl key generate needs --out")
	}
	key := crypto.NewRootKey()
	if err := crypto.CreateKeyFile(out, key); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &hintedError{err, "nothing was changed; a key is never overwritten: choose another name"}
		}
		return err
	}
	if c.json() {
		return c.printJSON(keyResult{File: out, KeyID: key.ID().String()})
	}
	c.printf("key id: %s", key.ID())
	c.notef("wrote %s; set encryption.key_file to it, and keep a copy in a safe place", out)
	return nil
}
