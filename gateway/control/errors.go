package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"stagecache/gateway/config"
)

// Error is a request that was refused. Its status is the one that the admin API answers with.
type Error struct {
	Status   int
	Message  string
	HintText string // what to do about it; may be empty
	Err      error  // what the message is made of; may be nil
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do about it; may be empty.
func (e *Error) Hint() string { return e.HintText }

// UnreachableError says that the data directory is in use and that nobody answers for it, or that no gateway runs where only one
// could answer.
type UnreachableError struct {
	Message  string
	HintText string
	Err      error // may be nil
}

func (e *UnreachableError) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint is what to do about it; may be empty.
func (e *UnreachableError) Hint() string { return e.HintText }

// IsUnreachable tells whether err means that nobody answered.
func IsUnreachable(err error) bool {
	var u *UnreachableError
	return errors.As(err, &u)
}

func badRequest(hint, format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), HintText: hint}
}

func conflict(hint, format string, args ...any) error {
	return &Error{Status: http.StatusConflict, Message: fmt.Sprintf(format, args...), HintText: hint}
}

// unusable is a store that a command would have to begin anew, which only a flush and a gateway's start may do.
func unusable(stage string, err error) error {
	return &Error{
		Status:   http.StatusInternalServerError,
		Message:  err.Error(),
		HintText: fmt.Sprintf("nothing was changed; cachectl verify says what is damaged; cachectl flush --stage %s begins anew, and so does a gateway that starts", stage),
		Err:      err,
	}
}

// noStage is the answer for a name that the configuration does not have.
func noStage(cfg *config.Config, name string) error {
	names := make([]string, len(cfg.Stages))
	for i, s := range cfg.Stages {
		names[i] = s.Name
	}
	hint := "the stages are: " + strings.Join(names, ", ")
	if len(names) == 0 {
		hint = "the configuration has no stages"
	}
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no stage %q", name), HintText: hint}
}
