package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/audit"
)

// RotateResult says which stages are wrapped with the present root key.
type RotateResult struct {
	KeyID  string         `json:"key_id"` // of the present root key
	Stages []RotatedStage `json:"stages"` // all on the disk, also those that are not configured, sorted by name
}

// RotatedStage is what became of one stage.
type RotatedStage struct {
	Stage string `json:"stage"`
	// State is "rewrapped", "unchanged" (it was wrapped with the present key already), "clear" (its keys are not wrapped at all) or
	// "unreadable" (Problem says why; no key opens it any more).
	State   string `json:"state"`
	From    string `json:"from,omitempty"` // id of the root key that it was wrapped with
	Problem string `json:"problem,omitempty"`
}

// States of a RotatedStage.
const (
	Rewrapped      = "rewrapped"
	WrapUnchanged  = "unchanged"
	WrapNone       = "clear"
	WrapUnreadable = "unreadable"
)

// Rewrap wraps every stage on the disk with k.Root. The function open gives the store of a stage that is open in this process, nil
// where it is not. Nothing is changed unless the keys open every stage. An error in the middle leaves some stages under the old
// key and some under the new one, which whoever has both can open; asking again does the rest.
func Rewrap(dataDir string, k Keys, open func(stage string) *engine.Store) (RotateResult, error) {
	if k.Root == nil {
		return RotateResult{}, badRequest("cachectl key generate --out root.key", "no root key is configured")
	}
	r := RotateResult{KeyID: k.Root.ID().String(), Stages: []RotatedStage{}}
	names, err := StageDirs(dataDir)
	if err != nil {
		return r, err
	}
	for _, check := range []bool{true, false} {
		r.Stages = r.Stages[:0]
		for _, name := range names {
			st, known, err := rewrapStage(dataDir, name, k, open(name), check)
			if err != nil {
				return r, rewrapError(name, check, err)
			}
			if known {
				r.Stages = append(r.Stages, st)
			}
		}
	}
	return r, nil
}

// rewrapStage wraps one stage, or only looks whether that can be done. It reports false for a directory that never held a store.
func rewrapStage(dataDir, name string, k Keys, store *engine.Store, check bool) (st RotatedStage, known bool, err error) {
	var w engine.Rewrapped
	if store != nil && !check {
		w, err = store.Rewrap(k.Root)
	} else {
		w, err = engine.Rewrap(StageDir(dataDir, name), engine.RewrapOptions{Name: name, Key: k.Root, OldKeys: k.Old, Check: check})
	}
	st = RotatedStage{Stage: name, State: WrapUnchanged}
	var plain *crypto.PlainKeyError
	var other *crypto.StageNameError
	switch {
	case err == nil:
		if w.Changed {
			st.State, st.From = Rewrapped, w.From.String()
		}
	case errors.Is(err, fs.ErrNotExist):
		return st, false, nil
	case errors.As(err, &plain):
		st.State = WrapNone
	case errors.Is(err, crypto.ErrDamaged) || errors.Is(err, crypto.ErrFormatNewer) || errors.As(err, &other):
		st.State, st.Problem = WrapUnreadable, err.Error()
	default:
		return st, false, err
	}
	return st, true, nil
}

func rewrapError(stage string, check bool, err error) error {
	var wrong *crypto.WrongKeyError
	switch {
	case errors.As(err, &wrong):
		return &Error{
			Status:   http.StatusConflict,
			Message:  fmt.Sprintf("stage %s is wrapped with root key %s, which is none of those in the configuration", stage, wrong.Want),
			HintText: "nothing was changed; list the file of that key under encryption.old_key_files",
			Err:      err,
		}
	case check:
		return stageError(stage, err)
	}
	return &Error{
		Status:   http.StatusInternalServerError,
		Message:  fmt.Sprintf("stage %s could not be wrapped: %v", stage, err),
		HintText: "keep the old keys configured, and try again: that does the rest",
		Err:      err,
	}
}

// RotateKeys implements Service.
func (l *Local) RotateKeys(ctx context.Context) (r RotateResult, err error) {
	defer func() {
		what := ""
		if r.KeyID != "" {
			what = "root key " + r.KeyID
		}
		l.Audit.Write(ctx, audit.Record{Action: audit.Rotate, What: what, Error: audit.Text(err)})
	}()
	if l.Rotate == nil {
		return r, conflict("", "keys cannot be rotated here")
	}
	return l.Rotate(ctx)
}

// RotateKeys implements Service.
func (c *Client) RotateKeys(ctx context.Context) (r RotateResult, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/keys/rotate", nil, &r)
	return r, err
}

func (h *handler) rotate(r *http.Request) (any, error) {
	if r.ContentLength > 0 {
		return nil, badRequest("the keys are those of the gateway's configuration", "rotating keys takes no body")
	}
	return h.svc.RotateKeys(r.Context())
}
