package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"stagecache/bench/internal/machine"
)

// roleVariable is how a started process knows its role.
const roleVariable = "STAGECACHE_BENCH_ROLE"

// Role is the role this process was started in; "": none.
func Role() string { return os.Getenv(roleVariable) }

// patience is how long a child has to end by itself.
const patience = 30 * time.Second

// Child is a running process.
type Child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	to   *json.Encoder
	from *json.Decoder
}

// line is one line in either direction.
type line struct {
	What  string          `json:"what,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Start starts this program again, on the given processors (none: all), and waits until it is ready.
func Start(role string, cpus []int, setup, ready any) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	if err := machine.OnCPUs(cpus, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	c := &Child{role: role, cmd: cmd, in: in, to: json.NewEncoder(in), from: json.NewDecoder(out)}
	if err := c.Ask("begin", setup, ready); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// PID is the process's number.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Ask sends a question and waits for its answer. answer may be nil.
func (c *Child) Ask(what string, value, answer any) error {
	raw, err := json.Marshal(value)
	if err == nil {
		err = c.to.Encode(line{What: what, Value: raw})
	}
	var got line
	if err == nil {
		err = c.from.Decode(&got)
	}
	if err == nil && got.Error != "" {
		err = errors.New(got.Error)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(got.Value, answer)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.role, what, err)
	}
	return nil
}

// Close ends the process and waits for it.
func (c *Child) Close() error {
	c.in.Close()
	kill := time.AfterFunc(patience, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.role, err)
	}
	return nil
}

// Answer answers one question in a child.
type Answer func(what string, value json.RawMessage) (any, error)

// Serve is the life of a child: begin makes what it serves, then questions are answered until the input ends, then end is called.
func Serve(begin func(setup json.RawMessage) (ready any, answer Answer, end func() error, err error)) error {
	return serve(os.Stdin, os.Stdout, begin)
}

func serve(in io.Reader, out io.Writer, begin func(json.RawMessage) (any, Answer, func() error, error)) error {
	from, to := json.NewDecoder(in), json.NewEncoder(out)
	reply := func(value any, err error) error {
		var l line
		if err == nil {
			l.Value, err = json.Marshal(value)
		}
		if err != nil {
			l.Error = err.Error()
		}
		return to.Encode(l)
	}
	var l line
	if err := from.Decode(&l); err != nil {
		return fmt.Errorf("no setup: %w", err)
	}
	ready, answer, end, err := begin(l.Value)
	if rerr := reply(ready, err); err != nil || rerr != nil {
		if err == nil {
			return errors.Join(rerr, end())
		}
		return nil // the other side has it
	}
	for {
		l = line{}
		if err := from.Decode(&l); errors.Is(err, io.EOF) {
			return end()
		} else if err != nil {
			return errors.Join(err, end())
		}
		if err := reply(answer(l.What, l.Value)); err != nil {
			return errors.Join(err, end())
		}
	}
}
