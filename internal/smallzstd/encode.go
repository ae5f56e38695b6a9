package smallzstd

import (
	"encoding/binary"
	"slices"
	"sync"
)

// MaxSize is the largest value that Append takes, in bytes. The longer a value, the more tables of its own would save, which the
// general encoder makes: above this its frames are smaller by more than 5 %.
const MaxSize = 3 << 9

// encoder is the scratch memory of one Append.
type encoder struct {
	matcher
	huffman
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

const (
	magic      = 0xFD2FB528
	single     = 1 << 5 // the window is the content
	lastBlock  = 1
	compressed = 2 << 1
)

// Append appends a frame that holds src to dst, without a checksum. false: src is larger than MaxSize, empty, or does not
// become smaller; dst comes back as it was. It may be called from many goroutines.
func Append(dst, src []byte) ([]byte, bool) {
	if len(src) == 0 || len(src) > MaxSize {
		return dst, false
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, magic)
	if len(src) < 256 {
		dst = append(dst, single, byte(len(src)))
	} else {
		dst = append(dst, single|1<<6)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(src)-256))
	}
	block := len(dst)
	dst = append(dst, 0, 0, 0)

	e := encoders.Get().(*encoder)
	e.split(src)
	dst = e.appendLiterals(dst, e.lits)
	dst = appendSequences(dst, e.seqs)
	encoders.Put(e)

	size := len(dst) - block - 3
	if len(dst)-start >= len(src) {
		return dst[:start], false
	}
	head := uint32(lastBlock | compressed | size<<3)
	dst[block], dst[block+1], dst[block+2] = byte(head), byte(head>>8), byte(head>>16)
	return dst, true
}

// grow makes dst n bytes longer; what they hold is not defined.
func grow(dst []byte, n int) []byte { return slices.Grow(dst, n)[:len(dst)+n] }
