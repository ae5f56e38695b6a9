package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/httpload"
	"stagecache/bench/internal/machine"
)

// load sends requests for random resources of one size to one address. Both kinds send the same bytes.
type load interface {
	run(ctx context.Context, r clientRun) (httpload.Result, error)
	close() error
}

// ownLoad is package httpload in a process of its own.
type ownLoad struct{ process *child.Child }

func newOwnLoad(cpus []int) (load, error) {
	c, err := child.Start("client", cpus, nil, nil)
	return ownLoad{c}, err
}

func (l ownLoad) close() error { return l.process.Close() }

func (l ownLoad) run(_ context.Context, r clientRun) (res httpload.Result, err error) {
	return res, l.process.Ask("run", r, &res)
}

// wrkLoad is wrk, which takes less of a processor per request than any client in Go, so that the server is what limits.
type wrkLoad struct {
	path, dir string
	cpus      []int
}

func (wrkLoad) close() error { return nil }

// script makes all requests beforehand, and says at the end what came of them.
const script = `local requests = {}
function init(args)
  math.randomseed(%d)
  for i = 0, %d do
    requests[i + 1] = string.format("GET /prod/%d/items/%%06d HTTP/1.1\r\nHost: %s\r\nUser-Agent: stagecache-bench\r\nAccept: */*\r\n\r\n", i)
  end
end
local random, n = math.random, %d
function request() return requests[random(n)] end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\nsummary {"requests":%%d,"micros":%%d,"bytes":%%d,"errors":%%d,"p50":%%d,"p99":%%d}\n', summary.requests, summary.duration,
    summary.bytes, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`

func (l wrkLoad) run(ctx context.Context, r clientRun) (res httpload.Result, err error) {
	file := filepath.Join(l.dir, "load.lua")
	text := fmt.Sprintf(script, time.Now().UnixNano()%math.MaxInt32, r.Keys-1, r.Size, r.Address, r.Keys)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return res, err
	}
	threads := max(len(l.cpus), 1)
	seconds := max(int(r.Duration.Round(time.Second)/time.Second), 1) // it knows whole ones only
	cmd := exec.CommandContext(ctx, l.path, "-t", strconv.Itoa(threads), "-c", strconv.Itoa(max(r.Connections, threads)),
		"-d", strconv.Itoa(seconds)+"s", "-s", file, "http://"+r.Address)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := machine.OnCPUs(l.cpus, cmd.Start); err != nil {
		return res, fmt.Errorf("wrk: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return res, fmt.Errorf("wrk: %w\n%s", err, out.Bytes())
	}
	return parseWrk(out.Bytes(), r.Size)
}

func parseWrk(out []byte, size int) (res httpload.Result, err error) {
	_, line, ok := bytes.Cut(out, []byte("\nsummary "))
	var s struct{ Requests, Micros, Bytes, Errors, P50, P99 int64 }
	if !ok {
		return res, fmt.Errorf("wrk said nothing of what it did:\n%s", out)
	}
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&s); err != nil {
		return res, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	switch {
	case s.Errors > 0:
		return res, fmt.Errorf("wrk: %d errors in %d requests", s.Errors, s.Requests)
	case s.Requests == 0 || s.Micros == 0:
		return res, fmt.Errorf("wrk got no answer:\n%s", out)
	case s.Bytes/s.Requests <= int64(size):
		return res, fmt.Errorf("wrk: answers of %d bytes cannot have bodies of %d", s.Bytes/s.Requests, size)
	}
	return httpload.Result{
		Requests: s.Requests, Seconds: float64(s.Micros) / 1e6, P50: float64(s.P50), P99: float64(s.P99),
		HeaderSize: int(s.Bytes/s.Requests) - size,
	}, nil
}
