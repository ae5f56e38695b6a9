package httpload

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func TestEveryAnswerIsCounted(t *testing.T) {
	var asked atomic.Int64
	body := strings.Repeat("x", 5000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Length", "5000")
		io.WriteString(w, body)
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	r, err := Do(Run{Address: addr, Requests: [][]byte{Request(addr, "/a"), Request(addr, "/b")}, Connections: 3, Duration: 50 * time.Millisecond, BodySize: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Requests != asked.Load() || r.P50 <= 0 || r.P99 < r.P50 || r.HeaderSize < 50 || r.PerSecond() <= 0 {
		t.Errorf("result %+v; the server was asked %d times", r, asked.Load())
	}
}

func TestWhatIsNotTheAnswerIsAnError(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(404)
		}
		io.WriteString(w, "four")
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	for path, size := range map[string]int{"/missing": 4, "/other-size": 5} {
		if _, err := Do(Run{Address: addr, Requests: [][]byte{Request(addr, path)}, Connections: 2, Duration: time.Second, BodySize: size}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAnswersAreFoundHoweverTheyArrive(t *testing.T) {
	const one = "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\nabc"
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
	} {
		c := &conn{in: bufio.NewReaderSize(wrap(strings.NewReader(one+one)), 4096)}
		for i := range 2 {
			if err := c.answer(3); err != nil {
				t.Errorf("%s: answer %d: %v", name, i, err)
			}
		}
		if err := c.answer(3); err != io.EOF {
			t.Errorf("%s: after the last answer: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"no length":     "HTTP/1.1 200 OK\r\n\r\n",
		"other length":  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
		"other status":  "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nabc",
		"endless":       "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1000),
		"cut short":     one[:len(one)-1],
		"cut in header": one[:20],
	} {
		c := &conn{in: bufio.NewReaderSize(strings.NewReader(text), 4096)}
		if err := c.answer(3); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
