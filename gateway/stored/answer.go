package stored

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// ErrFormat is wrapped by every error of this package that is about the bytes.
var ErrFormat = errors.New("not a stored answer")

const (
	version    = 2
	kindAnswer = 'A'
	kindMarker = 'V'
)

// The fixed part of a head: version, kind, flags, status (2), initial age (4), fetch time in ns (8), number of fields (2),
// length of the fields (4), the windows of stale-while-revalidate and stale-if-error in seconds (4 each).
const (
	offFlags      = 2
	offStatus     = 3
	offAge        = 5
	offFetch      = 9
	offCount      = 17
	offLength     = 19
	offRevalidate = 23
	offError      = 27
	fixedHead     = 31
)

const (
	flagForCredentials = 1 << iota
	flagNeverStale
)

// noWindow stands for a window of which the answer says nothing.
const noWindow = math.MaxUint32

// maxAge is where ages saturate (RFC 9111 1.2.2).
const maxAge = 1 << 31

// MaxFields is how many header lines an answer may have.
const MaxFields = math.MaxUint16

// MaxHead is how long a head may be: what a store must allow beside the largest body.
const MaxHead = 128 << 10

// Head is everything about an answer but its body.
type Head struct {
	Status     int
	Terms      Terms
	InitialAge int64               // seconds the answer had spent in other caches when it came
	Header     map[string][]string // end-to-end fields; what differs between two servings (Age, Content-Length) is left out by the caller
}

// Terms are what the backend said about using the answer, worked out when it was stored so that a hit does not have to.
type Terms struct {
	ForCredentials bool // requests with credentials may have it too
	NeverStale     bool // it must not be used stale
	// How long a stale copy may stand in while it is fetched anew, and for an error; in whole seconds, below zero where the
	// answer does not say.
	StaleWhileRevalidate, StaleIfError time.Duration
}

// AppendHead appends the head of an answer; the body is to follow. It fails where the head is too large to be kept.
func AppendHead(dst []byte, h Head) ([]byte, error) {
	if h.Status < 100 || h.Status > 999 {
		return dst, fmt.Errorf("status %d is out of range", h.Status)
	}
	start, fields := len(dst), 0
	var flags byte
	if h.Terms.ForCredentials {
		flags |= flagForCredentials
	}
	if h.Terms.NeverStale {
		flags |= flagNeverStale
	}
	dst = append(dst, version, kindAnswer, flags)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Status))
	dst = binary.BigEndian.AppendUint32(dst, uint32(min(max(h.InitialAge, 0), maxAge)))
	dst = append(dst, make([]byte, offRevalidate-offFetch)...)
	dst = binary.BigEndian.AppendUint32(dst, toWindow(h.Terms.StaleWhileRevalidate))
	dst = binary.BigEndian.AppendUint32(dst, toWindow(h.Terms.StaleIfError))
	// Sorted, as they are sent.
	for _, name := range slices.Sorted(maps.Keys(h.Header)) {
		for _, value := range h.Header[name] {
			fields++
			dst = appendText(appendText(dst, name), value)
		}
	}
	size := len(dst) - start
	if fields > MaxFields || size > MaxHead {
		return dst[:start], fmt.Errorf("header of %d fields and %d bytes is too large to be stored", fields, size)
	}
	binary.BigEndian.PutUint16(dst[start+offCount:], uint16(fields))
	binary.BigEndian.PutUint32(dst[start+offLength:], uint32(size-fixedHead))
	return dst, nil
}

// SetFetch writes how long the backend took into a value that AppendHead began.
func SetFetch(value []byte, d time.Duration) {
	binary.BigEndian.PutUint64(value[offFetch:], uint64(max(d, 0)))
}

// Answer is a decoded answer. Body and the header are views into the value it was decoded from: they are good as long as
// that is.
type Answer struct {
	Status     int
	Terms      Terms
	InitialAge int64
	Fetch      time.Duration
	Body       []byte

	count  int
	fields []byte // well-formed: Decode has walked it
}

