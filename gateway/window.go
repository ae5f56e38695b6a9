package gateway

import "context"

// windowSize is the most that is held of an answer that is too large to be stored, and minWindow what it always has.
const (
	windowSize = 1 << 20
	minWindow  = copyBuffer
)

// ring holds the last bytes of a stream, addressed by their place in it.
type ring struct{ buf []byte }

func (r *ring) size() int64 { return int64(len(r.buf)) }

// write puts p, which is no longer than the ring, at its place in the stream.
func (r *ring) write(p []byte, at int64) {
	n := copy(r.buf[at%r.size():], p)
	copy(r.buf, p[n:])
}

// read copies from [at, end) as much as fits into dst.
func (r *ring) read(dst []byte, at, end int64) int {
	dst = dst[:min(int64(len(dst)), end-at)]
	n := copy(dst, r.buf[at%r.size():])
	copy(dst[n:], r.buf)
	return len(dst)
}

// openWindow turns the fill into a window of the given size over a body that has arrived so far. From now on nobody joins.
// It returns when the fastest reader has read all but the window's size of it, for only then may the rest be let go;
// false means that nobody is left to read.
func (f *fill) openWindow(ctx context.Context, body []byte, size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window = true
	f.body, f.end = body, int64(len(body))
	f.changed()
	if !f.waitForFastest(ctx, f.end-size) {
		return false
	}
	f.ring = &ring{buf: make([]byte, size)}
	low := max(0, f.end-size)
	f.ring.write(body[low:], low)
	f.body = nil
	f.cutBefore(low)
	return true
}

// push adds the next part of the body to the window, when the fastest reader has made room for it. It reports false if
// nobody is left to read.
func (f *fill) push(ctx context.Context, p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	low := f.end + int64(len(p)) - f.ring.size()
	if !f.waitForFastest(ctx, low) {
		return false
	}
	f.cutBefore(low)
	f.ring.write(p, f.end)
	f.end += int64(len(p))
	f.changed()
	return true
}

// finish ends a window: well, or cut.
func (f *fill) finish(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.cut = true, cut
	f.changed()
}

// waitForFastest waits until some reader has read up to pos; mu is held.
func (f *fill) waitForFastest(ctx context.Context, pos int64) bool {
	for {
		fastest := int64(-1)
		for r := range f.readers {
			fastest = max(fastest, r.pos)
		}
		if fastest < 0 {
			return false // no readers
		}
		if fastest >= pos {
			return true
		}
		if f.sleep(ctx) != nil {
			return false
		}
	}
}

// cutBefore cuts the readers that have not read up to low: what they would read next is about to be let go. mu is held.
func (f *fill) cutBefore(low int64) {
	for r := range f.readers {
		if r.pos < low {
			r.lagged = true
			delete(f.readers, r)
		}
	}
	f.changed()
}
