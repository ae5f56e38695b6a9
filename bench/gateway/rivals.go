package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"stagecache/bench/internal/machine"
)

// rival is a cache of another make, started as a child with a configuration written for it.
type rival struct {
	name    string
	program string
	pkg     string // Debian's package
	version string // the flag that prints it
	// command writes the configuration into a folder and gives the arguments.
	command func(dir, listen, backend string, processors int) ([]string, error)
}

var rivals = []rival{
	{name: "nginx", program: "nginx", pkg: "nginx", version: "-v", command: nginxCommand},
	{name: "varnish", program: "varnishd", pkg: "varnish", version: "-V", command: varnishCommand},
}

// nginxCommand is a cache on the disk, whose files stay in the page cache, without any log of requests.
func nginxCommand(dir, listen, backend string, processors int) ([]string, error) {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else the workers become somebody who may not enter the folder
	}
	text := fmt.Sprintf(`daemon off;
%s
worker_processes %d;
pid %[3]s/nginx.pid;
error_log %[3]s/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path %[3]s/body;
  proxy_temp_path %[3]s/proxy;
  fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi;
  scgi_temp_path %[3]s/scgi;
  proxy_cache_path %[3]s/cache levels=1:2 keys_zone=bench:64m max_size=1g inactive=60m use_temp_path=off;
  server {
    listen %s;
    location / {
      proxy_pass http://%s;
      proxy_cache bench;
      proxy_cache_valid 200 1h;
    }
  }
}
`, user, processors, dir, listen, backend)
	file := filepath.Join(dir, "nginx.conf")
	return []string{"-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file}, os.WriteFile(file, []byte(text), 0o600)
}

// varnishCommand is a cache in memory with the rules that it comes with and a lifetime.
func varnishCommand(dir, listen, backend string, _ int) ([]string, error) {
	host, port, err := net.SplitHostPort(backend)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`vcl 4.1;
backend default { .host = "%s"; .port = "%s"; }
sub vcl_backend_response { set beresp.ttl = 1h; }
`, host, port)
	file := filepath.Join(dir, "bench.vcl")
	return []string{"-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", listen, "-f", file, "-s", "malloc,512m"},
		os.WriteFile(file, []byte(text), 0o600)
}

// look finds a program, also where servers are but a usual user's path does not lead.
func look(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, program))
	}
	return path, err
}

// versionOf is the first line that a program says of itself.
func versionOf(path, flag string) string {
	out, _ := exec.Command(path, flag).CombinedOutput() // some exit with 1 after it
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(line)
}

// daemon is a rival's process.
type daemon struct {
	name   string
	cmd    *exec.Cmd
	output bytes.Buffer // read when the process has ended
	ended  chan struct{}
	err    error // of the process; set before ended is closed
}

// patience is how long a rival may take to listen, and to end.
const patience = 30 * time.Second

// start starts a rival in a folder of its own and waits until it listens.
func (r *rival) start(path, dir, backend string, cpus []int, processors int) (*daemon, string, error) {
	fail := func(err error) (*daemon, string, error) { return nil, "", fmt.Errorf("starting %s: %w", r.name, err) }
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	listen, err := freePort()
	if err != nil {
		return fail(err)
	}
	args, err := r.command(dir, listen, backend, processors)
	if err != nil {
		return fail(err)
	}
	d := &daemon{name: r.name, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = &d.output, &d.output
	if err := machine.OnCPUs(cpus, d.cmd.Start); err != nil {
		return fail(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if c, err := net.DialTimeout("tcp", listen, time.Second); err == nil {
			c.Close()
			return d, listen, nil
		}
		select {
		case <-d.ended:
			return fail(fmt.Errorf("it ended: %w\n%s", d.err, d.output.String()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fail(errors.Join(errors.New("it does not listen"), d.stop()))
}

// stop ends the process with all its children.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return nil // it is gone
	}
	select {
	case <-d.ended:
		return nil // what it says on its way out is its own matter
	case <-time.After(patience):
		d.cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("%s did not end when asked to", d.name)
	}
}

// freePort is an address nobody listens on at the moment.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
