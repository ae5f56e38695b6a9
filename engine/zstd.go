package engine

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdCodec compresses where it pays. Sealing comes after it and authentication before decompression, so the decoder only
// ever sees bytes that this store wrote.
type zstdCodec struct{}

// Codecs as records name them.
const (
	codecNone = 0
	codecZstd = 1
)

// Below zstdLeast bytes a frame's own overhead eats the gain; a result above zstdWorth of the input is not worth decoding.
const (
	zstdLeast = 64
	zstdWorth = 0.95
)

var errDecode = errors.New("packed blob does not decode")

// One encoder and one decoder serve the process: their EncodeAll and DecodeAll are safe for concurrent use.
var (
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		// No checksum: the seal is one. The window need not exceed an object. The fastest level: on JSON of 1 KiB it packs twice as
		// fast as the default one, to about 5 % more.
		e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		// Output is bounded by the room given, which is the size that the authenticated header claims.
		d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<28))
		if err != nil {
			panic(err)
		}
		return d
	})
)

func (zstdCodec) Encode(dst, src []byte) ([]byte, uint8) {
	if len(src) < zstdLeast {
		return append(dst, src...), codecNone
	}
	out := zstdEncoder().EncodeAll(src, dst)
	if float64(len(out)-len(dst)) > zstdWorth*float64(len(src)) {
		return append(out[:len(dst)], src...), codecNone
	}
	return out, codecZstd
}

func (zstdCodec) Decode(dst, src []byte, how uint8, size int) ([]byte, error) {
	switch how {
	case codecNone:
		if len(src) != size {
			return dst, errDecode
		}
		return append(dst, src...), nil
	case codecZstd:
		out := withRoom(dst, size)
		out, err := zstdDecoder().DecodeAll(src, out[:len(dst):len(dst)+size])
		if err != nil || len(out)-len(dst) != size {
			return dst, errors.Join(errDecode, err)
		}
		return out, nil
	}
	return dst, errDecode
}
