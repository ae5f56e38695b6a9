package crypto

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/argon2"
)

// MinPassphrase is the least length of a passphrase in bytes. Whoever has a copy of the disk can try passphrases
// for as long as they like; Argon2id makes each try cost 64 MiB and a fraction of a second, which saves a short one from nobody.
const MinPassphrase = 12

// SaltSize is the size in bytes of the salt of a passphrase.
const SaltSize = 32

// Argon2id parameters: the second recommended option of RFC 9106, section 4, for machines that cannot spare 2 GiB.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
)

// DeriveRootKey makes a root key from a passphrase with Argon2id: 64 MiB of memory and about a quarter of a second of two processors. The
// passphrase is taken as it is, byte for byte; the salt is what LoadOrCreateSalt returned. Under GODEBUG=fips140=only
// it returns ErrNotFIPS.
func DeriveRootKey(passphrase, salt []byte) (*RootKey, error) {
	if fips140.Enforced() {
		return nil, failf(ErrNotFIPS, "a passphrase needs Argon2id, which FIPS 140-only mode (GODEBUG=fips140=only) does not allow: use encryption.key_file or encryption.key_env")
	}
	if len(passphrase) < MinPassphrase {
		return nil, failf(ErrPassphrase, "the passphrase has %d bytes: take at least %d, or a key file (cachectl key generate)", len(passphrase), MinPassphrase)
	}
	if len(salt) != SaltSize {
		return nil, failf(ErrPassphrase, "the passphrase's salt has %d bytes instead of %d", len(salt), SaltSize)
	}
	// Safe: a random salt of this data directory's own, so that equal passphrases give different keys, and an output
	// that goes only into derive, under its labels.
	secret := [KeySize]byte(argon2.IDKey(passphrase, salt, argonTime, argonMemory, argonThreads, KeySize))
	return rootKeyOf(&secret), nil
}

// LoadOrCreateSalt returns the salt kept in a file, which it makes, durably, if there is none. The salt is no
// secret, but without it the passphrase is worth nothing: a damaged file is an error and is not replaced.
func LoadOrCreateSalt(path string) ([]byte, error) { return loadOrCreateSalt(direct, path) }

func loadOrCreateSalt(do step, path string) ([]byte, error) {
	salt, err := loadSalt(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return salt, err
	}
	var fresh [SaltSize]byte
	random(fresh[:])
	text := "# stagecache salt: no secret, but a passphrase opens the cache only together with it\n" + textLine(saltKind, &fresh) + "\n"
	err = createFile(do, path, []byte(text))
	if errors.Is(err, fs.ErrExist) {
		return loadSalt(path) // another process was first, and its salt is the one that counts
	}
	if err != nil {
		return nil, fmt.Errorf("salt file %s: %w", path, err)
	}
	return fresh[:], nil
}

func loadSalt(path string) ([]byte, error) {
	data, info, err := readSmall(path, maxKeyText)
	switch {
	case err != nil:
		return nil, fmt.Errorf("salt file: %w", err)
	case !info.Mode().IsRegular():
		return nil, failf(fs.ErrInvalid, "salt file %s is not a regular file (%s)", path, info.Mode().Type())
	case data == nil || len(data) > maxKeyText:
		return nil, damagedf("salt file "+path, "it is larger than %d KiB", maxKeyText>>10)
	}
	salt, err := parseText(saltKind, string(data))
	var format *KeyFormatError
	if errors.As(err, &format) {
		return nil, damagedf("salt file "+path, "%v: put back a copy, or remove it to begin with an empty cache", format)
	}
	if err != nil {
		return nil, fmt.Errorf("salt file %s: %w", path, err)
	}
	return salt[:], nil
}
