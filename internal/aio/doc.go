// Package aio reads files at offsets without holding a Go processor while the device works.
//
// A goroutine in a blocking read keeps its processor until the runtime notices, some tens of microseconds later. With as many
// processors as a small machine has, that caps reads of a fast device at half of what it can do, however many wait. So
// ReadAt first takes what the page cache has, with a call that never waits (preadv2 with RWF_NOWAIT), and leaves the rest
// to an io_uring. Where there is none (another system, an old kernel, a sandbox that forbids it) it is a plain pread.
//
// Reads that come at about the same time are handed to the kernel together: in a virtual machine, telling the device is the dearest
// part of a read. And while most reads have to wait, the page cache is not asked first.
//
// ReadPast is for what will hardly be read again: it leaves the page cache to others (O_DIRECT).
//
// Most callers need ReadAt alone. A Reader makes its ring, and a goroutine that waits for it, when the first read has to wait.
package aio
