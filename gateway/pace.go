package gateway

import (
	"errors"
	"time"
)

// pace finds a body that comes without ever pausing too long, and still without end: a byte every few seconds would hold a
// connection, its buffers and everybody who waits for as long as its sender likes. Only the time spent waiting for the sender
// counts, so the other side, which may be slow as well, does not make a body late.
type pace struct {
	limit  time.Duration // of one pause
	waited time.Duration
	got    int64
}

// minRate is how many bytes a second a body must have on average, once twice its limit for one pause has passed.
const minRate = 1 << 10

// tooSlow notes a read that waited and got n bytes.
func (p *pace) tooSlow(waited time.Duration, n int) bool {
	p.waited += waited
	p.got += int64(n)
	return p.waited > 2*p.limit+time.Duration(p.got)*time.Second/minRate
}

var errTrickle = errors.New("the body came too slowly as a whole")
