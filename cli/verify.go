package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/urfave/cli/v2"

	"stagecache/engine"
	"stagecache/gateway/control"
	"stagecache/internal/dirlock"
)

func (p *program) verifyCommand() *cli.Command {
	return p.leaf(command{
		name: "verify", usage: "authenticate every record on the disk (with the gateway stopped)",
		description: "Reads everything and changes nothing. Exit code 1 if anything is damaged.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "data-dir", Usage: "a data `DIR` other than the configuration's, such as a copy of it"},
			jsonFlag(),
		},
		run: (*call).verify,
	})
}

// verifyResult is what verify --json prints.
type verifyResult struct {
	DataDir string        `json:"data_dir"`
	Stages  []verifyStage `json:"stages"`
	Damaged int           `json:"damaged"` // problems in all stages
}

type verifyStage struct {
	Stage    string          `json:"stage"`
	Segments int64           `json:"segments"`
	Records  int64           `json:"records"`
	Bytes    int64           `json:"bytes"`
	Damaged  []verifyProblem `json:"damaged"`
}

type verifyProblem struct {
	File   string `json:"file"`
	Detail string `json:"detail"`
}

func (c *call) verify() error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	dir := cfg.DataDir
	if d := c.flags.String("data-dir"); d != "" {
		dir = d
	}
	unlock, err := lockForReading(dir)
	if err != nil {
		return err
	}
	defer unlock()
	names, err := control.StageDirs(dir)
	if err != nil {
		return err
	}
	result := verifyResult{DataDir: dir, Stages: []verifyStage{}}
	if len(names) > 0 {
		keys, err := c.keys(cfg, dir)()
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			s, err := verifyOne(dir, name, keys)
			if err != nil {
				return fmt.Errorf("stage %s: %w", name, err)
			}
			result.Stages = append(result.Stages, s)
			result.Damaged += len(s.Damaged)
		}
	}
	if err := c.showVerified(result); err != nil {
		return err
	}
	if result.Damaged > 0 {
		return &hintedError{
			fmt.Errorf("%s in %s", plural(int64(result.Damaged), "problem", "problems"), dir),
			"a gateway that starts sets damaged segments aside and serves the rest; a flush removes them",
		}
	}
	return nil
}

func verifyOne(dir, name string, keys control.Keys) (verifyStage, error) {
	r, err := engine.Verify(control.StageDir(dir, name), engine.VerifyOptions{Key: keys.Root, OldKeys: keys.Old, Name: name})
	if err != nil {
		return verifyStage{}, err
	}
	s := verifyStage{Stage: name, Segments: int64(r.Segments), Records: int64(r.Records), Bytes: int64(r.Bytes), Damaged: []verifyProblem{}}
	for _, d := range r.Damaged {
		s.Damaged = append(s.Damaged, verifyProblem{File: d.File, Detail: d.Detail})
	}
	return s, nil
}

func (c *call) showVerified(r verifyResult) error {
	if c.json() {
		return c.printJSON(r)
	}
	if len(r.Stages) == 0 {
		c.printf("%s: nothing to verify", r.DataDir)
	}
	for _, s := range r.Stages {
		for _, d := range s.Damaged {
			c.printf("stage %s: damaged: %s: %s", s.Stage, d.File, d.Detail)
		}
		verdict := "clean"
		if n := len(s.Damaged); n > 0 {
			verdict = plural(int64(n), "problem", "problems")
		}
		c.printf("stage %s: %s, %s in %s (%s)", s.Stage, verdict,
			plural(s.Records, "record", "records"), plural(s.Segments, "segment", "segments"), bytesText(s.Bytes))
	}
	return nil
}

// lockForReading keeps gateways away while the directory is read. A directory that cannot be written has none.
func lockForReading(dir string) (unlock func() error, err error) {
	lock, err := dirlock.Acquire(dir)
	var held *dirlock.HeldError
	switch {
	case err == nil:
		return lock.Release, nil
	case errors.As(err, &held):
		return nil, &control.UnreachableError{Message: held.Error(), HintText: "verify works offline: stop the gateway first, or verify a copy with --data-dir"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &hintedError{fmt.Errorf("there is no data directory %s", dir), "a gateway makes it at its first start"}
	case errors.Is(err, syscall.EROFS):
		return func() error { return nil }, nil
	}
	return nil, err
}
