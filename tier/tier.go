package tier

import (
	"errors"

	"stagecache/crypto"
)

// Hash addresses a record: 128 bits that no outsider can choose.
type Hash = crypto.Hash

// Record is what a caller puts.
type Record struct {
	Hash    Hash
	Seq     uint64   // order of Puts in the store; a higher one replaces a lower one
	Stamp   uint64   // the caller's own; authenticated, returned as it is
	Expires int64    // engine time in ms; from then on the record is gone
	Plain   bool     // integrity only, no encryption
	Labels  []uint64 // what purges may ask for; only counted (Disk)
	Blob    []byte   // the tier owns it after Put
}

// Found is what Get says about a record besides its blob.
type Found struct {
	Seq     uint64
	Stamp   uint64
	Expires int64
	Plain   bool
	at      loc // where Disk read it; zero: not from a segment
}

// Tier is one place where records live.
type Tier interface {
	// Get appends the newest version's blob to dst. ErrNotFound if there is none; it does not judge Expires.
	Get(dst []byte, h Hash) ([]byte, Found, error)
	// Put replaces the version that is there. The caller serialises Puts of one hash, and their Seq grows.
	// ErrDropped: not kept, but the old version is gone all the same.
	Put(r Record) error
	// Drop forgets the record if it is still the one that Get found.
	Drop(h Hash, f Found)
	Close() error
}

// Codec packs blobs before they are sealed.
type Codec interface {
	// Encode appends src packed to dst and says how; 0 means as it is, and no number is above 127.
	Encode(dst, src []byte) ([]byte, uint8)
	// Decode appends exactly size bytes to dst or fails.
	Decode(dst, src []byte, how uint8, size int) ([]byte, error)
}

// DictionaryCodec is a Codec that packs small blobs better, and faster, by what they have in common with others.
type DictionaryCodec interface {
	Codec
	// NewDictionary makes a dictionary of content, which it may keep: blobs one behind the other. nil: it cannot.
	NewDictionary(content []byte) Dictionary
}

// Dictionary packs blobs. It is safe for concurrent use.
type Dictionary interface {
	// Encode appends src packed to dst.
	Encode(dst, src []byte) []byte
	// Decode appends exactly size bytes to dst or fails.
	Decode(dst, src []byte, size int) ([]byte, error)
}

// plainCodec keeps blobs as they are.
type plainCodec struct{}

func (plainCodec) Encode(dst, src []byte) ([]byte, uint8) { return append(dst, src...), 0 }
func (plainCodec) Decode(dst, src []byte, how uint8, size int) ([]byte, error) {
	if how != 0 || len(src) != size {
		return dst, ErrDamaged
	}
	return append(dst, src...), nil
}

// Errors of Get and Put.
var (
	ErrNotFound = errors.New("no such record")
	ErrDropped  = errors.New("record not kept")
	ErrTooLarge = errors.New("record too large for this tier")
	ErrClosed   = errors.New("tier closed")
)

// Errors that say what is wrong with a file.
var (
	ErrDamaged     = errors.New("damaged")
	ErrFormatNewer = errors.New("written by a newer version")
)
