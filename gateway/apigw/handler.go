package apigw

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/gateway/config"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// control is a control plane.
type control struct {
	o     Options
	begun time.Time

	mu    sync.Mutex            // held through whatever changes something
	notes atomic.Pointer[notes] // never changed in place; replaced under mu, read by anybody
}

// New makes the handler of a control plane. Mount it on all of Patterns.
func New(o Options) (http.Handler, error) {
	if o.Stages == nil {
		return nil, errors.New("a control plane needs stages")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notes == nil {
		o.Notes = forgetful{}
	}
	n, err := readNotes(o.Notes, o.Logger)
	if err != nil {
		return nil, err
	}
	c := &control{o: o, begun: o.Now()}
	c.notes.Store(n)
	return c, nil
}

// forgetful keeps nothing.
type forgetful struct{}

func (forgetful) Load() ([]byte, error) { return nil, nil }
func (forgetful) Save([]byte) error     { return nil }
func (forgetful) SetAside() (string, error) {
	return "", nil
}

// ServeHTTP implements http.Handler.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", requestID())
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			c.o.Logger.Error("panic in the control plane", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			(&Error{http.StatusInternalServerError, "InternalServerErrorException", "internal error; see the gateway's log"}).write(w)
		}
	}()
	status, v, err := c.serve(w, r)
	switch {
	case err != nil:
		if err.Status >= 500 {
			c.o.Logger.Error("control plane request failed", "method", r.Method, "path", r.URL.Path, "error", err.Message)
		}
		err.write(w)
	case v == nil:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, v)
	}
}

// requestID has the form of API Gateway's: a random UUID.
func requestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, by its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (c *control) serve(w http.ResponseWriter, r *http.Request) (int, any, *Error) {
	parts, ok := splitPath(r.URL.EscapedPath())
	var op operation
	if ok {
		op, ok = lookup(r.Method, parts)
	}
	if !ok {
		return 0, nil, &Error{http.StatusNotFound, "UnknownOperationException", "The gateway's control plane has no operation " + r.Method + " " + clip(r.URL.EscapedPath())}
	}
	if c.o.Authorize != nil {
		if err := c.o.Authorize(r, "apigateway:"+r.Method, arn(c.o.Stages.Config().IAM.Region, parts)); err != nil {
			return 0, nil, &Error{http.StatusForbidden, "AccessDeniedException", err.Error()}
		}
	}
	switch {
	case op.absent != "":
		return 0, nil, badRequest("%s are not supported here: of API Gateway, the gateway has stages and their caches", op.absent)
	case op.do == nil:
		return 0, nil, fromFile(op.what)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return 0, nil, &Error{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	case err != nil:
		return 0, nil, serialization("the body could not be read")
	}
	v, bad := op.do(&call{c: c, r: r, parts: parts, query: r.URL.Query(), body: body})
	return op.status, v, bad
}

// api checks that a request is about the one API there is.
func (c *call) api() (*config.Config, *Error) {
	cfg := c.c.o.Stages.Config()
	if id := c.part(1); id != cfg.API.ID {
		return nil, notFound(fmt.Sprintf("Invalid API identifier specified %s:%s", cfg.IAM.Account, id))
	}
	return cfg, nil
}

func (c *call) stage() (*config.Config, *config.Stage, *Error) {
	cfg, err := c.api()
	if err != nil {
		return nil, nil, err
	}
	if s := findStage(cfg, c.part(3)); s != nil {
		return cfg, s, nil
	}
	return nil, nil, notFound("Invalid stage identifier specified")
}

func findStage(cfg *config.Config, name string) *config.Stage {
	for _, s := range cfg.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// origin is since when the file's stages are as they are: API Gateway's createdDate.
func (c *control) origin(cfg *config.Config) time.Time {
	if fi, err := os.Stat(cfg.File); err == nil && fi.ModTime().Before(c.begun) {
		return fi.ModTime()
	}
	return c.begun
}

func (c *control) record(ctx context.Context, stage, what string) {
	if c.o.Record != nil {
		c.o.Record(ctx, stage, what)
	}
}

// keep puts changed notes in force, once they are stored. The caller holds mu.
func (c *control) keep(n *notes) *Error {
	b, err := marshalNotes(n)
	if err == nil {
		err = c.o.Notes.Save(b)
	}
	if err != nil {
		return &Error{http.StatusInternalServerError, "InternalServerErrorException", "the change could not be stored: " + err.Error()}
	}
	c.notes.Store(n)
	return nil
}

// failed says why the gateway did not do what it was asked. What it refuses is the client's fault in API Gateway's terms: a
// value that does not go with the rest of the configuration. That a disk is full is not.
func failed(err error) *Error {
	var file *fs.PathError
	var rename *os.LinkError
	if errors.As(err, &file) || errors.As(err, &rename) {
		return &Error{http.StatusInternalServerError, "InternalServerErrorException", "the change could not be stored: " + err.Error()}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{http.StatusServiceUnavailable, "ServiceUnavailableException", "the gateway did not get to it in time"}
	}
	return badRequest("%s", strings.TrimSpace(err.Error()))
}
