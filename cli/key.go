package cli

import (
	"errors"
	"io/fs"

	"github.com/urfave/cli/v2"

	"stagecache/crypto"
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
