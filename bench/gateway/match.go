package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/httpload"
	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
)

// match has the servers, the client, and the backend behind the caches, which lives here: each cache asks it once per resource.
type match struct {
	settings
	dir     string
	backend *http.Server
	asked   atomic.Int64 // requests that the backend got
	client  load
	sides   []*side // ours first
	absent  []rival
	sources map[int]*values.Source
}

// side is one server.
type side struct {
	name    string
	address string
	pid     int
	process *child.Child // nil for a rival
	stop    func() error
}

// contentType and etag are the answers' headers, besides their length.
const contentType = "application/json"

func etagOf(size int) string { return fmt.Sprintf(`"%08x"`, size) }

func pathOf(size, i int) string { return fmt.Sprintf("/prod/%d/items/%06d", size, i) }

// parsePath is the other direction, with or without the base path.
func parsePath(path string) (size, i int, ok bool) {
	n, err := fmt.Sscanf(strings.TrimPrefix(path, "/prod"), "/%d/items/%06d", &size, &i)
	return size, i, err == nil && n == 2
}

func newMatch(dir string, s settings) (m *match, err error) {
	m = &match{settings: s, dir: dir, sources: make(map[int]*values.Source)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	for _, size := range s.sizes {
		m.sources[size] = values.Generate(size)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return m, err
	}
	m.backend = &http.Server{Handler: http.HandlerFunc(m.answer)}
	go m.backend.Serve(ln)

	address := ln.Addr().String()
	profiled := s.profile != ""
	for _, setup := range []struct {
		name  string
		value any
	}{
		{"gateway", gatewaySetup{Dir: filepath.Join(dir, "gateway"), Backend: "http://" + address, Profiled: profiled}},
		{"bare", bareSetup{Sizes: s.sizes, Keys: s.keys, Profiled: profiled}},
	} {
		sd := &side{name: setup.name}
		if sd.process, err = child.Start(setup.name, s.serverCPUs, setup.value, &sd.address); err != nil {
			return m, err
		}
		sd.pid, sd.stop = sd.process.PID(), sd.process.Close
		m.sides = append(m.sides, sd)
	}
	for _, r := range rivals {
		path, err := look(r.program)
		if err != nil {
			m.absent = append(m.absent, r)
			continue
		}
		processors := len(s.serverCPUs)
		if processors == 0 {
			processors = runtime.NumCPU()
		}
		d, listen, err := r.start(path, filepath.Join(dir, r.name), address, s.serverCPUs, processors)
		if err != nil {
			return m, err
		}
		m.sides = append(m.sides, &side{name: r.name, address: listen, pid: d.cmd.Process.Pid, stop: d.stop})
	}
	if s.wrk != "" {
		m.client = wrkLoad{path: s.wrk, dir: dir, cpus: s.clientCPUs}
	} else {
		m.client, err = newOwnLoad(s.clientCPUs)
	}
	return m, err
}

func (m *match) close() error {
	var errs []error
	if m.client != nil {
		errs = append(errs, m.client.close())
	}
	for _, sd := range m.sides {
		errs = append(errs, sd.stop())
	}
	if m.backend != nil {
		errs = append(errs, m.backend.Close())
	}
	return errors.Join(errs...)
}

// answer is the backend.
func (m *match) answer(w http.ResponseWriter, r *http.Request) {
	m.asked.Add(1)
	size, i, ok := parsePath(r.URL.Path)
	src := m.sources[size]
	if !ok || src == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Etag", etagOf(size))
	w.Header().Set("Content-Length", strconv.Itoa(size)) // else it comes in chunks, and nginx would send every hit in chunks
	w.Write(src.Append(nil, uint64(i)))
}

func (m *match) play(ctx context.Context, out io.Writer, sheet *report.Sheet) error {
	fmt.Fprintf(out, "%d resources, %d connections, %d rounds of %g s a side, in turns\n", m.keys, m.connections, m.rounds, m.seconds)
	for _, size := range m.sizes {
		for _, sd := range m.sides {
			if err := m.check(ctx, sd, size); err != nil {
				return fmt.Errorf("%s: %w", sd.name, err)
			}
		}
		if err := m.playSize(ctx, out, sheet, size); err != nil {
			return err
		}
	}
	if m.profile != "" {
		return m.profiles(ctx, out)
	}
	return nil
}

// check asks for every resource, twice: then all are cached, and the answers are known to be right.
func (m *match) check(ctx context.Context, sd *side, size int) error {
	for i := range m.keys {
		for range 2 {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://"+sd.address+pathOf(size, i), nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return err
			}
			if resp.StatusCode != 200 || !m.sources[size].Is(body, uint64(i)) || resp.Header.Get("Etag") != etagOf(size) {
				return fmt.Errorf("%s: status %d and %d bytes are not the answer", req.URL.Path, resp.StatusCode, len(body))
			}
		}
	}
	return nil
}

// turn is what one side did in one round.
type turn struct {
	httpload.Result
	cpu, user float64 // us of the server per request
	allocs    float64 // per request
	bytes     float64 // allocated per request
}

