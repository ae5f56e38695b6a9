package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the lane takes, and what it leaves to net/http. That the answers are the same is FuzzGatewayLane's matter.
func TestWhatTheLaneTakes(t *testing.T) {
	r := newRig(t, withMethods(`"GET /tenant": {key: {headers: [X-Tenant]}}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Vary", q.URL.Query().Get("vary"))
		if q.URL.Path == "/api/typeless" {
			w.Header()["Content-Type"] = nil
		}
		if q.URL.Path == "/api/large" {
			io.WriteString(w, strings.Repeat("l", maxLaneBody+1))
		}
		io.WriteString(w, "body")
	})
	for _, path := range []string{"/x", "/x?a=1", "/%41(b)", "/tenant", "/typeless", "/large", "/v?vary=Accept-Language"} {
		r.get("/prod"+path, "Accept-Language", "de")
	}
	const host = " HTTP/1.1\r\nHost: "
	browser := "User-Agent: m\r\nACCEPT: text/html\r\nAccept-Language: de\r\naccept-encoding: gzip\r\nConnection: Keep-Alive\r\nSec-Fetch-Mode: navigate\r\n"
	for _, c := range []struct {
		request string
		takes   bool
	}{
		{"GET /prod/x" + host + r.addr + "\r\n", true},
		{"HEAD /prod/x" + host + r.addr + "\r\n", true},
		{"GET /prod/x" + host + r.addr + "\r\n" + browser, true},
		{"GET /prod/x?a=1" + host + r.addr + "\r\n", true},
		{"GET /prod/%41(b)" + host + r.addr + "\r\n", true},
		{"GET /prod/tenant" + host + r.addr + "\r\nAccept-Language: de\r\n", true},
		{"GET /prod/v?vary=Accept-Language" + host + r.addr + "\r\nAccept-Language: de\r\n", true},
		{"GET /prod/v?vary=Accept-Language" + host + r.addr + "\r\nAccept-Language: fr\r\n", false}, // a miss
		{"GET /prod/missing" + host + r.addr + "\r\n", false},
		{"GET /prod/uncached" + host + r.addr + "\r\n", false},
		{"GET /prod/x" + host + "elsewhere\r\n", false},
		{"GET /prod/tenant" + host + r.addr + "\r\nX-Tenant: a\r\n", false},
		{"GET /prod/typeless" + host + r.addr + "\r\n", false},
		{"GET /prod/large" + host + r.addr + "\r\n", false},
		{"POST /prod/x" + host + r.addr + "\r\n", false},
		{"GET /prod/x HTTP/1.0\r\nHost: " + r.addr + "\r\n", false},
		{"GET http://" + r.addr + "/prod/x" + host + r.addr + "\r\n", false},
		{"GET /prod/x?X-Amz-Signature=1" + host + r.addr + "\r\n", false},
		{"GET /prod/x?a=%31" + host + r.addr + "\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nHost: " + r.addr + "\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: a\r\nAccept: b\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept : a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: a\r\n b\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: a\tb\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: \xe4\r\n", false},
		{"GET /prod/x" + host + r.addr + "\nAccept: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nConnection: close\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nContent-Length: 0\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nTransfer-Encoding: chunked\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nRange: bytes=0-1\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nIf-None-Match: *\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nCache-Control: max-age=0\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAuthorization: Bearer x\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: text/event-stream\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nX-Forwarded-Host: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nVia: " + r.g.via + "\r\n", false},
	} {
		lane, far := pair(t)
		lane.lane.g = r.g
		go io.Copy(io.Discard, far)
		text := c.request + "\r\n"
		before := r.g.RequestStats("prod")
		used, err := lane.takeLane([]byte(text + "GET /next"))
		if err != nil || (used != 0) != c.takes || used != 0 && used != len(text) {
			t.Errorf("%q: used %d of %d, %v", text, used, len(text), err)
		}
		after := r.g.RequestStats("prod")
		if after.Hits-before.Hits != uint64(min(used, 1)) || after.Misses != before.Misses {
			t.Errorf("%q: counters went from %+v to %+v", text, before, after)
		}
	}
	before := r.g.Stores()["prod"].Stats()
	lane, _ := pair(t)
	lane.lane.g = r.g
	if used, err := lane.takeLane([]byte("GET /prod/gone HTTP/1.1\r\nHost: a\r\n\r\n")); used != 0 || err != nil {
		t.Error(used, err)
	}
	if after := r.g.Stores()["prod"].Stats(); after.Misses != before.Misses {
		t.Error("a miss of the lane counts, though net/http will count it again")
	}
}

// exchangeRaw sends a request on a connection and reads one answer.
func exchangeRaw(t *testing.T, c net.Conn, in *bufio.Reader, request string) (*http.Response, string) {
	t.Helper()
	go io.WriteString(c, request)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

const plainGet = "GET /prod/x HTTP/1.1\r\nHost: a\r\n\r\n"

// Requests may come in pieces, several at once, or mixed with those that only net/http takes; each is answered in its turn.
func TestTheLaneAndNetHTTPTakeTurns(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			b, _ := io.ReadAll(q.Body)
			io.WriteString(w, q.Method+" "+q.URL.Path+" "+string(b))
		})
		post := "POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
		other := "GET /prod/y HTTP/1.1\r\nHost: a\r\n\r\n"
		c := r.conn()
		in := bufio.NewReader(c)
		for _, pieces := range [][]string{
			{plainGet}, {plainGet}, {plainGet, plainGet}, {plainGet + plainGet + other}, {plainGet[:3], plainGet[3:]}, {plainGet + "G", plainGet[1:]},
			{plainGet + plainGet[:30], plainGet[30:] + other}, {post + plainGet}, {plainGet + post, plainGet}, {post[:len(post)-1], "c" + plainGet[:5], plainGet[5:]},
			{other + "\r\n"[:0] + plainGet + post + post + plainGet + plainGet},
		} {
			text := strings.Join(pieces, "")
			go func() {
				for _, p := range pieces {
					io.WriteString(c, p)
				}
			}()
			for _, request := range strings.SplitAfter(strings.ReplaceAll(text, "abc", ""), "\r\n\r\n") {
				if request == "" {
					continue
				}
				want := "GET /api/x "
				switch {
				case strings.HasPrefix(request, "POST"):
					want = "POST /api/x abc"
				case strings.Contains(request, "/y"):
					want = "GET /api/y "
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("%q: %v", pieces, err)
				}
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != want {
					t.Fatalf("%q: got %q, %v, want %q", pieces, b, err, want)
				}
			}
		}
	})
}

// The same request leaves the same line in the log, whichever way it goes.
func TestTheLaneLogsAsNetHTTP(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(fixed(200, "hello", "Content-Type", "text/plain"))
		c := r.conn()
		in := bufio.NewReader(c)
		get := "GET /prod/x?token=secret HTTP/1.1\r\nHost: a\r\nAccept: a\r\n"
		for _, more := range []string{"\r\n", "X-Unknown: 1\r\n\r\n", "\r\n"} { // a miss, then both ways of a hit
			if resp, body := exchangeRaw(t, c, in, get+more); resp.StatusCode != 200 || body != "hello" {
				t.Fatal(resp.Status, body)
			}
		}
		synctest.Wait() // the lane writes its line when the answer is gone
		lines := strings.Split(strings.TrimSpace(r.accessLog()), "\n")
		if len(lines) != 3 {
			t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		var both [2]map[string]any
		for i, line := range lines[1:] {
			if err := json.Unmarshal([]byte(line), &both[i]); err != nil {
				t.Fatal(err)
			}
			delete(both[i], "time")
			delete(both[i], "duration_us")
		}
		a, _ := json.Marshal(both[0])
		b, _ := json.Marshal(both[1])
		if string(a) != string(b) || both[0]["cache"] != "hit" {
			t.Errorf("net/http: %s\nlane:     %s", a, b)
		}
	}, logged("json"))
}

// A connection on which only hits went is idle from the last of them on.
func TestTheLaneKeepsTheIdleTimeout(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		c := r.conn()
		in := bufio.NewReader(c)
		for range 4 {
			exchangeRaw(t, c, in, plainGet)
			time.Sleep(time.Minute)
		}
		exchangeRaw(t, c, in, plainGet)
		begun := time.Now()
		if _, err := in.ReadByte(); err != io.EOF || time.Since(begun) != 75*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A client that asks and does not read is let go.
func TestTheLaneKeepsTheWriteTimeout(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		c := r.conn()
		in := bufio.NewReader(c)
		exchangeRaw(t, c, in, plainGet)
		begun := time.Now()
		// The second request is not read before the first one's answer is sent, so writing it ends with the connection.
		_, err := io.WriteString(c, plainGet+strings.Repeat(plainGet, 1000))
		if took := time.Since(begun); !errors.Is(err, io.ErrClosedPipe) || took != 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A shutdown lets a hit that is on its way end, and cuts it when time is up.
func TestAShutdownWaitsForTheLane(t *testing.T) {
	for _, reads := range []bool{true, false} {
		bubbled(t, func(t *testing.T, r *rig) {
			c := r.conn()
			in := bufio.NewReader(c)
			_, whole := exchangeRaw(t, c, in, plainGet)
			go io.WriteString(c, plainGet)
			first, err := c.Read(make([]byte, 1)) // the lane is writing now
			if err != nil || first != 1 {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			begun := time.Now()
			down := make(chan error, 1)
			go func() { down <- r.g.Shutdown(ctx) }()
			time.Sleep(5 * time.Second)
			select {
			case err := <-down:
				t.Fatalf("the shutdown did not wait: %v", err)
			default:
			}
			if !reads {
				if err := <-down; err == nil || time.Since(begun) != 10*time.Second {
					t.Errorf("the shutdown said %v after %v", err, time.Since(begun))
				}
				if b, _ := io.ReadAll(c); strings.Contains(string(b), whole) {
					t.Error("the answer was not cut")
				}
				return
			}
			b, err := io.ReadAll(c)
			if !strings.HasSuffix(string(b), whole) || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			if err := <-down; err != nil || time.Since(begun) > 6*time.Second {
				t.Errorf("the shutdown said %v after %v", err, time.Since(begun))
			}
		})
	}
}
