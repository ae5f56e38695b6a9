package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"stagecache/bench/curve"
	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/internal/collector"
)

func (p *program) benchCommand() *cli.Command {
	return p.leaf(command{
		name: "bench", usage: "fill a store on this machine's disk and print what it costs as it grows",
		description: "Fills a new store level by level, up to its size and to twice that, and measures puts and gets at each\n" +
			"level. Everything it makes is in a folder of its own, which is removed at the end. An interrupt ends it\n" +
			"early; what was measured until then is printed.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "size", Value: "500MB", Usage: "the capacity to fill, such as 20GB; about twice as much is `BYTES` written"},
			&cli.StringFlag{Name: "data-dir", Usage: "the `DIR` to work in, empty or new, on the disk to measure (default: the temporary folder)"},
			&cli.StringFlag{Name: "memory", Usage: "`BYTES` of memory for the store, 0 for disk only (default: a sixteenth of the size, 48MB to 1GB)"},
			&cli.StringFlag{Name: "value-size", Usage: "`BYTES` of each value, generated JSON (default: 1KiB)"},
			&cli.StringFlag{Name: "corpus", Usage: "a `DIR` with *.json files to store instead"},
			&cli.IntFlag{Name: "workers", DefaultText: "four per processor", Usage: "`N` clients that put and get at the same time"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "write-only", Usage: "measure no gets"},
			&cli.BoolFlag{Name: "encrypt", Value: true, Usage: "seal the entries; --encrypt=false protects only their integrity"},
			&cli.StringFlag{Name: "svg", Usage: "draw the curve into `FILE`"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "keep", Usage: "leave the store, with its root key, where it is"},
			jsonFlag(),
		},
		run: (*call).bench,
	})
}

func (c *call) bench() (err error) {
	o, err := c.benchOptions()
	if err != nil {
		return err
	}
	svg := c.flags.String("svg")
	if err := mayCreate(svg); err != nil {
		return err
	}
	folder, err := curve.Claim(c.flags.String("data-dir"))
	if err != nil {
		return benchError(err)
	}
	for _, path := range folder.Leftover {
		c.notef("an earlier run left %s: remove it when it is not needed", path)
	}
	if folder.InMemory {
		c.notef("%s is a %s, kept in memory: this measures no disk; name a folder on one with --data-dir", filepath.Dir(folder.Path), folder.FileSystem)
	}
	defer func() {
		if c.flags.Bool("keep") && err == nil {
			c.notef("kept %s", folder.Path)
			return
		}
		err = errors.Join(err, folder.Remove())
	}()
	store := slices.Values([]engine.Options{{Capacity: o.Size, Memory: o.Memory, InFlight: engine.MaxInFlight(o.Memory)}})
	heap := collector.Start(func() (heap, garbage int64) { return heapFor(store) }) // as serve does
	defer heap.Stop()
	show := newBenchProgress(c.err, len(o.Levels), c.json())
	o.Progress = show.update
	o.Report = func(event, file string, err error) { c.notef("%s: %s: %v", event, file, err) }
	result, err := curve.Run(c.ctx, folder, o)
	show.end()
	if result == nil || len(result.Levels) == 0 {
		return benchError(err)
	}
	return errors.Join(benchError(err), c.showBench(result, svg))
}

func (c *call) showBench(r *curve.Result, svg string) error {
	if svg != "" {
		if err := writeSVG(svg, r); err != nil {
			return err
		}
	}
	if c.json() {
		return c.printJSON(r)
	}
	return r.WriteTable(c.out)
}

// benchOptions reads the flags.
func (c *call) benchOptions() (o curve.Options, err error) {
	size := func(flag string) (n int64) {
		if text := c.flags.String(flag); text != "" && err == nil {
			if n, err = config.ParseSize(text); err != nil {
				err = usagef("write it as 20GB or 500MB", "--%s: %v", flag, err)
			}
		}
		return n
	}
	o = curve.Options{Size: size("size"), Memory: size("memory"), ValueSize: int(size("value-size")), Corpus: c.flags.String("corpus"),
		Workers: c.flags.Int("workers"), WriteOnly: c.flags.Bool("write-only"), Plain: !c.flags.Bool("encrypt"), Levels: curve.DefaultLevels()}
	if err != nil {
		return o, err
	}
	if !c.flags.IsSet("memory") {
		o.Memory = curve.DefaultMemory(o.Size)
	}
	shown := func(flag string) string { return c.flags.String(flag) }
	switch {
	case o.Size < curve.MinSize:
		return o, usagef("write "+config.FormatSize(curve.MinSize)+" or more", "--size %s is too small to show a curve", shown("size"))
	case o.Memory != 0 && o.Memory < engine.MinMemory:
		return o, usagef("write "+config.FormatSize(engine.MinMemory)+" or more, or 0 for a store on disk only",
			"--memory %s is less than a store can work with", shown("memory"))
	case o.Corpus != "" && c.flags.IsSet("value-size"):
		return o, usagef("leave one of them out", "--corpus and --value-size exclude each other")
	case c.flags.IsSet("value-size") && (o.ValueSize < curve.MinValue || o.ValueSize > curve.MaxValue):
		return o, usagef(fmt.Sprintf("values of %d bytes to %s are possible", curve.MinValue, config.FormatSize(curve.MaxValue)),
			"--value-size %s is out of range", shown("value-size"))
	case c.flags.IsSet("workers") && (o.Workers < 1 || o.Workers > curve.MaxWorkers):
		return o, usagef(fmt.Sprintf("1 to %d are possible", curve.MaxWorkers), "--workers %d is out of range", o.Workers)
	}
	return o, nil
}

// benchError adds what to do.
func benchError(err error) error {
	var foreign *curve.NotOursError
	var room *curve.NoRoomError
	switch {
	case errors.As(err, &foreign):
		return &hintedError{err, "nothing was changed; name a folder that is empty or new"}
	case errors.As(err, &room):
		return &hintedError{
			fmt.Errorf("%s has %s free, %s are needed", room.Dir, bytesText(room.Free), bytesText(room.Need)),
			"choose a smaller --size, or another disk with --data-dir",
		}
	}
	return err
}

// mayCreate finds out before the work whether the file can be written after it.
func mayCreate(name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return usagef("name a file in it", "--svg %s is a folder", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".cachectl-*.svg")
	if err != nil {
		return fmt.Errorf("--svg: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// writeSVG writes the whole file or none.
func writeSVG(name string, r *curve.Result) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".cachectl-*.svg")
	if err != nil {
		return fmt.Errorf("--svg: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("--svg: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if err := errors.Join(r.WriteSVG(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