func (m *match) turn(ctx context.Context, sd *side, size int, d time.Duration) (t turn, err error) {
	before, err := m.count(sd)
	if err != nil {
		return t, err
	}
	asked := m.asked.Load()
	t.Result, err = m.client.run(ctx, clientRun{Address: sd.address, Size: size, Keys: m.keys, Connections: m.connections, Duration: d})
	if err != nil {
		return t, err
	}
	after, err := m.count(sd)
	if err != nil {
		return t, err
	}
	if n := m.asked.Load() - asked; n > 0 {
		return t, fmt.Errorf("%s: %d of %d requests were no hits", sd.name, n, t.Requests)
	}
	// wrk leaves the last request of each connection uncounted.
	if more := int64(after.Hits-before.Hits) - t.Requests; sd.name == "gateway" && (after.Misses != before.Misses || more < 0 || more > int64(m.connections)) {
		return t, fmt.Errorf("of %d requests %d were hits and %d misses", t.Requests, after.Hits-before.Hits, after.Misses-before.Misses)
	}
	n := float64(t.Requests)
	t.cpu = micros(after.usage.Total()-before.usage.Total()) / n
	t.user = micros(after.usage.User-before.usage.User) / n
	t.allocs = float64(after.Mallocs-before.Mallocs) / n
	t.bytes = float64(after.Allocated-before.Allocated) / n
	return t, nil
}

// counted is what is known of a server at one moment.
type counted struct {
	counters
	usage machine.Usage
}

func (m *match) count(sd *side) (c counted, err error) {
	if sd.process != nil {
		if err = sd.process.Ask("counters", nil, &c.counters); err != nil {
			return c, err
		}
	}
	c.usage, err = machine.TreeUsage(sd.pid)
	return c, err
}

func (m *match) playSize(ctx context.Context, out io.Writer, sheet *report.Sheet, size int) error {
	turns := make([][]turn, len(m.sides))
	for round := range m.rounds + 1 {
		// Who begins changes, so that none always comes after the same other.
		for k := range m.sides {
			side := (round + k) % len(m.sides)
			t, err := m.turn(ctx, m.sides[side], size, m.duration())
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if round > 0 { // before that connections, pools and heaps find their size
				turns[side] = append(turns[side], t)
			}
		}
	}
	fmt.Fprintf(out, "\n== bodies of %d bytes\n", size)
	for i, sd := range m.sides {
		of := func(f func(turn) float64) float64 { return report.Median(each(turns[i], f)) }
		fmt.Fprintf(out, "%-8s %8s req/s; server %5.2f us of processor time per request (%5.2f in user mode)%s; p50 %4.0f us, p99 %5.0f us; header of %d bytes\n",
			sd.name, report.Count(of(turn.perSecond)), of(turn.processor), of(func(t turn) float64 { return t.user }), sd.allocations(of),
			of(func(t turn) float64 { return t.P50 }), of(func(t turn) float64 { return t.P99 }), turns[i][0].HeaderSize)
	}
	suffix := "" // the figure as such is about small answers
	if size != m.sizes[0] {
		suffix = fmt.Sprintf("_%d", size)
	}
	what := fmt.Sprintf(" with bodies of %d bytes", size)
	for i, sd := range m.sides[1:] {
		rival := sd.name
		if sd.process != nil {
			rival = "bare_nethttp"
		}
		rate := report.Rounds{Ours: each(turns[0], turn.perSecond), Theirs: each(turns[i+1], turn.perSecond)}
		cpu := report.Rounds{Ours: each(turns[0], turn.processor), Theirs: each(turns[i+1], turn.processor)}
		fmt.Fprintf(out, "ours by %s round by round: throughput %s, processor time %s\n", rival, spread(rate), spread(cpu))
		sheet.Add(report.Figure{Name: "hit_vs_" + rival + suffix, Value: rate.Ratio(), Unit: "x",
			Ours: report.Count(report.Median(rate.Ours)) + " req/s" + what, Theirs: report.Count(report.Median(rate.Theirs)) + " req/s"})
		sheet.Add(report.Figure{Name: "hit_cpu_vs_" + rival + suffix, Value: cpu.Ratio(), Unit: "x",
			Ours: report.Number(report.Median(cpu.Ours)) + " us per request" + what, Theirs: report.Number(report.Median(cpu.Theirs)) + " us"})
	}
	return nil
}

func each(turns []turn, f func(turn) float64) []float64 {
	v := make([]float64, len(turns))
	for i, t := range turns {
		v[i] = f(t)
	}
	return v
}

func spread(r report.Rounds) string {
	least, middle, most := report.Spread(r.Pairs())
	return fmt.Sprintf("%s (%s to %s)", report.Number(middle), report.Number(least), report.Number(most))
}

// allocations says what only a server of ours tells about itself.
func (sd *side) allocations(of func(func(turn) float64) float64) string {
	if sd.process == nil {
		return ""
	}
	return fmt.Sprintf(", %.1f allocations of %.0f bytes in all", of(func(t turn) float64 { return t.allocs }), of(func(t turn) float64 { return t.bytes }))
}

// profiles takes profiles of both our servers while they answer. This turn does not count.
func (m *match) profiles(ctx context.Context, out io.Writer) error {
	for _, sd := range m.sides {
		if sd.process == nil {
			continue
		}
		for _, size := range m.sizes {
			base := filepath.Join(m.profile, fmt.Sprintf("%s-%d", sd.name, size))
			if err := sd.process.Ask("profile", base, nil); err != nil {
				return err
			}
			if _, err := m.turn(ctx, sd, size, 8*time.Second); err != nil {
				return err
			}
			if err := sd.process.Ask("profiled", base, nil); err != nil {
				return err
			}
			fmt.Fprintf(out, "profiles: %s.cpu.pprof, %s.allocs.pprof\n", base, base)
		}
	}
	return nil
}

func (t turn) perSecond() float64 { return t.PerSecond() }

func (t turn) processor() float64 { return t.cpu }

// counters are what a server of ours knows about itself.
type counters struct {
	Mallocs      uint64
	Allocated    uint64
	Hits, Misses uint64 // the gateway's
}
