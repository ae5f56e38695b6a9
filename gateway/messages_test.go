package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"
)

// What Connection lists ends at the gateway, both ways, but not what a cache or a backend relies on (RFC 9110 7.6.1).
func TestConnectionStripsNothingThatMatters(t *testing.T) {
	r := newRig(t, withTop("trusted_proxies: [127.0.0.0/8]"))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Connection", "X-Drop, Set-Cookie, Cache-Control, Vary")
		h.Set("X-Drop", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Proxy-Authenticate", "Basic")
		h.Set("Set-Cookie", "a=b")
		h.Set("Cache-Control", "no-store")
	})
	request := "Host: a\r\nConnection: close, X-One, Cookie\r\nConnection: X-Two , Authorization,X-Forwarded-For,Cache-Control, te\r\n" +
		"X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nCookie: c=1\r\nAuthorization: Basic x\r\nX-Forwarded-For: 10.1.1.1\r\nCache-Control: no-cache\r\n" +
		"Te: gzip\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\n\r\n"
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		status, rest := r.raw("GET " + path + " HTTP/1.1\r\n" + request)
		if !strings.Contains(status, " 200 ") {
			t.Errorf("%s: %s", path, status)
		}
		for name, want := range map[string]bool{"X-Drop": false, "Keep-Alive": false, "Proxy-Authenticate": false, "Set-Cookie": true, "Cache-Control": true} {
			if got := strings.Contains(rest, "\r\n"+name+":") || strings.HasPrefix(rest, name+":"); got != want {
				t.Errorf("%s: the answer has %s: %t\n%s", path, name, got, rest)
			}
		}
		got := r.backend.last().Header
		for name, want := range map[string]string{
			"X-One": "", "X-Two": "", "X-Three": "3", "Cookie": "c=1", "Authorization": "Basic x", "Cache-Control": "no-cache",
			"Te": "", "Keep-Alive": "", "Proxy-Connection": "", "Proxy-Authorization": "", "X-Forwarded-For": "10.1.1.1, 127.0.0.1",
		} {
			if got.Get(name) != want {
				t.Errorf("%s: the backend got %s %q, want %q", path, name, got[name], want)
			}
		}
		if a := r.get(path); strings.Contains(a.cache(), "hit") {
			t.Errorf("%s: a listed Cache-Control was not obeyed: %q", path, a.cache())
		}
	}
}

// Via is added both ways, and a Date where the backend has no clock; a hit has the Date of its answer.
func TestViaAndDate(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Via", "1.0 inner")
	})
	var first string
	for _, path := range []string{"/prod/x", "/prod/x", "/prod/uncached"} {
		a := r.get(path, "Via", "1.1 outer")
		if got := a.header["Via"]; !slices.Equal(got, []string{"1.0 inner", "1.1 stagecache"}) {
			t.Errorf("%s: Via %q", path, got)
		}
		date := a.header.Get("Date")
		if _, err := http.ParseTime(date); err != nil {
			t.Errorf("%s: Date %q", path, date)
		}
		if path == "/prod/x" {
			if first == "" {
				first = date
			}
			if date != first {
				t.Errorf("the hit's Date is %q, the answer's was %q", date, first)
			}
			r.clock.Advance(30 * time.Second)
		}
	}
	if got := strings.Join(r.backend.last().Header["Via"], ", "); got != "1.1 outer, "+r.g.via {
		t.Errorf("the backend got Via %q", got)
	}
}

// Two gateways that have each other for a backend find out within one round.
func TestALoopOfTwoIsCut(t *testing.T) {
	one, two := newRig(t), newRig(t)
	for _, pair := range [][2]*rig{{one, two}, {two, one}} {
		be := pair[0].g.state.Load().backends["shop"]
		be.cfg.URL.Host, be.base = pair[1].addr, "/prod"
	}
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		if a := one.get(path); a.status != http.StatusLoopDetected || strings.Contains(a.cache(), "hit") {
			t.Errorf("%s: got %d %q", path, a.status, a.cache())
		}
	}
	for _, r := range []*rig{one, two} {
		if s := r.g.RequestStats("prod"); s.BackendRequests > 4 {
			t.Errorf("a storm: %+v", s)
		}
	}
}

