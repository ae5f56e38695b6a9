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
	"strconv"
	"strings"
	"syscall"
	"time"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
)

func main() {
	if role := child.Role(); role != "" {
		// An interrupt of the terminal reaches all processes: this one ends when the one that started it does.
		signal.Ignore(os.Interrupt)
		if err := play(role); err != nil {
			fmt.Fprintf(os.Stderr, "bench/gateway: %s: %v\n", role, err)
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
		fmt.Fprintln(os.Stderr, "bench/gateway:", err)
		os.Exit(1)
	}
}

type settings struct {
	rounds      int
	seconds     float64
	connections int
	keys        int
	sizes       []int
	profile     string
	wrk         string // the program; "": a client of our own
	serverCPUs  []int
	clientCPUs  []int
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench/gateway", flag.ContinueOnError)
	short := flags.Bool("short", false, "under two minutes: fewer and shorter rounds")
	connections := flags.Int("connections", 32, "keep-alive connections of the client")
	keys := flags.Int("keys", 1000, "different resources")
	bodies := flags.String("bodies", "1024,16384", "comma-separated sizes of bodies in bytes, 256 to 60000")
	dir := flags.String("dir", "", "`folder` for the gateway's store; a folder of its own is made in it and removed (default: the temporary folder)")
	pin := flags.Bool("pin", true, "keep servers and client on different processors, where there are some")
	own := flags.Bool("own-client", false, "load by a client of our own even where wrk is installed")
	profile := flags.String("profile", "", "`folder` for profiles of both servers, taken in rounds that do not count")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag, see -h", flags.Arg(0))
	}
	s := settings{rounds: 9, seconds: 3, connections: *connections, keys: *keys, profile: *profile}
	if *short {
		s.rounds, s.seconds = 7, 1
	}
	if s.connections < 1 || s.connections > 10_000 {
		return fmt.Errorf("-connections is %d: 1 to 10000 are possible", s.connections)
	}
	if s.keys < 1 || s.keys > 100_000 {
		return fmt.Errorf("-keys is %d: 1 to 100000 are possible", s.keys)
	}
	for _, text := range strings.Split(*bodies, ",") {
		// Bodies of 64 KiB and more are not what fastcache keeps in one piece, so the bare side could not serve them.
		n, err := strconv.Atoi(text)
		if err != nil || n < 256 || n > 60_000 {
			return fmt.Errorf("-bodies: %q is no size from 256 to 60000", text)
		}
		s.sizes = append(s.sizes, n)
	}
	if *dir != "" {
		if err := os.MkdirAll(*dir, 0o700); err != nil {
			return fmt.Errorf("-dir: %w", err)
		}
	}
	if s.profile != "" {
		if s.profile, err = filepath.Abs(s.profile); err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
		if err := os.MkdirAll(s.profile, 0o755); err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
	}
	made, err := os.MkdirTemp(*dir, "stagecache-bench-")
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()

	fmt.Fprintf(out, "machine: %s\n", machine.Describe())
	if *pin {
		s.serverCPUs, s.clientCPUs = split()
	}
	if len(s.serverCPUs) > 0 {
		fmt.Fprintf(out, "processors: servers on %v (in turns), client on %v\n", s.serverCPUs, s.clientCPUs)
	} else {
		fmt.Fprintln(out, "processors: servers and client share them, so the client's cost is part of every rate")
	}
	if wrk, err := look("wrk"); err == nil && !*own {
		s.wrk = wrk
		fmt.Fprintln(out, "client:", versionOf(wrk, "-v"))
	} else {
		fmt.Fprintln(out, "client: our own; wrk (apt package wrk) would take less of a processor")
	}
	for _, r := range rivals {
		if path, err := look(r.program); err == nil {
			fmt.Fprintf(out, "%s: %s\n", r.name, versionOf(path, r.version))
		}
	}
	var sheet report.Sheet
	m, err := newMatch(made, s)
	if err != nil {
		return err
	}
	for _, r := range m.absent {
		sheet.NotMeasured(fmt.Sprintf("%s is not installed (apt package %s)", r.name, r.pkg), "hit_cpu_vs_"+r.name)
	}
	err = m.play(ctx, out, &sheet)
	if err = errors.Join(err, m.close()); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return sheet.Print(out)
}

// split gives half of the processors to the servers and half to the client; none to either if there is only one.
func split() (servers, client []int) {
	cpus, err := machine.CPUs()
	if err != nil || len(cpus) < 2 {
		return nil, nil
	}
	// The second half for the servers: the first processor tends to have the interrupts.
	return cpus[len(cpus)/2:], cpus[:len(cpus)/2]
}

func (s *settings) duration() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }
