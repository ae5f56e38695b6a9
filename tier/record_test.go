package tier

import (
	"bytes"
	"errors"
	"testing"

	"stagecache/crypto"
)

// What a record is bound to, byte for byte: its kind, its whole header and the segment's context. The key of a segment depends on most of
// that too, so a part left out here would show nowhere else.
func TestARecordIsBoundToItsHeaderAndSegment(t *testing.T) {
	_, s, err := crypto.NewStageKey("s").NewSegment(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		open := s.Open
		if plain {
			open = s.Verify
		}
		h := recordHeader{hash: hashOf(1), seq: 2, stamp: 3, expires: 4, blobSize: 100, plain: plain}
		b, err := sealRecord(nil, s, &h, blobOf(1, 100))
		if err != nil {
			t.Fatal(err)
		}
		ctx := s.Context()
		aad := append(append([]byte{1}, b[:recordHeaderSize]...), ctx[:]...)
		if got, err := open(nil, b[recordHeaderSize:], aad); err != nil || !bytes.Equal(got, blobOf(1, 100)) {
			t.Fatalf("plain %v: it is bound to something else: %v", plain, err)
		}
		for i := range aad {
			aad[i] ^= 1
			if _, err := open(nil, b[recordHeaderSize:], aad); !errors.Is(err, crypto.ErrAuth) {
				t.Errorf("plain %v: byte %d of what it is bound to does not matter: %v", plain, i, err)
			}
			aad[i] ^= 1
		}
	}
}
