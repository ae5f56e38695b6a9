package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"stagecache/gateway/policy"
)

// The lane answers hits in memory on plain connections before net/http learns of their requests: no goroutine, no context
// and no header map are made for them, which is about half of what a hit costs. It takes what it understands completely (see
// parse) and whose answer it can write as net/http would (see appendHead). Everything else, and everything in the slightest way
// unusual, goes to net/http, byte for byte as it came. What a request means (stage, settings, key, entry) is decided by the
// same code on both ways, and they count and log alike.
//
// It works inside Read, in the goroutine in which net/http waits for a connection's next request. What it looks at must be the
// beginning of one: net/http must hold nothing that came before. That its buffer is empty at the moment is known from the size of the
// read, for only then does it ask for as much as the buffer holds. But it may have taken lines of a head out of the buffer already.
// So nothing may have been given to it since it became idle, and what it was given last before must have ended where a
// head does: if it still held some of that, it would find a whole request in it, and answer that without a read.
type lane struct {
	g      *Gateway // nil: there is none
	remote string   // the client's address, once it is needed

	// What follows belongs to the goroutines of net/http, of which one at a time uses it.
	buffer  int  // the size of net/http's buffer: what the first read asks for
	idle    bool // net/http waits for the next request
	clean   bool // ... and when it began to, it held nothing of it, as far as is known
	given   bool // something was given to net/http since it was idle last
	ended   bool // ... which ended where a head does
	old     oldHead
	chunked bool // the request that net/http has read is in HTTP/1.0 and has a Transfer-Encoding
	unseen  bool // ... if it is in HTTP/1.0, its head came behind another request, and was not looked at
	posted  bool // the last request that net/http had was a POST, behind which it takes an empty line for nothing

	life atomic.Int32
}

// The states of a connection's life.
const (
	lifeWaiting = iota
	lifeBusy    // a hit is on its way
	lifeLeaving // ... and the connection is to be closed after it
	lifeClosed
)

// noteState is the server's hook.
func noteState(nc net.Conn, state http.ConnState) {
	noteIdle(nc, state)
	if c, ok := nc.(*conn); ok { // nothing of this works under TLS
		if c.lane.idle = state == http.StateIdle; c.lane.idle {
			c.lane.clean, c.lane.given = c.lane.given && c.lane.ended, false
		}
		if state == http.StateActive { // the head is read, and its handler not called yet
			c.lane.chunked, c.lane.unseen = c.lane.old.chunked(), len(c.lane.old.text) == 0
			c.lane.old.end()
		}
	}
}

func (c *conn) Read(p []byte) (int, error) {
	l := &c.lane
	if l.g == nil {
		return c.readOnce(p)
	}
	first := l.buffer == 0
	if first {
		l.buffer = len(p)
	}
	n, err := c.readOnce(p)
	if !first && (!l.idle || !l.clean || l.given || len(p) != l.buffer) {
		if len(p) == 1 && !l.idle {
			// net/http listens, while a request is answered, for the client to leave, and has got the next one's first byte.
			l.old.begin(p[:n], l.old.lone)
		} else {
			l.old.add(p[:n])
		}
		l.give(p[:n])
		return n, err
	}
	for n > 0 && err == nil && !first && !l.posted {
		used, gone := c.takeLane(p[:n])
		if gone != nil {
			return 0, gone
		}
		if used == 0 {
			break
		}
		if n = copy(p, p[used:n]); n == 0 {
			n, err = c.readOnce(p)
		}
	}
	l.old.begin(p[:n], true)
	l.give(p[:n])
	return n, err
}

// give notes what net/http is given.
func (l *lane) give(p []byte) {
	if len(p) > 0 {
		l.given, l.ended = true, bytes.HasSuffix(p, endOfHead)
	}
}

var endOfHead = []byte("\r\n\r\n")

