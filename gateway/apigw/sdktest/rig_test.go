package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
)

var cachectl string // the program under test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sdktest")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		cachectl = filepath.Join(dir, "cachectl")
		build := exec.Command("go", "build", "-o", cachectl, "./cli/cachectl")
		build.Dir = filepath.Join("..", "..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building cachectl: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

const secret = "sdktest/secret+0123456789abcdef0123456789"

// rig is a running gateway in front of a backend that counts.
type rig struct {
	t       *testing.T
	dir     string
	data    string // URL of the data plane
	admin   string // URL of the control plane
	backend *httptest.Server
	asked   atomic.Int64
	cmd     *exec.Cmd
	log     bytes.Buffer
}

// file is what the gateway is configured by.
const file = `
listen: %s
data_dir: ./data
admin: {listen: %s}
encryption: {key_file: ./root.key}
api: {id: shop, name: The shop}
backends:
  shop: {url: %s}
stages:
  dev:
    cache: {enabled: false, capacity: 500MB, memory: 64MB}
    routes: [{path: "/{proxy+}", backend: shop}]
  prod:
    cache: {capacity: 1.6GB, memory: 64MB, ttl: 120s}
    methods:
      "GET /products/{id}": {ttl: 60s, cacheKeyParameters: [method.request.path.id]}
    routes: [{path: "/{proxy+}", backend: shop}]
iam:
  account: "123456789012"
  region: eu-west-1
  users:
    admin:
      access_keys: [{id: AKIAADMIN00000000000, secret_env: SDKTEST_SECRET}]
      policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "apigateway:*", Resource: "*"}]}
    reader:
      access_keys: [{id: AKIAREADER0000000000, secret_env: SDKTEST_SECRET}]
      policy:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Action: "apigateway:GET", Resource: "arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod"}
`

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir()}
	r.backend = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(w, "%s %s %d", req.Method, req.URL, r.asked.Add(1))
	}))
	t.Cleanup(r.backend.Close)
	data, admin := freePort(t), freePort(t)
	r.data, r.admin = "http://"+data, "http://"+admin
	if err := os.WriteFile(filepath.Join(r.dir, "stagecache.yaml"), fmt.Appendf(nil, file, data, admin, r.backend.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cachectl("key", "generate", "--out", "root.key")
	r.start()
	t.Cleanup(func() {
		if r.cmd != nil {
			r.stop()
		}
		if t.Failed() {
			t.Logf("the gateway said:\n%s", &r.log)
		}
	})
	return r
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(cachectl, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "SDKTEST_SECRET="+secret, "CACHECTL_CONFIG=stagecache.yaml")
	return cmd
}

func (r *rig) cachectl(args ...string) string {
	r.t.Helper()
	out, err := r.command(args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("cachectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// start runs the gateway and waits until it says that it is ready; a minute means that it never will be.
func (r *rig) start() {
	r.t.Helper()
	r.cmd = r.command("serve")
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(r.admin + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			r.cmd.Process.Kill()
			r.cmd.Wait()
			r.t.Fatalf("not ready: %v\n%s", err, &r.log)
		}
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("the gateway ended with %v\n%s", err, &r.log)
	}
	r.cmd = nil
}

func (r *rig) client(key, secret string) *apigateway.Client {
	return apigateway.New(apigateway.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(r.admin), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	})
}

func (r *rig) adminClient() *apigateway.Client { return r.client("AKIAADMIN00000000000", secret) }

// get asks the data plane, and gives the answer's body and the gateway's word on it.
func (r *rig) get(method, path string) (body, cache string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, r.data+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b), resp.Header.Get("Cache-Status")
}

// want asks twice and says whether the second answer has to come from the cache.
func (r *rig) want(path string, hit bool) {
	r.t.Helper()
	r.get("GET", path)
	if _, cache := r.get("GET", path); strings.Contains(cache, "; hit") != hit {
		r.t.Errorf("GET %s: Cache-Status %q, want a hit: %v", path, cache, hit)
	}
}
