package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/fastcache"

	"stagecache/bench/internal/child"
	"stagecache/bench/internal/httpload"
	"stagecache/bench/internal/values"
	"stagecache/crypto"
	"stagecache/gateway"
	"stagecache/gateway/config"
)

// play is the life of a child process.
func play(role string) error {
	switch role {
	case "gateway":
		return child.Serve(beginGateway)
	case "bare":
		return child.Serve(beginBare)
	case "client":
		return child.Serve(beginClient)
	}
	return fmt.Errorf("there is no such role")
}

type gatewaySetup struct {
	Dir, Backend string
	Profiled     bool
}

// beginGateway serves a gateway and answers with its address.
func beginGateway(raw json.RawMessage) (any, child.Answer, func() error, error) {
	var setup gatewaySetup
	if err := json.Unmarshal(raw, &setup); err != nil {
		return nil, nil, nil, err
	}
	profiling(setup.Profiled)
	text := fmt.Sprintf(`
listen: 127.0.0.1:8080
data_dir: %q
encryption: {key_env: STAGECACHE_BENCH_KEY}
backends:
  shop: {url: %q}
stages:
  prod:
    cache: {capacity: 1GB, memory: 512MB, ttl: 3600s}
    routes:
      - {path: "/{proxy+}", backend: shop}
`, setup.Dir, setup.Backend)
	// The key is made here and lives as long as the store: there is no variable to look for.
	cfg, err := config.Parse("bench.yaml", []byte(text), config.Options{SkipFiles: true})
	if err != nil {
		return nil, nil, nil, err
	}
	g, err := gateway.New(gateway.Options{Config: cfg, Root: crypto.NewRootKey()})
	if err != nil {
		return nil, nil, nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, nil, errors.Join(err, g.Shutdown(context.Background()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, ln) }()
	answer := func(what string, value json.RawMessage) (any, error) {
		return answerServer(what, value, func(c *counters) {
			st := g.RequestStats("prod")
			c.Hits, c.Misses = uint64(st.Hits), uint64(st.Misses+st.Bypasses+st.Coalesced)
		})
	}
	return ln.Addr().String(), answer, func() error { cancel(); return <-served }, nil
}

type bareSetup struct {
	Sizes    []int
	Keys     int
	Profiled bool
}

// beginBare serves the same bytes with as little as net/http allows.
func beginBare(raw json.RawMessage) (any, child.Answer, func() error, error) {
	var setup bareSetup
	if err := json.Unmarshal(raw, &setup); err != nil {
		return nil, nil, nil, err
	}
	profiling(setup.Profiled)
	cache := fastcache.New(512 << 20)
	etags := make(map[int][]string) // by size, and the body's length as text
	lengths := make(map[int][]string)
	for _, size := range setup.Sizes {
		src := values.Generate(size)
		etags[size], lengths[size] = []string{etagOf(size)}, []string{strconv.Itoa(size)}
		for i := range setup.Keys {
			cache.Set([]byte(pathOf(size, i)), src.Append(nil, uint64(i)))
		}
	}
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	types := []string{contentType}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := buffers.Get().(*[]byte)
		*b = append((*b)[:0], r.URL.Path...)
		key := len(*b)
		*b = cache.Get(*b, (*b)[:key])
		body := (*b)[key:]
		if len(body) == 0 {
			http.NotFound(w, r)
		} else {
			h := w.Header()
			h["Content-Type"], h["Etag"], h["Content-Length"] = types, etags[len(body)], lengths[len(body)]
			w.Write(body)
		}
		buffers.Put(b)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, nil, err
	}
	go srv.Serve(ln)
	answer := func(what string, value json.RawMessage) (any, error) {
		return answerServer(what, value, func(*counters) {})
	}
	return ln.Addr().String(), answer, srv.Close, nil
}

// profiling makes the allocation profile finer than usual, or leaves it away.
func profiling(on bool) {
	runtime.MemProfileRate = 0
	if on {
		runtime.MemProfileRate = 16 << 10
	}
}

// answerServer answers what both servers are asked.
func answerServer(what string, value json.RawMessage, fill func(*counters)) (any, error) {
	switch what {
	case "counters":
		var c counters
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		c.Mallocs, c.Allocated = mem.Mallocs, mem.TotalAlloc
		fill(&c)
		return c, nil
	case "profile", "profiled":
		var base string
		if err := json.Unmarshal(value, &base); err != nil {
			return nil, err
		}
		return nil, profile(what == "profile", filepath.Clean(base))
	}
	return nil, fmt.Errorf("there is no such question")
}

// cpuProfile is the file of the profile being taken. Questions come one at a time.
var cpuProfile *os.File

func profile(begin bool, base string) (err error) {
	if begin {
		if cpuProfile, err = os.Create(base + ".cpu.pprof"); err != nil {
			return err
		}
		return pprof.StartCPUProfile(cpuProfile)
	}
	pprof.StopCPUProfile()
	f, err := os.Create(base + ".allocs.pprof")
	if err != nil {
		return errors.Join(err, cpuProfile.Close())
	}
	runtime.GC() // the profile is as of the last collection
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close(), cpuProfile.Close())
}

type clientRun struct {
	Address                 string
	Size, Keys, Connections int
	Duration                time.Duration
}

// beginClient sends requests when asked to.
func beginClient(json.RawMessage) (any, child.Answer, func() error, error) {
	answer := func(what string, value json.RawMessage) (any, error) {
		var run clientRun
		if err := json.Unmarshal(value, &run); err != nil {
			return nil, err
		}
		requests := make([][]byte, run.Keys)
		for i := range requests {
			requests[i] = httpload.Request(run.Address, pathOf(run.Size, i))
		}
		return httpload.Do(httpload.Run{Address: run.Address, Requests: requests, Connections: run.Connections, Duration: run.Duration, BodySize: run.Size})
	}
	return nil, answer, func() error { return nil }, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
