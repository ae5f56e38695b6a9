package stored

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// MaxVariants is how many variants of one resource are kept; the one stored longest ago gives way.
const MaxVariants = 32

// maxNames bounds the names of a marker; the gateway stores nothing that varies by more.
const maxNames = 64

// VariantID stands for a variant's key in a marker.
type VariantID [16]byte

// NewVariantID is the id of the variant that is stored under key.
func NewVariantID(key []byte) VariantID {
	sum := sha256.Sum256(key)
	return VariantID(sum[:16])
}

// Marker stands under a resource's primary key where its answers differ by request headers.
type Marker struct {
	Names []string    // lower case, sorted
	IDs   []VariantID // oldest first
}

// Has tells whether a variant is still among those kept.
func (m Marker) Has(id VariantID) bool { return slices.Contains(m.IDs, id) }

// With is the marker after a variant by these names was stored: variants by other names are forgotten, and the oldest is
// where there are too many.
func (m Marker) With(names []string, id VariantID) Marker {
	if !slices.Equal(m.Names, names) {
		return Marker{Names: names, IDs: []VariantID{id}}
	}
	ids := make([]VariantID, 0, len(m.IDs)+1)
	for _, have := range m.IDs {
		if have != id {
			ids = append(ids, have)
		}
	}
	if len(ids) >= MaxVariants {
		ids = ids[len(ids)-MaxVariants+1:]
	}
	return Marker{Names: names, IDs: append(ids, id)}
}

// Append appends the marker as it is stored. Names past the limit of a marker are an error of the caller's.
func (m Marker) Append(dst []byte) []byte {
	dst = append(dst, version, kindMarker, byte(len(m.Names)), byte(len(m.IDs)))
	for _, name := range m.Names {
		dst = appendText(dst, name)
	}
	for _, id := range m.IDs {
		dst = append(dst, id[:]...)
	}
	return dst
}

// IsMarker tells a marker from an answer and from anything else.
func IsMarker(value []byte) bool { return isKind(value, kindMarker) }

// DecodeMarker reads a marker. It shares nothing with the value.
func DecodeMarker(value []byte) (Marker, error) {
	if !IsMarker(value) || len(value) < 4 {
		return Marker{}, ErrFormat
	}
	names, ids := int(value[2]), int(value[3])
	if names == 0 || names > maxNames || ids > MaxVariants {
		return Marker{}, fmt.Errorf("%w: %d names and %d variants", ErrFormat, names, ids)
	}
	rest := value[4:]
	m := Marker{Names: make([]string, 0, names), IDs: make([]VariantID, ids)}
	for range names {
		name, r, ok := cutText(rest)
		if !ok {
			return Marker{}, fmt.Errorf("%w: a name is cut short", ErrFormat)
		}
		m.Names, rest = append(m.Names, string(name)), r
	}
	if len(rest) != ids*len(VariantID{}) {
		return Marker{}, fmt.Errorf("%w: %d bytes of variants", ErrFormat, len(rest))
	}
	for i := range m.IDs {
		m.IDs[i] = VariantID(rest[i*16:])
	}
	return m, nil
}
