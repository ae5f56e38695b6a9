package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the lane takes, and what it leaves to net/http. That the answers are the same is FuzzGatewayLane's matter.
func TestWhatTheLaneTakes(t *testing.T) {
	r := newRig(t, withMethods(`"GET /tenant": {key: {headers: [X-Tenant]}}
"GET /auth": {key: {headers: [Authorization]}}`))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Vary", q.URL.Query().Get("vary"))
		if q.URL.Path == "/api/public" {
			w.Header().Set("Cache-Control", "public")
		}
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
	r.get("/prod/public")
	r.get("/prod/auth", "Authorization", "Bearer x")
	many := func(n int) (text string) {
		for i := range n {
			text += fmt.Sprintf("X-%d: a\r\n", i)
		}
		return text
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
		{"GET /prod/x" + host + r.addr + "\r\nAuthorization: Bearer x\r\n", false}, // whose answer would be for that one alone
		{"GET /prod/public" + host + r.addr + "\r\nAuthorization: Bearer x\r\n", true},
		{"GET /prod/auth" + host + r.addr + "\r\nAuthorization: Bearer x\r\n", true},
		{"GET /prod/auth" + host + r.addr + "\r\nAuthorization: Bearer y\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nCookie: a=1; b=2\r\n", true},
		{"GET /prod/x" + host + r.addr + "\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: 1\r\nTraceparent: 00\r\n", true},
		{"GET /prod/x" + host + r.addr + "\r\nX-Anything: a\r\nContent-Type: text/plain\r\n", true},
		{"GET /prod/x" + host + r.addr + "\r\nX-Anything: a\r\nX-ANYTHING: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nX-A: a\r\nConnection: x-a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nX_Anything: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nX-" + strings.Repeat("n", 100) + ": a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\n" + strings.Repeat("X: a\r\n", 1), true},
		{"GET /prod/x" + host + r.addr + "\r\n" + many(maxLaneFields), false},
		{"GET /prod/x" + host + r.addr + "\r\n" + many(maxLaneFields-1), true},
		{"GET /prod/x" + host + r.addr + "\r\nExpect: 100-continue\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nUpgrade: h2c\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nTE: trailers\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nTrailer: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nIf-Anything: a\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nAccept: text/event-stream\r\n", false},
		{"GET /prod/x" + host + r.addr + "\r\nX-Forwarded-Host: a\r\n", true}, // nobody's word
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

// However the bytes of several requests are cut into reads, at every place, they mean the same.
func TestTheLaneAtEverySplit(t *testing.T) {
	const host = " HTTP/1.1\r\nHost: a\r\n"
	last := "GET /nowhere" + host + "Connection: close\r\n\r\n"
	for _, text := range []string{
		plainGet + plainGet,
		plainGet + "HEAD /prod/x" + host + "\r\n" + plainGet,
		"GET /prod/x" + host + "User-Agent: m\r\nX-Own: 1\r\n\r\n" + "GET /prod/uncached" + host + "\r\n",
		"POST /prod/x" + host + "Content-Length: 33\r\n\r\n" + plainGet + plainGet, // a body that looks like a request
		"POST /prod/x" + host + "Content-Length: 3\r\n\r\nabc\r\n" + plainGet,
		"GET /prod/x" + host + "Content-Length: 33\r\n\r\n" + plainGet + plainGet,
		"GET /prod/x" + host + "Accept: a\r\n b\r\n\r\n" + plainGet,
		"GET /prod/x HTTP/1.1\nHost: a\n\n" + plainGet,
		plainGet + "GET http://a/prod/x" + host + "\r\n" + plainGet,
		plainGet + "GET /prod/x" + host + "Host: b\r\n\r\n" + plainGet,
		plainGet + "POST /prod/x" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + plainGet,
		plainGet + "GET /prod/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + plainGet,
		plainGet + "get /prod/x" + host + "\r\n" + plainGet,
		plainGet + "GET /prod/uncached HTTP/1.1\r\n" + plainGet, // not where a request begins, though a read does
		plainGet + "PUT /prod/x" + host + "Content-Length: 33\r\n\r\n" + plainGet + plainGet,
		plainGet + "PUT /prod/x" + host + "Content-Length: 37\r\n\r\n\r\n\r\n" + plainGet + plainGet,
		plainGet + plainGet + "PUT /prod/x" + host + "Content-Length: 2\r\n\r\nab" + "GET /prod/uncached HTTP/1.1\r\n" + plainGet,
	} {
		bubbled(t, func(t *testing.T, r *rig) {
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				b, _ := io.ReadAll(q.Body)
				fmt.Fprintf(w, "%s %s %s", q.Method, q.URL.Path, b)
			})
			ask := func(pieces ...string) string {
				c := r.conn()
				defer c.Close()
				go func() {
					for _, p := range pieces {
						if _, err := io.WriteString(c, p); err != nil {
							return
						}
					}
				}()
				b, _ := io.ReadAll(c)
				synctest.Wait()
				// What is under way is not part of what was asked.
				return regexp.MustCompile(`(Age: \d+|ttl=\d+|Date: [^\r]*)\r\n`).ReplaceAllString(string(b), "")
			}
			text += last
			ask(text) // what is going to be stored is
			want := ask(text)
			if strings.Count(want, "HTTP/1.") < 2 {
				t.Fatalf("%q: got %q", text, want)
			}
			for i := 1; i < len(text); i++ {
				if got := ask(text[:i], text[i:]); got != want {
					t.Fatalf("%q, %q: got\n%s\nwant\n%s", text[:i], text[i:], got, want)
				}
			}
			for i := 1; i < len(text)-1; i += 7 { // a third piece, which begins where a line does
				if end := strings.IndexByte(text[i:], '\n'); end > 0 {
					if got := ask(text[:i], text[i:i+end+1], text[i+end+1:]); got != want {
						t.Fatalf("%q, %q, %q: got\n%s\nwant\n%s", text[:i], text[i:i+end+1], text[i+end+1:], got, want)
					}
				}
			}
			var single []string
			for i := range text {
				single = append(single, text[i:i+1])
			}
			if got := ask(single...); got != want {
				t.Fatalf("%q byte by byte: got\n%s\nwant\n%s", text, got, want)
			}
		})
	}
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
