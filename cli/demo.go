package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"stagecache/crypto"
	"stagecache/gateway/config"
	"stagecache/gateway/demo"
)

// The demonstration serves on this port, or on a free one if it is taken.
const demoPort = "127.0.0.1:8080"

// The stage of the demonstration, which is also its base path.
const demoStage = "shop"

const demoConfig = `# The configuration of a demonstration; it is removed when that ends.
listen: %s
data_dir: ./data
encryption:
  key_file: ./root.key
backends:
  shop: {url: "http://%s"}
stages:
  ` + demoStage + `:
    cache: {enabled: true, capacity: 500MB, memory: 64MB, ttl: 300s, encrypt: true}
    routes:
      - {path: /, backend: shop}
      - {path: "/{proxy+}", backend: shop}
`

// serveDemo runs a gateway before an embedded backend, with everything it needs in a temporary directory.
func (c *call) serveDemo() (err error) {
	if c.flags.IsSet("config") {
		return usagef("leave one of them out", "--demo brings its own configuration: it does not take --config")
	}
	dir, err := os.MkdirTemp("", "stagecache-demo-")
	if err != nil {
		return fmt.Errorf("making a place for the demonstration: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the demonstration's backend: %w", err)
	}
	shop := &http.Server{
		Handler:           demo.New(demo.Options{MinLatency: 30 * time.Millisecond, MaxLatency: 90 * time.Millisecond}),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	go shop.Serve(backend)
	defer shop.Close()

	front, instead, err := listenDemo(demoPort)
	if err != nil {
		return fmt.Errorf("opening the demonstration's port: %w", err)
	}
	if instead != "" {
		c.notef("%s", instead)
	}

	file := filepath.Join(dir, "stagecache.yaml")
	text := fmt.Sprintf(demoConfig, front.Addr(), backend.Addr())
	err = errors.Join(
		crypto.CreateKeyFile(filepath.Join(dir, "root.key"), crypto.NewRootKey()),
		os.WriteFile(file, []byte(text), 0o600),
	)
	if err != nil {
		front.Close()
		return fmt.Errorf("preparing the demonstration: %w", err)
	}
	return c.runServer(ServerOptions{
		Load:     func() (*config.Config, error) { return config.Load(file, config.Options{LookupEnv: c.lookup}) },
		Listener: front,
		// Lines to try are what is to be seen, not the log of a start.
		Logger: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, func(s *Server) { c.printDemo(s.URL(), dir, file) })
}

// listenDemo opens the port, or a free one if it is taken, which the second result then says.
func listenDemo(address string) (net.Listener, string, error) {
	l, err := net.Listen("tcp", address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, "", err
	}
	if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, "", err
	}
	return l, fmt.Sprintf("%s is in use by another process: the demonstration is at %s instead", address, l.Addr()), nil
}

// printDemo prints the lines to try. The first URL is that of an answer that may be stored.
func (c *call) printDemo(url, dir, file string) {
	base, ctl, with := url+"/"+demoStage, self(), " --config "+shellQuote(file)
	lines := []string{
		"stagecache is serving an embedded shop API from an encrypted, temporary cache. Try in another terminal:",
		"",
		"first a miss (Cache-Status: stagecache; fwd=uri-miss; stored)",
		"  curl -i " + base + "/products/42",
		"then a hit (Cache-Status: stagecache; hit; ttl=...)",
		"  curl -i " + base + "/products/42",
		"what else the API has",
		"  curl -s " + base + "/",
		"what the cache has done",
		"  " + ctl + " stats" + with,
		"and how to make it forget one product, a path, or everything",
		"  " + ctl + " flush" + with + " --stage " + demoStage + " --tag product-42",
		"  " + ctl + " flush" + with + " --stage " + demoStage + " --path '/products/*'",
		"  " + ctl + " flush" + with + " --stage " + demoStage,
		"",
		"Interrupt (Ctrl-C) ends it and removes " + dir,
	}
	c.printf("%s", strings.Join(lines, "\n"))
}

// self is how this program is called from another terminal: by its name where that finds it, else by its path.
func self() string {
	exe, err := os.Executable()
	if err != nil {
		return "cachectl"
	}
	if found, err := exec.LookPath("cachectl"); err == nil {
		a, errA := os.Stat(found)
		b, errB := os.Stat(exe)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return "cachectl"
		}
	}
	return shellQuote(exe)
}

func shellQuote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+=:@,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
