package control

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The gateway repeats the last progress line while there is no new one, so that silence means that it is gone.
const (
	progressEvery  = time.Second
	silenceTimeout = 20 * time.Second
)

// progressLine is one line of the stream: progress, or the error that ended it.
type progressLine struct {
	CompactProgress
	errorBody
	Status int `json:"status,omitempty"`
}

// Compact implements Service.
func (c *Client) Compact(ctx context.Context, stage string, progress func(CompactProgress)) (CompactProgress, error) {
	var last CompactProgress
	path, err := stagePath(stage)
	if err != nil {
		return last, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := &UnreachableError{Message: fmt.Sprintf("the gateway at %s stopped answering", c.place), HintText: "see its log"}
	watchdog := time.AfterFunc(silenceTimeout, func() { cancel(silence) })
	defer watchdog.Stop()

	resp, err := c.send(ctx, http.MethodPost, path+"/compact", nil)
	if err != nil {
		return last, cause(ctx, silence, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return last, cause(ctx, silence, c.unreachable(err))
		}
		return last, apiError(resp.StatusCode, b)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		watchdog.Reset(silenceTimeout)
		var l progressLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return last, fmt.Errorf("the answer of the gateway at %s is not what was expected: %w", c.place, err)
		}
		if l.Message != "" {
			return last, &Error{Status: l.Status, Message: l.Message, HintText: l.Hint}
		}
		last = l.CompactProgress
		if last.Done {
			return last, nil
		}
		if progress != nil {
			progress(last)
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return last, cause(ctx, silence, c.unreachable(err))
}

// cause prefers the watchdog's word to the cancellation that it brought about.
func cause(ctx context.Context, watchdog *UnreachableError, err error) error {
	if context.Cause(ctx) == error(watchdog) {
		return watchdog
	}
	return err
}
