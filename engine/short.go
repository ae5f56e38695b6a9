package engine

import "sync"

// shortCount counts entries that live in memory alone: those put in the last one or two spans of shortLived.
type shortCount struct {
	time *engineTime
	mu   sync.Mutex
	span int64
	n    [2]int64 // the current span's and the one's before
}

func (c *shortCount) roll() {
	span := c.time.now() / shortLived.Milliseconds()
	switch span - c.span {
	case 0:
	case 1:
		c.n = [2]int64{0, c.n[0]}
	default:
		c.n = [2]int64{}
	}
	c.span = span
}

func (c *shortCount) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roll()
	c.n[0]++
}

func (c *shortCount) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roll()
	return c.n[0] + c.n[1]
}
