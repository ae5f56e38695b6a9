package crypto

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"
)

// The stage-key file, big-endian:
//
//	8   magic "STGCKEYS"
//	2   version
//	2   flags: bit 0 set: body in the clear, and key id, salt and commitment are zero
//	8   id of the root key
//	16  generation
//	32  salt of the wrapping key
//	32  commitment to the wrapping key
//	2   length of the stage's name, and the name
//	    body: hash key, 2 bytes number of epochs, and for each 4 bytes epoch and the sealing key; sealed or in the clear
//	32  SHA-256 of all before
//
// The associated data of the sealed body is everything before it. The checksum is no protection against anybody who
// means it: it tells an accident (ErrDamaged) from a wrong key (WrongKeyError) before any key is tried.
const (
	stageMagic  = "STGCKEYS"
	flagPlain   = 1
	fixedHeader = 8 + 2 + 2 + 8 + 16 + 32 + 32 + 2
	epochSize   = 4 + KeySize
	minBody     = KeySize + 2 + epochSize

	// MaxStageName is the greatest length of a stage's name in bytes.
	MaxStageName = 255
	maxEpochs    = math.MaxUint16
)

const stageFile = "stage-key file"

type stageHeader struct {
	version    uint16
	flags      uint16
	keyID      KeyID
	generation Generation
	salt       [32]byte
	commitment [32]byte
	stage      string
}

func (h *stageHeader) append(dst []byte) []byte {
	dst = append(dst, stageMagic...)
	dst = binary.BigEndian.AppendUint16(dst, h.version)
	dst = binary.BigEndian.AppendUint16(dst, h.flags)
	dst = append(dst, h.keyID[:]...)
	dst = append(dst, h.generation[:]...)
	dst = append(dst, h.salt[:]...)
	dst = append(dst, h.commitment[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.stage)))
	return append(dst, h.stage...)
}

// parseStageFile checks what can be checked without a key and splits the file into header and body.
func parseStageFile(data []byte) (h stageHeader, aad, body []byte, err error) {
	if len(data) < len(stageMagic)+2+sha256.Size {
		return h, nil, nil, damagedf(stageFile, "%d bytes are too few", len(data))
	}
	if string(data[:len(stageMagic)]) != stageMagic {
		return h, nil, nil, damagedf(stageFile, "it does not begin as one")
	}
	content, sum := data[:len(data)-sha256.Size], sha256.Sum256(data[:len(data)-sha256.Size])
	if !bytes.Equal(sum[:], data[len(content):]) { // no secret is in it: nothing to hide by constant time
		return h, nil, nil, damagedf(stageFile, "its checksum does not match")
	}
	h.version = binary.BigEndian.Uint16(content[8:])
	if h.version > formatVersion {
		return h, nil, nil, failf(ErrFormatNewer, "stage-key file has format version %d, this release understands up to %d", h.version, formatVersion)
	}
	if h.version < 1 || len(content) < fixedHeader {
		return h, nil, nil, damagedf(stageFile, "its header makes no sense")
	}
	h.flags = binary.BigEndian.Uint16(content[10:])
	rest := content[12:]
	rest = rest[copy(h.keyID[:], rest):]
	rest = rest[copy(h.generation[:], rest):]
	rest = rest[copy(h.salt[:], rest):]
	rest = rest[copy(h.commitment[:], rest):]
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	if n > MaxStageName || n > len(rest) || h.flags&^flagPlain != 0 {
		return h, nil, nil, damagedf(stageFile, "its header makes no sense")
	}
	h.stage = string(rest[:n])
	return h, content[:fixedHeader+n], rest[n:], nil
}

// wrapping derives the key that wraps one stage-key file, and the commitment to it.
//
// Safe: the salt is fresh for each file, so the key seals exactly one body. The commitment comes from the same secret
// and salt under another label: no other root key gives the same one (AES-GCM alone does not promise that), and it
// reveals nothing about the wrapping key.
func wrapping(root *RootKey, salt []byte) (key, commitment []byte, err error) {
	if key, err = derive(root.secret()[:], salt, labelWrap, KeySize); err != nil {
		return nil, nil, err
	}
	commitment, err = derive(root.secret()[:], salt, labelWrapCommit, 32)
	return key, commitment, err
}

