package gateway

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is all connections of the data port. When there are as many as the process can have, those on which nothing has been asked
// for longest give way: a client whose kept connection is closed opens another, one that is kept out gets no answer.
type crowd struct {
	most int

	mu    sync.Mutex
	there map[*conn]struct{} // guarded by mu

	left chan struct{} // somebody has left
}

// newCrowd has room for so many connections; 0: as many as descriptors leave.
func newCrowd(most int) *crowd {
	if most == 0 {
		most = clientDescriptors(descriptors())
	}
	return &crowd{most: most, there: make(map[*conn]struct{}), left: make(chan struct{}, 1)}
}

// descriptors is how many the process may have open. Go's runtime has raised the soft limit to the hard one by now.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024 // what is usual
	}
	return int(min(l.Cur, 1<<30))
}

// clientDescriptors is the clients' part of n: a quarter, and where there are few up to a half, is for segments and backends.
func clientDescriptors(n int) int { return n - max(n/4, min(n/2, 64)) }

const (
	// lingers is for how long nothing was asked on a connection that gives way at once.
	lingers = 100 * time.Millisecond
	// newcomerWaits is how long a newcomer waits for one of those, or for one to leave, before it takes the place of a client that merely
	// pauses. A shorter wait would have busy clients turn one another out without end.
	newcomerWaits = 10 * time.Millisecond
)

// accept is l.Accept, and returns when there is room for who has come.
func (c *crowd) accept(l net.Listener) (net.Conn, error) {
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			c.makeRoom()
			return nc, nil
		// Descriptors may run out all the same: others than clients have them. If nobody can give way, net/http waits and tries again.
		case !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !c.shed(0):
			return nil, err
		}
	}
}

func (c *crowd) makeRoom() {
	for c.full() {
		if c.shed(lingers) {
			continue
		}
		select {
		case <-c.left:
		case <-time.After(newcomerWaits):
			c.shed(0)
		}
	}
}

func (c *crowd) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.there) >= c.most
}

func (c *crowd) enter(nc *conn) {
	nc.idleSince.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there[nc] = struct{}{}
}

func (c *crowd) leave(nc *conn) {
	c.mu.Lock()
	delete(c.there, nc)
	c.mu.Unlock()
	select {
	case c.left <- struct{}{}:
	default:
	}
}

// shed closes those connections, a few of all, that have been idle for longest, and that long at least. False: there is none.
func (c *crowd) shed(atLeast time.Duration) bool {
	type waiting struct {
		nc    *conn
		since int64
	}
	var idle []waiting
	latest := time.Now().Add(-atLeast).UnixNano()
	c.mu.Lock()
	for nc := range c.there {
		if since := nc.idleSince.Load(); since != 0 && since <= latest {
			idle = append(idle, waiting{nc, since})
		}
	}
	c.mu.Unlock()
	slices.SortFunc(idle, func(a, b waiting) int { return cmp.Compare(a.since, b.since) })
	gone := 0
	for _, w := range idle {
		if gone > c.most/64 {
			break
		}
		// Not if something has been asked on it meanwhile.
		if w.nc.idleSince.CompareAndSwap(w.since, 0) {
			_ = w.nc.Close() // the client sees what it sees when a server's patience ends
			gone++
		}
	}
	return gone > 0
}

// noteIdle notes when a connection has nothing to do. One on which the first request's head is not complete yet counts as such.
func noteIdle(nc net.Conn, state http.ConnState) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	switch {
	case !ok:
	case state == http.StateActive || state == http.StateHijacked:
		c.idleSince.Store(0)
	case state == http.StateIdle:
		c.idleSince.Store(time.Now().UnixNano())
	}
}
