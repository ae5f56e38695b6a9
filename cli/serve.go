package cli

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// How long a stop may take: requests that are still running are cut after drainTime, and a second signal cuts them at
// once. The stores are closed in any case; forceTime bounds that after a second signal.
const (
	drainTime = 30 * time.Second
	forceTime = 10 * time.Second
)

func (p *program) serveCommand() *cli.Command {
	return p.leaf(command{
		name: "serve", usage: "run the gateway",
		description: "SIGTERM and SIGINT finish the requests that are running and close the stores; a second one does not wait\n" +
			"for requests. SIGHUP reads the configuration again and keeps the old one if the new one is wrong.",
		flags: []cli.Flag{
			&cli.BoolFlag{DisableDefaultText: true, Name: "demo", Usage: "serve an embedded shop API from a temporary store; needs no configuration"},
		},
		run: func(c *call) error {
			if c.flags.Bool("demo") {
				return c.serveDemo()
			}
			return c.serve()
		},
	})
}

func (c *call) serve() error {
	path, err := c.configFile()
	if err != nil {
		return err
	}
	return c.runServer(ServerOptions{
		Load: func() (*config.Config, error) {
			cfg, err := config.Load(path, config.Options{LookupEnv: c.lookup})
			if err == nil {
				c.warnings(cfg.Warnings())
			}
			return cfg, err
		},
		Logger: slog.New(slog.NewTextHandler(c.err, nil)),
	}, nil)
}

// runServer serves until a signal ends it. The function started is called when the data port is open; it may be nil.
func (c *call) runServer(o ServerOptions, started func(*Server)) error {
	// net/http tells of what a backend sends unasked through package log: one voice for all.
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn).Writer())
	o.Keys = func(cfg *config.Config) (control.Keys, error) { return c.keys(cfg, cfg.DataDir)() }
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	s, err := StartServer(c.ctx, o) // c.ctx ends at the first signal, so that a start can be interrupted
	switch {
	case errors.Is(err, context.Canceled) && c.ctx.Err() != nil:
		o.Logger.Info("stopped while starting")
		return nil
	case err != nil:
		return err
	}
	if started != nil {
		started(s)
	}
	for {
		select {
		case err := <-s.Failed():
			stop := s.stop(signals)
			if err == nil {
				err = errors.New("the data port stopped serving")
			}
			return errors.Join(err, stop)
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.log.Info("stopping", "signal", sig.String())
				return s.stop(signals)
			}
			_ = s.reload(audit.With(context.Background(), audit.Actor{Via: "signal"})) // it is logged, and the old configuration stays in force
		}
	}
}

// reload is Reload for whoever cannot be told what came of it but by the log, and for the admin socket, which tells both. Its
// error has a hint if anybody knows one.
func (s *Server) reload(ctx context.Context) error {
	err := s.Reload(ctx)
	s.audit.Write(ctx, audit.Record{Action: audit.Reload, Error: audit.Text(err)})
	if err != nil {
		s.logReload(err)
		return &hintedError{err, hintOf(err)}
	}
	s.log.Info("configuration reloaded")
	return nil
}

// logReload has one line for each thing that is wrong.
func (s *Server) logReload(err error) {
	var list config.Errors
	if !errors.As(err, &list) {
		s.logFailedReload(err.Error(), hintOf(err))
		return
	}
	for _, e := range list {
		s.logFailedReload(e.Error(), e.Hint)
	}
}

func (s *Server) logFailedReload(what, hint string) {
	about := []any{"error", what}
	if hint != "" {
		about = append(about, "hint", hint)
	}
	s.log.Error("reload failed, the old configuration stays in force", about...)
}

// stop ends the server: in good order if it can, at once at another signal.
func (s *Server) stop(signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	var forced <-chan time.Time
	for {
		select {
		case err := <-done:
			return s.withoutCuts(err)
		case sig := <-signals:
			if sig != syscall.SIGHUP && forced == nil {
				s.log.Warn("stopping at once", "signal", sig.String())
				cancel()
				forced = time.After(forceTime)
			}
		case <-forced:
			return fmt.Errorf("the stores could not be closed within %v; the next start recovers them", forceTime)
		}
	}
}

// withoutCuts leaves out that requests were cut because their time was over, which is what a bound is for.
func (s *Server) withoutCuts(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case ok:
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, s.withoutCuts(e))
		}
		return errors.Join(rest...)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		s.log.Warn("stopped before everything had ended", "error", err)
		return nil
	}
	return err
}