func TestAgeSaturates(t *testing.T) {
	r := newRig(t)
	r.backend.serve(fixed(200, "x", "Age", "99999999999999999999"))
	r.get("/prod/x")
	if got := r.get("/prod/x").header["Age"]; !slices.Equal(got, []string{"2147483648"}) {
		t.Errorf("Age %q", got)
	}
}

// OPTIONS ends where Max-Forwards says (RFC 9110 7.6.2).
func TestMaxForwards(t *testing.T) {
	r := newRig(t)
	for in, out := range map[string]string{"0": "", "1": "0", "10": "9", "x": "x", "-1": "-1", "99999999999999999999": "99999999999999999999"} {
		n := r.backend.count()
		a := r.do("OPTIONS", "/prod/x", "Max-Forwards", in)
		if in == "0" {
			if a.status != 204 || a.header.Get("Allow") == "" || r.backend.count() != n {
				t.Errorf("0: got %d %v", a.status, a.header)
			}
		} else if got := r.backend.last().Header.Get("Max-Forwards"); a.status != 200 || got != out {
			t.Errorf("%s: %d, the backend got %q", in, a.status, got)
		}
	}
	r.get("/prod/x", "Max-Forwards", "0") // means nothing for GET
	if a := r.get("/prod/x", "Max-Forwards", "0"); !strings.HasPrefix(a.cache(), "stagecache; hit") {
		t.Errorf("GET: %q", a.cache())
	}
}

// Informational answers reach the client that made the gateway ask, whether its answer is shared or not (RFC 9110 15.2).
func TestEarlyHints(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Final", "1")
		io.WriteString(w, "x")
	})
	for _, path := range []string{"/prod/uncached", "/prod/x"} {
		hints := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == 103 && h.Get("Link") != "" && h.Get("X-Final") == "" {
				hints++
			}
			return nil
		}})
		a, err := r.try(ctx, "GET", path, "")
		if err != nil || a.status != 200 || a.body != "x" || hints != 1 {
			t.Errorf("%s: %d %q, %v, %d hints", path, a.status, a.body, err, hints)
		}
	}
}

// Trailers come through where an answer is for one client, and never among the stored headers.
func TestTrailers(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "private") {
			w.Header().Set("Set-Cookie", "a=b")
		}
		b, _ := io.ReadAll(q.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %v", b, q.Trailer.Get("X-In"), q.Trailer)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "7")
		w.Header().Set(http.TrailerPrefix+"X-Late", "8")
	})
	for _, path := range []string{"/prod/uncached", "/prod/private"} {
		resp, err := r.client.Get("http://" + r.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.Trailer.Get("X-Sum") != "7" || resp.Trailer.Get("X-Late") != "8" || resp.Header.Get("X-Sum") != "" {
			t.Errorf("%s: trailer %v, header %v", path, resp.Trailer, resp.Header)
		}
	}
	for range 2 {
		if a := r.get("/prod/stored"); a.status != 200 || a.header["X-Sum"] != nil || a.header["Trailer"] != nil {
			t.Errorf("stored: %v", a.header)
		}
	}
	_, rest := r.raw("POST /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-In, Cookie\r\nConnection: close\r\n\r\n" +
		"2\r\nab\r\n0\r\nX-In: in\r\nCookie: c=1\r\nX-Undeclared: 1\r\n\r\n")
	if !strings.Contains(rest, "ab in map[X-In:[in]]") {
		t.Errorf("a request's trailer:\n%s", rest)
	}
}

// A sender that is never silent for long, and never done either, is cut.
func TestTrickles(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == "POST" {
				io.Copy(io.Discard, q.Body)
				return
			}
			for q.Context().Err() == nil { // silent for half of the timeout, again and again
				time.Sleep(time.Second)
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
			}
		})
		for _, path := range []string{"/prod/x", "/prod/uncached"} {
			begun := time.Now()
			a, err := r.try(t.Context(), "GET", path, "")
			if took := time.Since(begun); err == nil && a.err == nil || took > 10*time.Second {
				t.Errorf("%s: %v, %v after %v", path, err, a.err, took)
			}
		}
		conn, begun := r.conn(), time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.WriteString(conn, "POST /prod/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n")
			for {
				time.Sleep(20 * time.Second)
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if took := time.Since(begun); !strings.Contains(line, " 408 ") || took > 2*time.Minute {
			t.Errorf("an upload: %q after %v", line, took)
		}
		conn.Close()
		<-done
	})
}

