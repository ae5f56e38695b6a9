package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"stagecache/crypto"
	"stagecache/internal/dirlock"
)

// usageError is a command line that makes no sense: exit code 2.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }
func (e *usageError) Hint() string  { return e.hint }

func usagef(hint, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: hint}
}

// reportedError ends a command whose output has already said what is wrong.
type reportedError struct{ text string }

func (e *reportedError) Error() string { return e.text }

// hintedError adds what to do to an error that does not know it.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }
func (e *hintedError) Hint() string  { return e.hint }

// hintOf is what to do about err, if anybody knows.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	var (
		wrong *crypto.WrongKeyError
		plain *crypto.PlainKeyError
		held  *dirlock.HeldError
	)
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("nothing was changed; configure the root key with id %s (encryption.key_file or old_key_files), or move the stage's directory away to begin anew", wrong.Want)
	case errors.As(err, &plain):
		return "nothing was changed; a gateway that starts with the root key removes what is stored in the clear, and begins anew"
	case errors.As(err, &held):
		return "stop that process, or give each gateway its own data_dir"
	case errors.Is(err, fs.ErrPermission):
		return "run it as the user that owns the files"
	}
	return ""
}
