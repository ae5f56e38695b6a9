package engine

import (
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"

	"stagecache/tier"
)

// dictionary packs small blobs by what they have in common with earlier ones. S2, not zstd: a zstd frame begins with tables that
// cost more to make and to read than the rest of a small blob, and zstd with a dictionary spends as long again on setting itself
// up. On JSON of 1 KiB, S2 with a dictionary packs to three quarters of what zstd alone does, four times as fast both ways.
type dictionary struct{ d *s2.Dict }

// NewDictionary implements tier.DictionaryCodec.
func (zstdCodec) NewDictionary(content []byte) tier.Dictionary {
	if d := s2.MakeDict(content, nil); d != nil {
		return dictionary{d}
	}
	return nil
}

func (d dictionary) Encode(dst, src []byte) []byte {
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(src)))
	return dst[:len(dst)+len(d.d.Encode(dst[len(dst):], src))] // there is room, so it is encoded in place
}

func (d dictionary) Decode(dst, src []byte, size int) ([]byte, error) {
	// Output is bounded by the size that the authenticated header claims.
	if n, err := s2.DecodedLen(src); err != nil || n != size {
		return dst, errors.Join(errDecode, err)
	}
	out := withRoom(dst, size)
	if _, err := d.d.Decode(out[len(out):len(out):len(out)+size], src); err != nil {
		return dst, errors.Join(errDecode, err)
	}
	return out[:len(dst)+size], nil
}

// withRoom is dst with room for exactly so many bytes more, if it has not got it already.
func withRoom(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	out := make([]byte, len(dst), len(dst)+n)
	copy(out, dst)
	return out
}
