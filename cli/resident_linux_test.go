package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestResidentSetWithLargeAnswers guards against a gateway that takes more memory than is configured: with answers on their way, what was
// read for hits, and garbage of all that. It measures a process of its own, everything in it included.
func TestResidentSetWithLargeAnswers(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector multiplies what is resident")
	}
	const memory, size, objects, clients = 200_000_000, 1 << 20, 600, 16
	noise := make([]byte, 2*size)
	rand.NewChaCha8([32]byte{}).Read(noise) // what does not pack takes most
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if n%4 > 0 { // every fourth comes in chunks, of unknown length
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		w.Write(noise[n*977%size:][:size])
	}))
	defer backend.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "stagecache.yaml")
	text := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: ./data
encryption: {key_file: ./root.key}
backends: {shop: {url: %q}}
stages:
  prod:
    base_path: /
    cache: {enabled: true, capacity: 1GB, memory: %d, ttl: 3000s, max_object: 2MB}
    routes: [{path: "/{proxy+}", backend: shop}]
`, backend.URL, memory)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cachectl", "key", "generate", "--out", filepath.Join(dir, "root.key")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serve := exec.Command("cachectl", "serve", "--config", file)
	said, err := serve.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil {
			t.Error("serve:", err)
		}
	}()
	address, log := "", ""
	for lines := bufio.NewScanner(said); address == "" && lines.Scan(); {
		log += lines.Text() + "\n"
		if m := regexp.MustCompile(`listening on (http://[^"\s]+)`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
	}
	if address == "" {
		t.Fatalf("the gateway does not listen:\n%s", log)
	}
	go io.Copy(io.Discard, said)

	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	for _, from := range []int64{0, objects + 1} { // misses first; then hits, from what came last
		var next atomic.Int64
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for i := next.Add(1); i <= objects; i = next.Add(1) {
					resp, err := client.Get(fmt.Sprintf("%s/o?n=%d", address, max(i-from, from-i)))
					if err != nil {
						t.Error(err)
						return
					}
					n, err := io.Copy(io.Discard, resp.Body)
					if resp.Body.Close(); n != size || err != nil || resp.StatusCode != 200 {
						t.Errorf("%d bytes, %v, %s", n, err, resp.Status)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	if t.Failed() {
		return
	}
	out, err := exec.Command("cachectl", "stats", "--config", file, "--stage", "prod", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Hits        int64 `json:"hits"`
		MemoryBytes int64 `json:"memory_bytes"`
	}
	if err := json.Unmarshal(out, &stats); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if stats.Hits < objects/10 || stats.MemoryBytes < memory*2/5 {
		t.Errorf("%+v: the store was not filled, so this shows nothing", stats)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", serve.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	peak, err := strconv.ParseInt(strings.Fields(string(after))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	peak <<= 10
	t.Logf("%d bytes resident at most, %d configured: %.2f", peak, memory, float64(peak)/memory)
	if peak > memory*115/100 {
		t.Errorf("%d bytes resident, %d configured", peak, memory)
	}
}