// SealStageKey makes the contents of the stage-key file, which the caller has to put in place atomically: write to
// another name, fsync, rename, fsync of the directory. Every call uses a fresh salt, so that sealing again under another
// root key is all there is to re-wrapping. With a nil root the keys are in the clear, and the file is marked so: a store
// without a root key has integrity against accidents only.
func SealStageKey(root *RootKey, s *StageKey) ([]byte, error) {
	if s == nil || s.hash == nil || root != nil && !root.usable() {
		return nil, fmt.Errorf("seal stage key: %w", ErrNoKeyMaterial)
	}
	if len(s.stage) > MaxStageName {
		return nil, failf(ErrTooLarge, "the stage's name has %d bytes, more than %d", len(s.stage), MaxStageName)
	}
	body, err := s.appendBody(nil)
	if err != nil {
		return nil, err
	}
	h := stageHeader{version: formatVersion, generation: s.generation, stage: s.stage}
	var out []byte
	if root == nil {
		h.flags |= flagPlain
		out = append(h.append(nil), body...)
	} else {
		defer clear(body)
		h.keyID = root.id
		random(h.salt[:])
		key, commitment, err := wrapping(root, h.salt[:])
		if err != nil {
			return nil, fmt.Errorf("seal stage key: %w", err)
		}
		defer clear(key)
		h.commitment = [32]byte(commitment)
		aead, err := newAEAD(key)
		if err != nil {
			return nil, fmt.Errorf("seal stage key: %w", err)
		}
		aad := h.append(nil)
		// Safe: a random nonce under a key that was derived with a fresh salt for this one message.
		out = aead.Seal(bytes.Clone(aad), nil, body, aad)
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// OpenStageKey opens the contents of a stage-key file with whichever of the root keys made it, and says which (nil: the
// file is in the clear). Nil keys among the roots are passed over. Its errors:
//
//   - *WrongKeyError: intact, but made with another key, or made with a key and none was given
//   - *PlainKeyError: keys were given, but the file is in the clear
//   - *StageNameError: made for another stage
//   - ErrFormatNewer: made by a later release
//   - ErrDamaged: anything else
func OpenStageKey(data []byte, stage string, roots ...*RootKey) (*StageKey, *RootKey, error) {
	h, aad, body, err := parseStageFile(data)
	if err != nil {
		return nil, nil, err
	}
	if h.stage != stage {
		return nil, nil, &StageNameError{File: h.stage, Asked: stage}
	}
	var have []KeyID
	var named []*RootKey // those the file names: one, or with the odds of 1 in 2^64 more
	for _, r := range roots {
		if r.usable() {
			have = append(have, r.id)
			if r.id == h.keyID {
				named = append(named, r)
			}
		}
	}
	if h.flags&flagPlain != 0 {
		if h.keyID != (KeyID{}) || h.salt != [32]byte{} || h.commitment != [32]byte{} {
			return nil, nil, damagedf(stageFile, "its header makes no sense")
		}
		if len(have) > 0 {
			return nil, nil, &PlainKeyError{Stage: stage}
		}
		s, err := parseBody(&h, body)
		return s, nil, err
	}
	if len(named) == 0 {
		return nil, nil, &WrongKeyError{Have: have, Want: h.keyID}
	}
	for _, root := range named {
		s, opened, err := unwrap(root, &h, aad, body)
		if opened || err != nil {
			return s, root, err
		}
	}
	return nil, nil, damagedf(stageFile, "it names the right root key, but was not made with it")
}

// unwrap opens the body; false without an error if the file does not commit to this key.
func unwrap(root *RootKey, h *stageHeader, aad, sealed []byte) (*StageKey, bool, error) {
	key, commitment, err := wrapping(root, h.salt[:])
	if err != nil {
		return nil, false, fmt.Errorf("open stage key: %w", err)
	}
	defer clear(key)
	if subtle.ConstantTimeCompare(commitment, h.commitment[:]) != 1 {
		return nil, false, nil
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, false, fmt.Errorf("open stage key: %w", err)
	}
	// Safe: opening only, and the associated data is the header as it stands in the file, whose stage is the one asked for.
	body, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, true, damagedf(stageFile, "its sealed part does not authenticate")
	}
	defer clear(body)
	s, err := parseBody(h, body)
	return s, true, err
}

func (s *StageKey) appendBody(dst []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.epochs) > maxEpochs {
		return nil, failf(ErrTooLarge, "the stage key holds %d epochs, more than %d: a flush begins anew", len(s.epochs), maxEpochs)
	}
	dst = append(dst, s.hash[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.epochs)))
	for _, e := range s.epochs {
		dst = binary.BigEndian.AppendUint32(dst, e.epoch)
		dst = append(dst, e.key[:]...)
	}
	return dst, nil
}

func parseBody(h *stageHeader, body []byte) (*StageKey, error) {
	bad := func() (*StageKey, error) { return nil, damagedf(stageFile, "its keys make no sense") }
	if len(body) < minBody {
		return bad()
	}
	s := &StageKey{stage: h.stage, generation: h.generation}
	hash := [KeySize]byte(body)
	s.hash = &hash
	n := int(binary.BigEndian.Uint16(body[KeySize:]))
	rest := body[KeySize+2:]
	if len(rest) != n*epochSize {
		return bad()
	}
	s.epochs = make([]epochKey, 0, n)
	for ; len(rest) > 0; rest = rest[epochSize:] {
		key := [KeySize]byte(rest[4:])
		e := epochKey{binary.BigEndian.Uint32(rest), &key}
		if e.epoch <= s.newest().epoch { // ascending from 1
			return bad()
		}
		s.epochs = append(s.epochs, e)
	}
	return s, nil
}