// Decode reads an answer.
func Decode(value []byte) (Answer, error) {
	if !IsAnswer(value) || len(value) < fixedHead {
		return Answer{}, ErrFormat
	}
	a := Answer{
		Status: int(binary.BigEndian.Uint16(value[offStatus:])),
		Terms: Terms{
			ForCredentials:       value[offFlags]&flagForCredentials != 0,
			NeverStale:           value[offFlags]&flagNeverStale != 0,
			StaleWhileRevalidate: fromWindow(binary.BigEndian.Uint32(value[offRevalidate:])),
			StaleIfError:         fromWindow(binary.BigEndian.Uint32(value[offError:])),
		},
		InitialAge: int64(binary.BigEndian.Uint32(value[offAge:])),
		Fetch:      time.Duration(binary.BigEndian.Uint64(value[offFetch:])),
		count:      int(binary.BigEndian.Uint16(value[offCount:])),
	}
	length := binary.BigEndian.Uint32(value[offLength:])
	if a.Status < 100 || a.Status > 999 || a.Fetch < 0 || a.InitialAge > maxAge {
		return Answer{}, fmt.Errorf("%w: a number is out of range", ErrFormat)
	}
	if uint64(length) > uint64(len(value)-fixedHead) {
		return Answer{}, fmt.Errorf("%w: the header is cut short", ErrFormat)
	}
	a.fields = value[fixedHead : fixedHead+int(length)]
	a.Body = value[fixedHead+int(length):]
	rest, ok := a.fields, true
	for range a.count {
		var name []byte
		if name, rest, ok = cutText(rest); !ok || len(name) == 0 {
			return Answer{}, fmt.Errorf("%w: a field's name is cut short", ErrFormat)
		}
		if _, rest, ok = cutText(rest); !ok {
			return Answer{}, fmt.Errorf("%w: a field's value is cut short", ErrFormat)
		}
	}
	if len(rest) != 0 {
		return Answer{}, fmt.Errorf("%w: %d bytes behind the last field", ErrFormat, len(rest))
	}
	return a, nil
}

func toWindow(d time.Duration) uint32 {
	if d < 0 {
		return noWindow
	}
	return uint32(min(d/time.Second, noWindow-1))
}

func fromWindow(n uint32) time.Duration {
	if n == noWindow {
		return -1
	}
	return time.Duration(n) * time.Second
}

// IsAnswer tells an answer from a marker and from anything else.
func IsAnswer(value []byte) bool { return isKind(value, kindAnswer) }

func isKind(value []byte, kind byte) bool {
	return len(value) > offFlags && value[0] == version && value[1] == kind
}

// CopyTo adds the fields to h. The strings are copies: they outlive the value. A caller that adds fields of its own may
// have their text as a string, and room for as many values as it says, from the same allocations.
func (a Answer) CopyTo(h map[string][]string, own []byte, room int) (text string, spare []string) {
	// One string and one slice for all fields: a hit's header costs two allocations, not two per field.
	values := make([]string, a.count+room)
	text, spare = joined(a.fields, own), values[a.count:]
	at := 0
	for i := range a.count {
		n, w := binary.Uvarint(a.fields[at:])
		name := text[at+w : at+w+int(n)]
		at += w + int(n)
		n, w = binary.Uvarint(a.fields[at:])
		values[i] = text[at+w : at+w+int(n)]
		at += w + int(n)
		if have := h[name]; have != nil {
			h[name] = append(have, values[i])
		} else {
			h[name] = values[i : i+1 : i+1]
		}
	}
	return text[len(a.fields):], spare
}

func joined(a, b []byte) string {
	var text strings.Builder
	text.Grow(len(a) + len(b))
	text.Write(a)
	text.Write(b)
	return text.String()
}

// Fields gives every line of the header, in its order. The bytes are the value's own.
func (a Answer) Fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := a.fields
		for range a.count {
			var n, v []byte
			n, rest, _ = cutText(rest)
			v, rest, _ = cutText(rest)
			if !yield(n, v) {
				return
			}
		}
	}
}

// Get gives the first value of a field under its canonical name, or "".
func (a Answer) Get(name string) string {
	rest := a.fields
	for range a.count {
		var n, v []byte
		n, rest, _ = cutText(rest)
		v, rest, _ = cutText(rest)
		if string(n) == name {
			return string(v)
		}
	}
	return ""
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// cutText takes a length and as many bytes from the front of b.
func cutText(b []byte) (text, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}