// takeLane answers the request at the beginning of p, if it is for the lane, and gives its length. An error ends the connection.
func (c *conn) takeLane(p []byte) (used int, err error) {
	end := bytes.Index(p, endOfHead)
	if end < 0 || p[0] != 'G' && p[0] != 'H' {
		return 0, nil
	}
	end += len(endOfHead)
	q := requests.Get().(*laneRequest)
	defer requests.Put(q)
	if !q.parse(p[:end]) {
		return 0, nil
	}
	if !c.lane.life.CompareAndSwap(lifeWaiting, lifeBusy) {
		return 0, net.ErrClosed
	}
	ok, err := c.serve(q)
	if !c.lane.life.CompareAndSwap(lifeBusy, lifeWaiting) {
		c.lane.life.Store(lifeClosed)
		c.Conn.Close()
		c.lane.g.leaving.done()
		return 0, net.ErrClosed
	}
	if err != nil || !ok {
		return 0, err
	}
	return end, nil
}

// Close lets a hit that is on its way end first, as net/http does with a request that it knows of.
func (c *conn) Close() error {
	defer c.crowd.leave(c)
	for {
		switch {
		case c.lane.life.CompareAndSwap(lifeWaiting, lifeClosed):
			return c.Conn.Close()
		case c.lane.life.Load() != lifeBusy:
			return c.Conn.Close() // again
		case !c.lane.g.leaving.begin():
			return c.Conn.Close() // too late for manners
		case c.lane.life.CompareAndSwap(lifeBusy, lifeLeaving):
			context.AfterFunc(c.lane.g.ctx, func() { c.Conn.Close() }) // Shutdown has run out of time
			return nil
		}
		c.lane.g.leaving.done() // it has ended meanwhile
	}
}

// maxLaneBody is the largest body that is sent under one deadline.
const maxLaneBody = maxWrite

// serve answers a request with a fresh entry in memory. False means that nothing has happened.
func (c *conn) serve(q *laneRequest) (ok bool, err error) {
	g := c.lane.g
	if c.lane.remote == "" {
		c.lane.remote = c.RemoteAddr().String()
	}
	q.req.RemoteAddr = c.lane.remote
	x := exchanges.Get().(*exchange)
	x.g, x.state, x.r, x.begun, x.result, x.glancing = g, g.state.Load(), &q.req, time.Now(), "-", true
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("a request panicked", "panic", fmt.Sprint(p), "method", x.r.Method, "path", x.path, "stack", string(debug.Stack()))
			if err = nil; ok {
				err = errAbort
			}
			ok = false
			return // the exchange is left to the collector
		}
		x.plain = true
		x.release()
	}()
	f := x.glance()
	if f == nil || len(f.answer.Body) > maxLaneBody {
		return false, nil
	}
	age, cs := x.aboutHit(f)
	if q.out, ok = x.appendHead(q.out[:0], f.answer, age, cs); !ok {
		return false, nil
	}
	x.takeHit(f)
	x.w.status = f.answer.Status
	body := f.answer.Body
	if x.head {
		body = nil
	}
	head := len(q.out)
	if len(body) <= maxHeld {
		q.out, body = append(q.out, body...), nil
	}
	// An error of a deadline is one of the connection, which the write will meet again.
	_ = c.SetWriteDeadline(x.begun.Add(g.o.WriteTimeout))
	n, err := c.send(q.out, body)
	x.w.bytes = int64(max(n-head, 0))
	x.countDone()
	g.access.write(x)
	_ = c.SetReadDeadline(x.begun.Add(g.o.IdleTimeout))
	c.idleSince.Store(x.begun.UnixNano())
	return true, err
}

var errAbort = errors.New("the answer was cut")

// glance looks for a fresh entry in memory, deciding as run and answer do. It gives nil for whatever is not an ordinary hit.
func (x *exchange) glance() *found {
	x.client = x.state.clientOf(x.r)
	if x.accept() != nil || x.find() != nil {
		return nil
	}
	if why, p := x.whyNot(); why != "" || p != nil || x.readDirectives() != nil {
		return nil
	}
	if x.has(hasAuthorization) {
		if x.findClaim(); x.claim != nil {
			return nil // one of ours, which is taken out of the request
		}
	}
	x.name()
	f, _ := x.lookup()
	if f == nil || x.auth && !f.answer.Terms.ForCredentials || x.reuse(f) != policy.Serve {
		return nil
	}
	return f
}
