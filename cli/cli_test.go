package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stagecache/cli"
	"stagecache/gateway/demo"
)

// The programs that scripts run: cachectl itself, a backend, and a client for scripts that go on meanwhile.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cachectl": func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
		"backend":  backendMain,
		"fetch":    func() { os.Exit(getMain(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) { testscript.Run(t, scripts("testdata")) }

// scripts are those of a directory, with the commands that they may use.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CACHECTL_CONFIG", "")
			e.Setenv("GORACE", "atexit_sleep_ms=20") // under the race detector each of many processes would end a second late
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport":    cmdFreeport,
			"expand":      cmdExpand,
			"get":         cmdGet,
			"admin":       cmdAdmin,
			"ready":       cmdReady,
			"signal":      cmdSignal,
			"exit":        cmdExit,
			"waitfile":    cmdWaitfile,
			"extract":     cmdExtract,
			"flip":        cmdFlip,
			"certificate": cmdCertificate,
		},
	}
}

// patience bounds every wait for another process; what takes that long hangs.
const patience = 30 * time.Second

// eventually asks again until f says yes. It is for other processes only, which no channel reaches.
func eventually(ts *testscript.TestScript, what string, f func() bool) {
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// nextPort goes through ports below those that a system gives to outgoing connections: one of these, found free, stays so
// until the script uses it.
var nextPort atomic.Int32

// freeport NAME...: sets each variable to a port that nobody uses.
func cmdFreeport(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		for range 1000 {
			port := 12000 + (os.Getpid()*64+int(nextPort.Add(1)))%18000
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				continue
			}
			l.Close()
			ts.Setenv(name, strconv.Itoa(port))
			break
		}
		if ts.Getenv(name) == "" {
			ts.Fatalf("no free port")
		}
	}
}

// expand FILE...: replaces $NAME in the files by the script's variables.
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
	}
}

// ready DATADIR: waits until the gateway that uses the data directory is ready.
func cmdReady(ts *testscript.TestScript, neg bool, args []string) {
	socket := filepath.Join(ts.MkAbs(args[0]), "admin.sock")
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	eventually(ts, "the gateway is ready", func() bool {
		resp, err := c.Get("http://localhost/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// signal NAME DATADIR: sends a signal to the process that has locked the data directory.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	sig := map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
	}[args[0]]
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(filepath.Join(args[1], "LOCK"))))
	ts.Check(err)
	if pid <= 1 || sig == 0 {
		ts.Fatalf("no process %d, or no signal %s", pid, args[0])
	}
	ts.Check(syscall.Kill(pid, sig))
}

// exit CODE PROGRAM ARGS...: runs it and compares the exit code.
func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		code = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// waitfile FILE REGEXP: waits until the file has a match.
func cmdWaitfile(ts *testscript.TestScript, neg bool, args []string) {
	re := regexp.MustCompile(args[1])
	eventually(ts, args[0]+" has "+args[1], func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && re.Match(b)
	})
}

// extract FILE REGEXP NAME: sets the variable to the first group of the first match.
func cmdExtract(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[0]))
	if m == nil {
		ts.Fatalf("%s has no match of %s", args[0], args[1])
	}
	ts.Setenv(args[2], m[1])
}

// flip GLOB: damages the middle of the largest file that matches.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	var largest string
	var size int64
	for _, n := range names {
		if fi, err := os.Stat(n); err == nil && fi.Mode().IsRegular() && fi.Size() > size {
			largest, size = n, fi.Size()
		}
	}
	if largest == "" {
		ts.Fatalf("no file matches %s", args[0])
	}
	b, err := os.ReadFile(largest)
	ts.Check(err)
	// A run in the middle of what is not zero: padding would not be missed.
	mid := len(b) / 2
	for mid < len(b)-1 && b[mid] == 0 {
		mid++
	}
	for i := mid; i < min(mid+64, len(b)); i++ {
		b[i] ^= 0xff
	}
	ts.Check(os.WriteFile(largest, b, 0o600))
	ts.Logf("damaged %s at %d of %d", largest, mid, len(b))
}

// backend PORT: serves the demonstration's shop until it is interrupted. GET /_count says how often it was asked.
func backendMain() {
	shop := demo.New(demo.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("/_count", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "requests:", shop.Requests())
	})
	mux.Handle("/", shop)
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], mux))
	os.Exit(1)
}

// get [-q] URL...: prints status, headers and body of each; waits for a server that is not up yet. As a command and not a program
// it costs no process, of which one takes a fifth of a second under the race detector.
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	if failed := getMain(args, ts.Stdout(), ts.Stderr()) != 0; failed != neg {
		ts.Fatalf("get: failed %v, want %v", failed, neg)
	}
}

func getMain(args []string, stdout, stderr io.Writer) (code int) {
	quiet := len(args) > 0 && args[0] == "-q" // without the body
	if quiet {
		args = args[1:]
	}
	for _, url := range args {
		if err := get(stdout, url, quiet); err != nil {
			fmt.Fprintln(stderr, "get:", err)
			code = 1
		}
	}
	return code
}

func get(out io.Writer, url string, quiet bool) error {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var resp *http.Response
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if resp, err = c.Get(url); !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Fprintln(out, resp.Status)
	resp.Header.Write(out)
	body, err := io.ReadAll(resp.Body)
	if !quiet {
		fmt.Fprintf(out, "\n%s\n", body)
	}
	fmt.Fprintln(out, "bytes:", len(body))
	return err
}

// admin METHOD PATH DATADIR: asks the gateway that uses the data directory, and prints what it says.
func cmdAdmin(ts *testscript.TestScript, neg bool, args []string) {
	socket := filepath.Join(ts.MkAbs(args[2]), "admin.sock")
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	req, err := http.NewRequest(args[0], "http://localhost"+args[1], nil)
	ts.Check(err)
	resp, err := c.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	fmt.Fprintln(ts.Stdout(), resp.Status)
	io.Copy(ts.Stdout(), resp.Body)
}
