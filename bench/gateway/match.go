package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/httpload"
	"stagecache/bench/internal/machine"
	"stagecache/bench/internal/report"
	"stagecache/bench/internal/values"
)

// match has both servers, the client, and the backend behind the gateway, which lives here: it is asked once per resource.
type match struct {
	settings
	backend *http.Server
	client  *child.Child
	sides   [2]*side
	sources map[int]*values.Source
}

// side is one server.
type side struct {
	name    string
	process *child.Child
	address string
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
	m = &match{settings: s, sources: make(map[int]*values.Source)}
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

	profiled := s.profile != ""
	for i, setup := range []struct {
		name  string
		value any
	}{
		{"gateway", gatewaySetup{Dir: filepath.Join(dir, "gateway"), Backend: "http://" + ln.Addr().String(), Profiled: profiled}},
		{"bare", bareSetup{Sizes: s.sizes, Keys: s.keys, Profiled: profiled}},
	} {
		sd := &side{name: setup.name}
		if sd.process, err = child.Start(setup.name, s.serverCPUs, setup.value, &sd.address); err != nil {
			return m, err
		}
		m.sides[i] = sd
	}
	m.client, err = child.Start("client", s.clientCPUs, nil, nil)
	return m, err
}

func (m *match) close() error {
	var errs []error
	if m.client != nil {
		errs = append(errs, m.client.Close())
	}
	for _, sd := range m.sides {
		if sd != nil {
			errs = append(errs, sd.process.Close())
		}
	}
	if m.backend != nil {
		errs = append(errs, m.backend.Close())
	}
	return errors.Join(errs...)
}

// answer is the backend.
func (m *match) answer(w http.ResponseWriter, r *http.Request) {
	size, i, ok := parsePath(r.URL.Path)
	src := m.sources[size]
	if !ok || src == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Etag", etagOf(size))
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
		return m.profiles(out)
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

func (m *match) turn(sd *side, size int, d time.Duration) (turn, error) {
	var before, after counters
	if err := sd.process.Ask("counters", nil, &before); err != nil {
		return turn{}, err
	}
	var t turn
	err := m.client.Ask("run", clientRun{Address: sd.address, Size: size, Keys: m.keys, Connections: m.connections, Duration: d}, &t.Result)
	if err != nil {
		return t, err
	}
	if err := sd.process.Ask("counters", nil, &after); err != nil {
		return t, err
	}
	if sd.name == "gateway" && (after.Misses != before.Misses || int64(after.Hits-before.Hits) != t.Requests) {
		return t, fmt.Errorf("of %d requests %d were hits and %d misses", t.Requests, after.Hits-before.Hits, after.Misses-before.Misses)
	}
	n := float64(t.Requests)
	t.cpu = micros(after.Usage.Total()-before.Usage.Total()) / n
	t.user = micros(after.Usage.User-before.Usage.User) / n
	t.allocs = float64(after.Mallocs-before.Mallocs) / n
	t.bytes = float64(after.Allocated-before.Allocated) / n
	return t, nil
}

func (m *match) playSize(ctx context.Context, out io.Writer, sheet *report.Sheet, size int) error {
	var rate, cpu report.Rounds
	var turns [2][]turn
	for round := range m.rounds + 1 {
		var both [2]turn
		// Who begins changes, so that neither always comes after the other.
		for k := range m.sides {
			side := (round + k) % 2
			var err error
			if both[side], err = m.turn(m.sides[side], size, m.duration()); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if round == 0 {
			continue // connections, pools and heaps find their size
		}
		rate.Add(both[0].PerSecond(), both[1].PerSecond())
		cpu.Add(both[0].cpu, both[1].cpu)
		for i := range both {
			turns[i] = append(turns[i], both[i])
		}
	}
	fmt.Fprintf(out, "\n== bodies of %d bytes\n", size)
	for i, sd := range m.sides {
		of := func(f func(turn) float64) float64 {
			var v []float64
			for _, t := range turns[i] {
				v = append(v, f(t))
			}
			return report.Median(v)
		}
		fmt.Fprintf(out, "%-8s %8s req/s; server %5.2f us of processor time per request (%5.2f in user mode), %5.1f allocations of %5.0f bytes in all; p50 %4.0f us, p99 %5.0f us; header of %d bytes\n",
			sd.name, report.Count(of(turn.perSecond)), of(func(t turn) float64 { return t.cpu }), of(func(t turn) float64 { return t.user }),
			of(func(t turn) float64 { return t.allocs }), of(func(t turn) float64 { return t.bytes }),
			of(func(t turn) float64 { return t.P50 }), of(func(t turn) float64 { return t.P99 }), turns[i][0].HeaderSize)
	}
	for _, r := range []struct {
		what   string
		rounds report.Rounds
	}{{"throughput", rate}, {"processor time", cpu}} {
		least, middle, most := report.Spread(r.rounds.Pairs())
		fmt.Fprintf(out, "%s round by round, ours by theirs: %s (%s to %s)\n", r.what, report.Number(middle), report.Number(least), report.Number(most))
	}
	suffix := "" // the figure as such is about small answers
	if size != m.sizes[0] {
		suffix = fmt.Sprintf("_%d", size)
	}
	what := fmt.Sprintf(" with bodies of %d bytes", size)
	sheet.Add(report.Figure{Name: "hit_vs_bare_nethttp" + suffix, Value: rate.Ratio(), Unit: "x",
		Ours: report.Count(report.Median(rate.Ours)) + " req/s" + what, Theirs: report.Count(report.Median(rate.Theirs)) + " req/s"})
	sheet.Add(report.Figure{Name: "hit_cpu_vs_bare_nethttp" + suffix, Value: cpu.Ratio(), Unit: "x",
		Ours: report.Number(report.Median(cpu.Ours)) + " us per request" + what, Theirs: report.Number(report.Median(cpu.Theirs)) + " us"})
	return nil
}

// profiles takes profiles of both servers while they answer. This turn does not count.
func (m *match) profiles(out io.Writer) error {
	for _, sd := range m.sides {
		base := filepath.Join(m.profile, sd.name)
		if err := sd.process.Ask("profile", base, nil); err != nil {
			return err
		}
		if _, err := m.turn(sd, m.sizes[0], 15*time.Second); err != nil {
			return err
		}
		if err := sd.process.Ask("profiled", base, nil); err != nil {
			return err
		}
		fmt.Fprintf(out, "profiles: %s.cpu.pprof, %s.allocs.pprof\n", base, base)
	}
	return nil
}

func (t turn) perSecond() float64 { return t.PerSecond() }

// counters are what a server knows about itself.
type counters struct {
	Usage        machine.Usage
	Mallocs      uint64
	Allocated    uint64
	Hits, Misses uint64 // the gateway's
}
