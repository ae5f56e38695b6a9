package crypto

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// KeySize is the size in bytes of every key here.
const KeySize = 32

// KeyID names a root key without revealing anything about it: it may be logged and stands in stage-key files.
type KeyID [8]byte

func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText makes a KeyID its hexadecimal form in JSON too.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// RootKey is the key an operator keeps. It wraps stage keys and does nothing else. However it is printed, logged or
// marshalled, only its id comes out; Text is the one way to the key itself.
type RootKey struct {
	// In a box behind a pointer, because fmt calls none of the methods below on an unexported field of somebody's struct.
	// One pointer would not do: fmt follows it where a verb does not fit, as %s does not fit a pointer to an array.
	box     *keyBox
	id      KeyID
	created time.Time // zero: not known
}

type keyBox struct{ key *[KeySize]byte }

// NewRootKey makes a random key.
func NewRootKey() *RootKey {
	var secret [KeySize]byte
	random(secret[:])
	k := rootKeyOf(&secret)
	k.created = time.Now().UTC().Truncate(time.Second)
	return k
}

func rootKeyOf(secret *[KeySize]byte) *RootKey {
	k := &RootKey{box: &keyBox{secret}}
	// One-way and under a label of its own: the id says nothing about the wrapping keys derived from the same secret.
	id, err := derive(secret[:], nil, labelRootID, len(k.id))
	if err != nil {
		panic("crypto: HKDF refuses a 32-byte key: " + err.Error()) // it cannot: sizes are constants
	}
	copy(k.id[:], id)
	return k
}

func (k *RootKey) usable() bool { return k != nil && k.box != nil }

// secret is for keys that are usable.
func (k *RootKey) secret() *[KeySize]byte { return k.box.key }

// ID names the key. It is derived from it by HKDF and reveals nothing.
func (k *RootKey) ID() KeyID {
	if k == nil {
		return KeyID{}
	}
	return k.id
}

// String gives the id, never the key.
func (k RootKey) String() string { return "root key " + k.id.String() }

// GoString gives the id, never the key.
func (k RootKey) GoString() string { return k.String() }

// Format gives the id for every verb and flag, never the key.
func (k RootKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// MarshalJSON gives the id, never the key.
func (k RootKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
