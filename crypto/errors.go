package crypto

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of key files and passphrases. All of them stop a start; nothing on the disk has been touched.
var (
	// ErrKeyFileMode: others than the owner can read or write the key file. The message names the chmod to run.
	ErrKeyFileMode = errors.New("key file is open to other users")
	// ErrNotFIPS: the operation needs an algorithm that FIPS 140-only mode forbids. The message says what to use instead.
	ErrNotFIPS = errors.New("not allowed in FIPS 140-only mode")
	// ErrPassphrase: the passphrase is too short, or the salt has the wrong size.
	ErrPassphrase = errors.New("unusable passphrase")
	// ErrNoKeyMaterial: a RootKey or StageKey that no constructor of this package made.
	ErrNoKeyMaterial = errors.New("key is empty")
)

// Errors of stored data.
var (
	// ErrFormatNewer: a later release wrote this. Stop, and touch nothing.
	ErrFormatNewer = errors.New("format is newer than this release understands")
	// ErrDamaged: the bytes are not what was written, and no key will help.
	ErrDamaged = errors.New("damaged")
	// ErrCommitment: the segment's header does not belong to the key it names; the segment is damaged.
	ErrCommitment = errors.New("segment header does not match its key: damaged")
	// ErrEpoch: the segment was sealed under an epoch this stage key no longer (or not yet) holds.
	ErrEpoch = errors.New("unknown key epoch")
	// ErrAuth: the record or its associated data is not what was sealed.
	ErrAuth = errors.New("record does not authenticate")
)

// Errors of writing.
var (
	// ErrSealLimit: the segment has had MaxSeals records; begin another one.
	ErrSealLimit = errors.New("segment key has sealed as many records as it may")
	// ErrTooLarge: a record, a stage's name or a number of epochs that the format cannot hold.
	ErrTooLarge = errors.New("too large")
)

// KeyFormatError is a key text that cannot be read. It never repeats what the text says.
type KeyFormatError struct {
	Line   int // from 1; 0: the text as a whole
	Reason string
}

func (e *KeyFormatError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

// WrongKeyError is an intact stage-key file that none of the given root keys made.
type WrongKeyError struct {
	Have []KeyID // the keys that were tried; none if no key was given
	Want KeyID   // the key that made the file
}

func (e *WrongKeyError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("the stage key is wrapped with root key %s, and no root key is given", e.Want)
	}
	have := make([]string, len(e.Have))
	for i, id := range e.Have {
		have[i] = id.String()
	}
	return fmt.Sprintf("the stage key is wrapped with root key %s, not with %s: give back the old key, if need be as one of encryption.old_key_files",
		e.Want, strings.Join(have, " or "))
}

// PlainKeyError is a stage-key file in the clear where root keys were given. It must not be used as if it had been
// protected: whoever can write to the disk can make one.
type PlainKeyError struct{ Stage string }

func (e *PlainKeyError) Error() string {
	return fmt.Sprintf("the stage key of %q is stored in the clear, but a root key is given: the store was made without encryption", e.Stage)
}

// StageNameError is a stage-key file that was made for another stage.
type StageNameError struct {
	File  string // the stage named in the file
	Asked string // the stage it was opened for
}

func (e *StageNameError) Error() string {
	return fmt.Sprintf("the stage key belongs to stage %q, not to %q", e.File, e.Asked)
}

// GenerationError is a segment of another generation: what a flush left behind, or a file that was put there.
type GenerationError struct {
	Segment Generation
	Store   Generation
}

func (e *GenerationError) Error() string {
	return fmt.Sprintf("the segment is of generation %s, the store is at %s", e.Segment, e.Store)
}

// kindError reads as its text alone and unwraps to its kind: a whole sentence for people, a sentinel for errors.Is.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

func failf(kind error, format string, args ...any) error {
	return &kindError{fmt.Sprintf(format, args...), kind}
}

func damagedf(what, format string, args ...any) error {
	return &kindError{what + " is damaged: " + fmt.Sprintf(format, args...), ErrDamaged}
}
