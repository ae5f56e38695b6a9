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
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
	"stagecache/crypto"
	"stagecache/gateway/config"
)

func main() {
	if child.Role() == residentRole {
		if err := serveResident(); err != nil {
			fmt.Fprintln(os.Stderr, "bench/engine:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/engine:", err)
		os.Exit(1)
	}
}

// bench is what all stages share.
type bench struct {
	ctx     context.Context
	out     io.Writer
	dir     string // ours alone, removed at the end
	short   bool
	size    int64 // capacity of the stores
	memory  int64 // of the stores; 0: disk only
	values  *values.Source
	root    *crypto.RootKey
	sheet   report.Sheet
	filled  *filled // by put, for warm and cold
	profile string
}

type stage struct {
	name string
	run  func(*bench) error
}

var stages = []stage{
	{"put", (*bench).put}, {"warm", (*bench).warm}, {"cold", (*bench).cold}, {"memory", (*bench).memoryHits},
	{"steady", (*bench).steady}, {"compact", (*bench).compact}, {"restart", (*bench).restart}, {"idle", (*bench).idle},
	{"resident", (*bench).resident},
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench/engine", flag.ContinueOnError)
	dir := flags.String("dir", "", "`folder` on a real disk to work in; a folder of its own is made in it and removed (default: the temporary folder)")
	corpus := flags.String("corpus", "", "`folder` of JSON payloads for put, warm, cold and steady (default: generated JSON of 1 KiB)")
	short := flags.Bool("short", false, "under two minutes: smaller stores, fewer rounds, without warm and compact")
	size := flags.String("size", "", "`capacity` of the stores, such as 20GB (default: 4GB, with -short 256MB)")
	memory := flags.String("memory", "0", "`bytes` of memory for the stores; 0: disk only, but for the memory stage")
	only := flags.String("only", "", "comma-separated `stages` to run (default: all)")
	sheet := flags.String("sheet", "", "`file` to which the figures are appended as well")
	profile := flags.String("profile", "", "`folder` for processor and allocation profiles of each stage")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag, see -h", flags.Arg(0))
	}
	b := &bench{ctx: ctx, out: out, short: *short, root: crypto.NewRootKey(), profile: *profile}
	if *size == "" {
		*size = "4GB"
		if *short {
			*size = "256MB"
		}
	}
	if b.size, err = config.ParseSize(*size); err != nil {
		return fmt.Errorf("-size: %w", err)
	}
	if b.memory, err = config.ParseSize(*memory); err != nil {
		return fmt.Errorf("-memory: %w", err)
	}
	if b.size < minSize {
		return fmt.Errorf("-size is %s: figures of less than %s say nothing", *size, config.FormatSize(minSize))
	}
	todo, err := choose(*only, *short)
	if err != nil {
		return err
	}
	if err := b.place(*dir, todo); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.payloads(*corpus)
	if b.profile != "" {
		if err := os.MkdirAll(b.profile, 0o755); err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
		runtime.MemProfileRate = 16 << 10
	}
	for _, s := range todo {
		start := time.Now()
		fmt.Fprintf(out, "\n== %s\n", s.name)
		if err := b.profiled(s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "(%.1f s)\n", time.Since(start).Seconds())
	}
	fmt.Fprintln(out)
	b.sheet.NotMeasured("they compare with another engine, which takes a module of its own, bench/peers", "put_vs_badger", "get_warm_vs_badger")
	if err := b.sheet.Print(out); err != nil || *sheet == "" {
		return err
	}
	return b.sheet.AppendTo(*sheet)
}

// minSize keeps cold reads from hitting pages that earlier ones of the same round have read.
const minSize = 128_000_000

// choose finds the stages that are named, in their usual order, with what they need before them. A short run, if nothing is
// named, does without warm, whose figure counts beside a rival's, and bench/peers has both; and without compact.
func choose(only string, short bool) ([]stage, error) {
	if only == "" && short {
		return slices.DeleteFunc(slices.Clone(stages), func(s stage) bool { return s.name == "warm" || s.name == "compact" }), nil
	}
	if only == "" {
		return stages, nil
	}
	want := strings.Split(only, ",")
	for _, name := range want {
		if !slices.ContainsFunc(stages, func(s stage) bool { return s.name == name }) {
			var all []string
			for _, s := range stages {
				all = append(all, s.name)
			}
			return nil, fmt.Errorf("-only: there is no stage %q; stages: %s", name, strings.Join(all, ", "))
		}
	}
	if slices.Contains(want, "warm") || slices.Contains(want, "cold") {
		want = append(want, "put") // they read what it has written
	}
	return slices.DeleteFunc(slices.Clone(stages), func(s stage) bool { return !slices.Contains(want, s.name) }), nil
}

// place makes the folder to work in, on a real disk with enough room.
func (b *bench) place(dir string, todo []stage) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("-dir: %w", err)
		}
	}
	made, err := os.MkdirTemp(dir, "stagecache-bench-")
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	b.dir = made
	name, inMemory, free, err := machine.FileSystem(made)
	need := b.size*2 + b.size/4
	if slices.ContainsFunc(todo, func(s stage) bool { return s.name == "restart" }) {
		need += restartEntries * 200
	}
	switch {
	case err != nil:
	case inMemory:
		err = fmt.Errorf("%s is a %s, which is memory and no disk: name a folder on a disk with -dir", made, name)
	case free < need:
		err = fmt.Errorf("%s has %s free, %s are needed: choose another -dir or a smaller -size", made, report.Bytes(free), report.Bytes(need))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(made))
	}
	fmt.Fprintf(b.out, "machine: %s, %s\n", machine.Describe(), name)
	mode := "full"
	if b.short {
		mode = "short"
	}
	tier := "no memory tier"
	if b.memory > 0 {
		tier = "memory " + config.FormatSize(b.memory)
	}
	fmt.Fprintf(b.out, "%s run: capacity %s, %s; AES-256-GCM, packed by a dictionary (S2) or zstd, fsync at every commit\n", mode, config.FormatSize(b.size), tier)
	return nil
}

// payloads chooses what is stored: the corpus, if there is one.
func (b *bench) payloads(corpus string) {
	b.values = values.Generate(1024)
	if corpus == "" {
		fmt.Fprintf(b.out, "values: %s (no -corpus given)\n", b.values.Name)
		return
	}
	loaded, err := values.Load(corpus)
	if err != nil {
		fmt.Fprintf(b.out, "values: %s, because there is no corpus: %v\n", b.values.Name, err)
		return
	}
	b.values = loaded
	fmt.Fprintf(b.out, "values: %s\n", b.values.Name)
}

func (b *bench) profiled(s stage) error {
	if b.profile == "" {
		return s.run(b)
	}
	f, err := os.Create(filepath.Join(b.profile, s.name+".cpu.pprof"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	err = s.run(b)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	a, err := os.Create(filepath.Join(b.profile, s.name+".allocs.pprof"))
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(a, 0), a.Close())
}

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

// rounds is how often a rate is measured.
func (b *bench) rounds(full, short int) int {
	if b.short {
		return short
	}
	return full
}
