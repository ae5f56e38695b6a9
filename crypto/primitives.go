package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Labels keep apart what is derived from one secret. No label is a prefix of another one, and labels never change: a new
// meaning gets a new label.
const (
	labelRootID     = "stagecache/v1/root-key-id"
	labelWrap       = "stagecache/v1/wrapping-key"
	labelWrapCommit = "stagecache/v1/commitment-to-wrapping-key"
	labelSeal       = "stagecache/v1/segment-seal"
	labelProtect    = "stagecache/v1/segment-protect"
	labelSegCommit  = "stagecache/v1/segment-commitment"
	labelContext    = "stagecache/v1/segment-context"
)

// formatVersion is the version of the formats and of the derivations here.
const formatVersion = 1

// newAEAD is AES-256-GCM in the one form used here: a random 96-bit nonce that Seal makes itself and puts before the
// ciphertext, and a 128-bit tag.
//
// Nonce: it comes from the system's generator inside the call, so that no caller can choose or repeat one. Under one
// key at most MaxSeals (2^24) messages are sealed, so that two are equal with a probability below 2^-49; the standard
// (NIST SP 800-38D) allows 2^32. Key: each key is derived for this one use, under a label and a fresh salt of its own.
func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("AES-256 needs %d bytes of key, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// derive is HKDF-SHA-256, extract and expand.
//
// Safe because every secret given to it is a uniform 32-byte key (Argon2id's output included), because info begins
// with a label that no other use has, and because what is derived is never given to derive again with the same info.
func derive(secret, salt []byte, info string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, salt, info, n)
}

// newMAC is HMAC-SHA-256. The key is a random 32-byte key used for nothing else; a MAC has no nonce.
func newMAC(key []byte) hash.Hash { return hmac.New(sha256.New, key) }

// random fills b from the system's generator. crypto/rand.Read never returns an error: where the system has no
// randomness the process ends, for there is nothing safe to go on with.
func random(b []byte) { rand.Read(b) }

// frame joins a label and parts so that no two lists of parts give the same bytes: each part follows its length.
func frame(label string, parts ...[]byte) []byte {
	out := []byte(label)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
