package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// listener gives the data port's connections as conns.
type listener struct {
	net.Listener
	crowd *crowd
	g     *Gateway // nil: without a lane, for what is read there is not HTTP
}

func (l listener) Accept() (net.Conn, error) {
	nc, err := l.crowd.accept(l.Listener)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, crowd: l.crowd, lane: lane{g: l.g}}
	l.crowd.enter(c)
	return c, nil
}

// conn is a client's connection on which deadlines cost next to nothing, and on which a header and its body can leave
// together.
//
// net/http moves a connection's deadlines six times per request, and nearly none of them is ever met: each is a change in the
// runtime's heap of timers. A conn only notes them. What is really set may be earlier than what was asked for, and is corrected
// when it passes: then one read or write in as many seconds as the timeout has fails, and is repeated here. It is never later.
type conn struct {
	net.Conn
	read, write deadline
	lane        lane
	crowd       *crowd
	idleSince   atomic.Int64 // when it began to wait for a request, in ns; 0: one is being answered

	// What follows belongs to the goroutine that writes the answer.
	held    []byte // written, not yet sent; nil: nothing is held back
	holding bool
}

// deadline is one direction's.
type deadline struct {
	mu    sync.Mutex
	want  time.Time // guarded by mu; zero: none
	set   time.Time // guarded by mu: at the connection
	gone  bool      // guarded by mu: set has passed for certain
	calls int       // guarded by mu: on their way; they may be waiting
}

// ask notes a deadline. Only a call that is waiting must learn of an earlier one at once.
func (d *deadline) ask(t time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.calls == 0 {
		return nil
	}
	// net/http ends a read that is waiting by a deadline long ago.
	d.gone = !t.IsZero() && t.Unix() < 1_000_000
	return d.tighten(set)
}

// tighten makes the connection's deadline no later than what is wanted; mu is held.
func (d *deadline) tighten(set func(time.Time) error) error {
	if d.want.IsZero() || !d.set.IsZero() && !d.want.Before(d.set) {
		return nil
	}
	d.set = d.want
	return set(d.set)
}

func (d *deadline) begin(set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.gone {
		d.gone, d.set = false, d.want
		return set(d.set)
	}
	return d.tighten(set)
}

// end tells whether a call that came back with err is to be repeated: it met a deadline that is not what is wanted any more.
func (d *deadline) end(err error, set func(time.Time) error) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && !d.gone && errors.Is(err, os.ErrDeadlineExceeded) && (d.want.IsZero() || d.want.After(time.Now())) {
		d.gone, d.set = false, d.want
		if set(d.set) == nil {
			return true
		}
	}
	d.calls--
	return false
}

func (c *conn) SetReadDeadline(t time.Time) error { return c.read.ask(t, c.Conn.SetReadDeadline) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.ask(t, c.Conn.SetWriteDeadline) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// readOnce is Read past the lane.
func (c *conn) readOnce(p []byte) (int, error) {
	if err := c.read.begin(c.Conn.SetReadDeadline); err != nil {
		c.read.end(nil, nil)
		return 0, err
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.read.end(nil, nil)
			return n, err
		}
		if !c.read.end(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	if c.holding && c.held == nil && len(p) <= maxHeld {
		c.held = append(heldPool.Get().(*heldBuffer)[:0], p...)
		return len(p), nil
	}
	if c.held == nil {
		return c.send(p, nil)
	}
	before := len(c.held)
	n, err := c.send(c.held, p)
	c.letGo()
	return max(n-before, 0), err
}

// send writes a and then b, in one system call where the system can.
func (c *conn) send(a, b []byte) (n int, err error) {
	if err := c.write.begin(c.Conn.SetWriteDeadline); err != nil {
		c.write.end(nil, nil)
		return 0, err
	}
	for {
		var wrote int
		if n < len(a) && len(b) > 0 {
			parts := net.Buffers{a[n:], b}
			var w int64
			w, err = parts.WriteTo(c.Conn)
			wrote = int(w)
		} else if n < len(a) {
			wrote, err = c.Conn.Write(a[n:])
		} else {
			wrote, err = c.Conn.Write(b[n-len(a):])
		}
		if n += wrote; !c.write.end(err, c.Conn.SetWriteDeadline) {
			return n, err
		}
	}
}

// maxHeld is how much a held header and the beginning of its body may be: the size of net/http's own buffer.
const maxHeld = 4 << 10

type heldBuffer = [maxHeld]byte

var heldPool = sync.Pool{New: func() any { return new(heldBuffer) }}

func (c *conn) letGo() {
	if c.held != nil {
		heldPool.Put((*heldBuffer)(c.held[:maxHeld]))
		c.held = nil
	}
}

// hold keeps the next small write back until the one after it, or until release. net/http writes the header of an answer and
// the beginning of a large body first, and the rest of it after: held, they leave in one system call and one packet fewer.
func (c *conn) hold() { c.holding = true }

// release sends what is still held back.
func (c *conn) release() error {
	c.holding = false
	if c.held == nil {
		return nil
	}
	_, err := c.send(c.held, nil)
	c.letGo()
	return err
}

// CloseWrite is what net/http looks for to let a client read the last answer before the connection is reset.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

type connKey struct{}

// withConn lets a request find its connection, where it is a plain one.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// connOf is nil for a request that came in another way.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
