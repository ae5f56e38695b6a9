package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/peers:", err)
		os.Exit(1)
	}
}

// bench is what all parts share.
type bench struct {
	ctx      context.Context
	out      io.Writer
	dir      string // ours alone, removed at the end
	short    bool
	rounds   int
	bytes    int64 // keys and values of one fill
	gets     int   // reads at random, each round
	only     []string
	sources  []*values.Source // the first is the one that every run has
	traces   string
	columns  []string // of ratio; none: all
	shares   []int    // of ratio, in thousandths of the keys
	profiles string
	profiled map[string]bool
	sheet    report.Sheet
}

var parts = []struct {
	name string
	run  func(*bench) error
}{{"disk", (*bench).disk}, {"memory", (*bench).memory}, {"ratio", (*bench).ratio}}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	b := &bench{ctx: ctx, out: out, profiled: make(map[string]bool)}
	flags := flag.NewFlagSet("bench/peers", flag.ContinueOnError)
	dir := flags.String("dir", "", "`folder` on a real disk to work in; a folder of its own is made in it and removed (default: the temporary folder)")
	corpus := flags.String("corpus", "", "`folder` of JSON payloads to store besides generated JSON of 1 KiB")
	flags.StringVar(&b.traces, "traces", "", "`folder` of *.trace.xz or *.trace files: big-endian 32-bit keys")
	flags.BoolVar(&b.short, "short", false, "under three minutes: fewer records, fewer rounds, fewer sizes")
	flags.IntVar(&b.rounds, "rounds", 0, "rounds of disk and memory (default 3, with -short 2)")
	megabytes := flags.Int64("mb", 0, "`megabytes` of keys and values in one fill (default 1000, with -short 300)")
	only := flags.String("rivals", "", "comma-separated `names` of the stores on disk to measure, ours included (default: all)")
	columns := flags.String("columns", "", "comma-separated `names` of the columns of ratio to measure (default: all; fifo tells what others cost)")
	part := flags.String("shares", "", "comma-separated sizes for ratio, in `thousandths` of the keys (default 1,10,50,100,250,500, with -short 10,100)")
	sheet := flags.String("sheet", "", "`file` to which the figures are appended as well")
	flags.StringVar(&b.profiles, "profile", "", "`folder` for a processor profile of the first round of each rival")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.rounds < 0 || *megabytes < 0 {
		return errors.New("-rounds and -mb must not be negative")
	}
	todo, err := choose(flags.Args())
	if err != nil {
		return err
	}
	b.bytes, b.gets = 1000e6, 500_000
	if b.short {
		b.bytes, b.gets = 300e6, 150_000 // as much as Badger's tables in memory hold: it has to write them
	}
	if *megabytes > 0 {
		b.bytes = *megabytes * 1e6
	}
	if b.rounds == 0 {
		b.rounds = 3
		if b.short {
			b.rounds = 2
		}
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
		for _, name := range b.only {
			if !slices.ContainsFunc(rivals(b.bytes), func(v *rival) bool { return v.name == name }) {
				return fmt.Errorf("-rivals: there is no %q; see the table of a run without it", name)
			}
		}
	}
	if *columns != "" {
		b.columns = strings.Split(*columns, ",")
		for _, name := range b.columns {
			if !slices.ContainsFunc(contestants, func(c contestant) bool { return c.name == name }) {
				return fmt.Errorf("-columns: there is no %q; see the table of a run without it", name)
			}
		}
	}
	if b.shares = shares; b.short {
		b.shares = sharesShort
	}
	if *part != "" {
		b.shares = nil
		for _, word := range strings.Split(*part, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 || n > 1000 {
				return fmt.Errorf("-shares: %q is not a number from 1 to 1000", word)
			}
			b.shares = append(b.shares, n)
		}
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
	}
	if err := b.place(*dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.payloads(*corpus)
	for _, name := range todo {
		for _, p := range parts {
			if p.name != name {
				continue
			}
			start := time.Now()
			if err := p.run(b); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			b.printf("(%s: %.0f s)\n", p.name, time.Since(start).Seconds())
		}
	}
	b.printf("\n")
	if err := b.sheet.Print(b.out); err != nil || *sheet == "" {
		return err
	}
	return b.sheet.AppendTo(*sheet)
}

// choose reads the parts that the arguments name.
func choose(args []string) ([]string, error) {
	var all []string
	for _, p := range parts {
		all = append(all, p.name)
	}
	if len(args) == 0 || slices.Equal(args, []string{"all"}) {
		return all, nil
	}
	for _, a := range args {
		if !slices.Contains(all, a) {
			return nil, fmt.Errorf("there is no part %q; parts: %s, all (flags come before them)", a, strings.Join(all, ", "))
		}
	}
	return args, nil
}

// place makes the folder to work in, on a real disk with enough room.
func (b *bench) place(dir string) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("-dir: %w", err)
		}
	}
	made, err := os.MkdirTemp(dir, "stagecache-peers-")
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	name, inMemory, free, err := machine.FileSystem(made)
	// bbolt with random keys takes the most: twice its fifth; Badger up to three times what it keeps. Five times is ample.
	need := max(5*b.bytes, 4e9)
	switch {
	case err != nil:
	case inMemory:
		err = fmt.Errorf("%s is a %s, which is memory and no disk: name a folder on a disk with -dir", made, name)
	case free < need:
		err = fmt.Errorf("%s has %s free, %s are needed: choose another -dir or a smaller -mb", made, report.Bytes(free), report.Bytes(need))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(made))
	}
	b.dir = made
	b.printf("machine: %s, %s; cgo %s\n", machine.Describe(), name, cgo())
	return nil
}

// payloads chooses what is stored: generated JSON, and the corpus if there is one.
func (b *bench) payloads(corpus string) {
	b.sources = []*values.Source{values.Generate(1024)}
	if corpus == "" {
		b.printf("no -corpus given: real payloads are not measured\n")
		return
	}
	loaded, err := values.Load(corpus)
	if err != nil {
		b.printf("real payloads are not measured: %v\n", err)
		return
	}
	b.sources = append(b.sources, loaded)
}

// chosen are the rivals that -rivals names, or those of such a run.
func (b *bench) chosen() []*rival {
	return slices.DeleteFunc(rivals(b.bytes), func(v *rival) bool {
		if len(b.only) == 0 {
			return v.extra && b.short
		}
		return !slices.Contains(b.only, v.name)
	})
}

// profile begins a processor profile of the first round of a rival, if that is wanted; stop ends it.
func (b *bench) profile(part, name string) (stop func() error, err error) {
	if b.profiles == "" || b.profiled[part+name] {
		return func() error { return nil }, nil
	}
	b.profiled[part+name] = true
	name = strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")
	f, err := os.Create(filepath.Join(b.profiles, part+"."+name+".cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }
