package aio

// What Linux' io_uring.h says and package unix does not. It is the same on all architectures, and never changes.
const (
	opRead = 22 // IORING_OP_READ

	offRings = 0       // IORING_OFF_SQ_RING: both rings, by featSingle
	offSQEs  = 1 << 28 // IORING_OFF_SQES
	sqeSize  = 64
	cqeSize  = 16

	setupClamp     = 1 << 4 // IORING_SETUP_CLAMP
	enterGetEvents = 1 << 0 // IORING_ENTER_GETEVENTS

	featSingle = 1 << 0 // IORING_FEAT_SINGLE_MMAP
	featNoDrop = 1 << 1 // IORING_FEAT_NODROP
	featNative = 1 << 9 // IORING_FEAT_NATIVE_WORKERS: Linux 5.12, when it had grown up
	featNeeded = featSingle | featNoDrop | featNative
)

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, workers uint32
	_                                                         [3]uint32
	sq                                                        struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// sqe is struct io_uring_sqe: a request.
type sqe struct {
	op, flags uint8
	priority  uint16
	fd        int32
	off, addr uint64
	size, rw  uint32
	user      uint64
	_         [3]uint64
}

// cqe is struct io_uring_cqe: an answer.
type cqe struct {
	user  uint64
	res   int32
	flags uint32
}