// A body that is slow because its reader is keeps its time.
func TestASlowReaderIsNoTrickle(t *testing.T) {
	p := pace{limit: time.Second}
	for range 1000 {
		if p.tooSlow(time.Millisecond, 1) {
			t.Fatal("a quick sender of single bytes")
		}
	}
	if p.tooSlow(1900*time.Millisecond, 1) {
		t.Error("a pause that is allowed")
	}
	if !p.tooSlow(time.Second, 1) {
		t.Error("too slow as a whole")
	}
	p = pace{limit: time.Second}
	for range 100 {
		if p.tooSlow(900*time.Millisecond, 1000) {
			t.Fatal("a slow line")
		}
	}
}

// A request in HTTP/1.0 with chunks is one message to some and another to others, whichever way its head arrives.
func TestChunksInHTTP10(t *testing.T) {
	smuggled := "0\r\n\r\nGET /prod/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, pieces := range [][]string{
		{"POST /prod/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled},
		{"GET /prod/x HTTP/1.0\r\nHost: a\r\ntransfer-ENCODING : x\r\n\r\n"},
		{"PO", "ST /prod/x HT", "TP/1.0\r\nHost: a\r\nTransf", "er-Encoding: chunked\r\n\r\n" + smuggled},
		{"GET /prod/x HTTP/1.1\r\nHost: a\r\n\r\n", "POST /prod/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled},
	} {
		bubbled(t, func(t *testing.T, r *rig) {
			c := r.conn()
			in := bufio.NewReader(c)
			pieces := pieces
			if strings.HasPrefix(pieces[0], "GET /prod/x HTTP/1.1") {
				if resp, _ := exchangeRaw(t, c, in, pieces[0]); resp.StatusCode != 200 {
					t.Error(resp.Status)
				}
				pieces = pieces[1:]
			}
			n := r.backend.count()
			go func() {
				for _, p := range pieces {
					io.WriteString(c, p)
				}
			}()
			b, _ := io.ReadAll(in)
			if !strings.HasPrefix(string(b), "HTTP/1.1 400") && !strings.HasPrefix(string(b), "HTTP/1.0 400") || strings.Contains(string(b), "\nHTTP/1.") {
				t.Errorf("%q: got\n%s", pieces, b)
			}
			if r.backend.count() != n {
				t.Errorf("%q: the backend was asked", pieces)
			}
		})
	}
	r := newRig(t)
	status, rest := r.raw("GET /prod/y HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nX: Transfer-Encoding: chunked\r\n\r\nGET /prod/z HTTP/1.0\r\nHost: a\r\n\r\n")
	if !strings.Contains(status, " 200 ") || strings.Contains(rest, "/z") {
		t.Errorf("HTTP/1.0 without chunks: %s\n%s", status, rest)
	}
}

// Bytes beyond ASCII are refused where an answer is for many.
func TestBytesBeyondASCII(t *testing.T) {
	r := newRig(t)
	for _, value := range []string{"\xff", "caf\xc3\xa9", "a\x80b"} {
		status, _ := r.raw("GET /prod/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Name: " + value + "\r\n\r\n")
		if !strings.Contains(status, " 400 ") {
			t.Errorf("%q: %s", value, status)
		}
		status, _ = r.raw("GET /prod/uncached HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Name: " + value + "\r\n\r\n")
		if got := r.backend.last().Header.Get("X-Name"); !strings.Contains(status, " 200 ") || got != value {
			t.Errorf("%q, not cached: %s, the backend got %q", value, status, got)
		}
	}
}

// Over HTTP/2 there are no connection fields, and what stands for the host must not be said twice.
func TestHTTP2Messages(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, "c")
	r := newRig(t, withTop(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", cert, key)))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Connection", "X-Drop")
		w.Header().Set("X-Drop", "1")
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Te", q.Header.Get("Te"))
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "7")
	})
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	for _, path := range []string{"/prod/x", "/prod/uncached"} {
		req, err := http.NewRequestWithContext(context.Background(), "GET", "https://"+r.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Te", "trailers")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.Header.Get("X-Drop") != "" || resp.Header.Get("Connection") != "" {
			t.Errorf("%s: %s %v", path, resp.Proto, resp.Header)
		}
		if want := path == "/prod/uncached"; (resp.Trailer.Get("X-Sum") == "7") != want {
			t.Errorf("%s: trailer %v", path, resp.Trailer)
		}
	}
}
