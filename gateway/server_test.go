package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (r *rig) conn() net.Conn {
	r.t.Helper()
	c, err := r.dial(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// Each slow client is cut at its deadline.
func TestSlowClients(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		cut        time.Duration
		answer     string
	}{
		{"header", "GET /prod/x HTTP/1.1\r\nHost: a\r\n", 10 * time.Second, ""},
		{"idle", "GET /prod/x HTTP/1.1\r\nHost: a\r\n\r\n", 75 * time.Second, "HTTP/1.1 200 OK"},
		{"body of a bypass", "POST /prod/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\nab", 30 * time.Second, "HTTP/1.1 408 Request Timeout"},
		{"body of a fat GET", "GET /prod/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\nab", 30 * time.Second, "HTTP/1.1 408 Request Timeout"},
		{"keyed body", "POST /prod/search HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\nab", 30 * time.Second, "HTTP/1.1 408 Request Timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					io.Copy(io.Discard, q.Body)
					io.WriteString(w, "x")
				})
				conn, begun := r.conn(), time.Now()
				go io.WriteString(conn, c.sent)
				b, _ := io.ReadAll(conn)
				line, _, _ := strings.Cut(string(b), "\r\n")
				if line != c.answer {
					t.Errorf("got %q, want %q", line, c.answer)
				}
				// The server lingers for half a second after an answer to a body that it did not read.
				if took := time.Since(begun); took < c.cut || took > c.cut+time.Second {
					t.Errorf("cut after %s, want %s", took, c.cut)
				}
			}, withMethods(`"POST /search": {caching: true}`))
		})
	}
}

// A client that does not read its answer is cut, whether that comes from the store or from a fill; and a slow one is not, as
// long as it reads.
func TestSlowReaders(t *testing.T) {
	for name, path := range map[string]string{"hit": "/prod/x", "fill": "/prod/y"} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, r *rig) {
				body := strings.Repeat("r", 500_000)
				r.backend.serve(fixed(200, body, "Content-Length", "500000"))
				r.get("/prod/x")
				request := "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

				conn, begun := r.conn(), time.Now()
				go io.WriteString(conn, request)
				one := make([]byte, 1)
				if _, err := conn.Read(one); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if b, _ := io.ReadAll(conn); len(b) >= len(body) {
					t.Errorf("a client that stood still for %s got the whole body", time.Since(begun))
				}

				conn, begun = r.conn(), time.Now()
				go io.WriteString(conn, request)
				resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for buf := make([]byte, 50_000); ; {
					k, err := io.ReadFull(resp.Body, buf)
					if n += k; err != nil {
						break
					}
					time.Sleep(10 * time.Second)
				}
				if n != len(body) {
					t.Errorf("a slow reader got %d of %d bytes in %s", n, len(body), time.Since(begun))
				}
			})
		})
	}
}

// The same past the cache. (Not in a bubble: the reverse proxy holds a mutex while it writes, so time would stand still.)
func TestASlowReaderOfABypass(t *testing.T) {
	r := newRig(t, func(_ *rig, o *Options) { o.WriteTimeout = 100 * time.Millisecond })
	ended := make(chan error, 1)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				ended <- err
				return
			}
		}
	})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /prod/uncached HTTP/1.1\r\nHost: a\r\n\r\n")
	<-ended // the client reads nothing and stays
}

// A slow upload is not the backend's fault: its timeout counts only while the gateway waits for it.
func TestASlowUpload(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			b, err := io.ReadAll(q.Body)
			fmt.Fprintf(w, "%s %v", b, err)
		})
		in, out := io.Pipe()
		go func() {
			for range 5 {
				time.Sleep(5 * time.Second)
				io.WriteString(out, "part ")
			}
			out.Close()
		}()
		resp, err := r.client.Post("http://"+r.addr+"/prod/x", "text/plain", in)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); string(b) != "part part part part part  <nil>" {
			t.Errorf("got %d %q", resp.StatusCode, b)
		}
	})
}

func TestEventStreams(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		next := make(chan string)
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for {
				select {
				case s := <-next:
					io.WriteString(w, s)
					w.(http.Flusher).Flush()
				case <-q.Context().Done():
					return
				}
			}
		})
		for _, accept := range []string{"text/event-stream", "*/*"} { // known beforehand, or by the answer
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.addr+"/prod/events", nil)
			req.Header.Set("Accept", accept)
			go func() { next <- "data: 0\n\n" }()
			resp, err := r.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(resp.Body)
			for i := range 3 {
				if i > 0 {
					time.Sleep(time.Minute) // longer than the backend's timeout
					next <- fmt.Sprintf("data: %d\n\n", i)
				}
				if line, err := in.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("%s: got %q, %v", accept, line, err)
				}
				in.ReadString('\n')
			}
			resp.Body.Close()
			synctest.Wait()
			select {
			case next <- "nobody":
				t.Error("the backend is not told that nobody listens any more")
			default:
			}
		}
	})
}

func TestUpgrade(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Upgrade") != "echo" || !strings.EqualFold(q.Header.Get("Connection"), "upgrade") {
			http.Error(w, "no upgrade", 400)
			return
		}
		c, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		buf.Flush()
		io.CopyN(c, buf, 4)
	})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /prod/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" {
		t.Fatalf("got %+v, %v", resp, err)
	}
	io.WriteString(conn, "ping")
	if b, err := io.ReadAll(in); string(b) != "ping" || err != nil {
		t.Errorf("through the tunnel came %q, %v", b, err)
	}
	r.wantStats(func(s *RequestStats) { s.Bypasses, s.BackendRequests = 1, 1 })
}
