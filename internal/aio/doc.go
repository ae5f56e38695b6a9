// Package aio reads files at offsets without holding a Go processor while the device works.
//
// A goroutine in a blocking read keeps its processor until the runtime notices, some tens of microseconds later. With as many
// processors as a small machine has, that caps reads of a fast device at half of what it can do, however many wait. So
// ReadAt first takes what the page cache has, with a call that never waits (preadv2 with RWF_NOWAIT), and leaves the rest
// to an io_uring, waiting for it in Go's poller. Where there is none (another system, an old kernel, a sandbox that forbids
// it) it is a plain pread.
//
// Most callers need ReadAt alone. A Reader has no goroutine and makes its ring when the first read has to wait.
package aio
