package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// Exit codes: a contract with scripts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// program is one run of cachectl.
type program struct {
	in     io.Reader
	out    *resultWriter // results
	err    io.Writer     // everything else
	lookup func(string) (string, bool)
	limits map[*cli.Command]limits // of every command, for arrange
}

// Main runs the command line (args[0] is the program's name) and returns the exit code.
func Main(args []string, in io.Reader, out, err io.Writer) int {
	p := &program{in: in, out: &resultWriter{w: out}, err: err, lookup: os.LookupEnv}
	return p.main(args)
}

func (p *program) main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process, whatever it is doing

	app := p.app()
	ordered, err := arrange(app, p.limits, args)
	if err == nil {
		err = app.RunContext(ctx, ordered)
	}
	if err == nil {
		err = p.out.err
	}
	return p.report(err)
}

// report prints err and gives its exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitDone
	}
	var reported *reportedError
	var usage *usageError
	var invalid config.Errors
	switch {
	case errors.As(err, &reported): // the result says it all
	case errors.As(err, &invalid):
		p.configErrors(invalid)
	case errors.Is(err, context.Canceled):
		p.complain("interrupted", "")
	default:
		p.complain(err.Error(), hintOf(err))
	}
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case control.IsUnreachable(err):
		return exitUnreachable
	}
	return exitFailed
}

// complain prints an error and, if there is one, its hint.
func (p *program) complain(message, hint string) {
	fmt.Fprintf(p.err, "cachectl: %s\n", message)
	if hint != "" {
		fmt.Fprintf(p.err, "hint: %s\n", hint)
	}
}

// configErrors prints everything that is wrong with a configuration.
func (p *program) configErrors(list config.Errors) {
	for _, e := range list {
		p.complain(e.Error(), e.Hint)
	}
}

// resultWriter remembers that writing failed: a result that nobody got is a failure.
type resultWriter struct {
	w   io.Writer
	err error
}

func (r *resultWriter) Write(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.w.Write(b)
	if err != nil {
		r.err = fmt.Errorf("writing the result: %w", err)
	}
	return n, err
}
