package httpload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/bench/internal/report"
)

// Run is what to do.
type Run struct {
	Address     string
	Requests    [][]byte // each a whole request; they are sent in random order
	Connections int
	Duration    time.Duration
	BodySize    int // of every answer
}

// Result is what came of it.
type Result struct {
	Requests   int64
	Seconds    float64
	P50, P99   float64 // us, of a sample
	HeaderSize int     // of an answer
}

// PerSecond is the rate.
func (r Result) PerSecond() float64 { return float64(r.Requests) / r.Seconds }

// Request is a request as a usual client writes it.
func Request(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: stagecache-bench\r\nAccept: */*\r\n\r\n", path, host)
}

// sampled is how many requests there are to one whose time is taken.
const sampled = 8

// Do sends requests until the time is over. The first error ends it.
func Do(r Run) (Result, error) {
	conns := make([]*conn, r.Connections)
	for i := range conns {
		c, err := net.Dial("tcp", r.Address)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(r.Duration + 30*time.Second)); err != nil {
			return Result{}, err
		}
		// Room for a whole answer, so that it usually takes one read.
		conns[i] = &conn{c: c, in: bufio.NewReaderSize(c, r.BodySize+4096), random: rand.NewPCG(uint64(i), uint64(time.Now().UnixNano()))}
	}
	var over atomic.Bool
	timer := time.AfterFunc(r.Duration, func() { over.Store(true) })
	defer timer.Stop()
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			if c.err = c.run(&r, &over); c.err != nil {
				over.Store(true)
			}
		})
	}
	wg.Wait()
	res := Result{Seconds: time.Since(start).Seconds()}
	var times []float64
	var errs []error
	for _, c := range conns {
		res.Requests += c.done
		res.HeaderSize = max(res.HeaderSize, c.header)
		times = append(times, c.times...)
		errs = append(errs, c.err)
	}
	if len(times) > 0 {
		res.P50, res.P99 = report.Percentile(times, 50), report.Percentile(times, 99)
	}
	return res, errors.Join(errs...)
}

// conn is one connection, and its goroutine's alone.
type conn struct {
	c      net.Conn
	in     *bufio.Reader
	random *rand.PCG
	done   int64
	header int
	times  []float64
	err    error
}

func (c *conn) run(r *Run, over *atomic.Bool) error {
	for first := true; first || !over.Load(); first = false {
		request := r.Requests[c.random.Uint64()%uint64(len(r.Requests))]
		take := c.done%sampled == 0
		var start time.Time
		if take {
			start = time.Now()
		}
		if _, err := c.c.Write(request); err != nil {
			return err
		}
		if err := c.answer(r.BodySize); err != nil {
			return fmt.Errorf("answer to %q: %w", bytes.TrimSpace(request[:bytes.IndexByte(request, '\n')]), err)
		}
		if take {
			c.times = append(c.times, float64(time.Since(start))/float64(time.Microsecond))
		}
		c.done++
	}
	return nil
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	endOfHeader   = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// answer reads one answer whose body has that size.
func (c *conn) answer(size int) error {
	head, err := c.head()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, statusOK) {
		return fmt.Errorf("status %q", head[:bytes.IndexByte(head, '\r')])
	}
	at := bytes.Index(head, contentLength)
	if at < 0 {
		return errors.New("no Content-Length")
	}
	n := 0
	for _, d := range head[at+len(contentLength):] {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + int(d-'0')
	}
	if n != size {
		return fmt.Errorf("a body of %d bytes instead of %d", n, size)
	}
	c.header = len(head)
	_, err = c.in.Discard(len(head) + n)
	return err
}

// head gives the answer's header with its last empty line, still in the buffer.
func (c *conn) head() ([]byte, error) {
	for want := 1; ; {
		if _, err := c.in.Peek(want); err != nil {
			return nil, err
		}
		b, err := c.in.Peek(c.in.Buffered())
		if err != nil {
			return nil, err
		}
		if end := bytes.Index(b, endOfHeader); end >= 0 {
			return b[:end+len(endOfHeader)], nil
		}
		if want = len(b) + 1; want > c.in.Size() {
			return nil, errors.New("a header without end")
		}
	}
}
