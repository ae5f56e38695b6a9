package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// HandlerOptions are what the admin socket offers beside the Service.
type HandlerOptions struct {
	Ready   func() error                    // answers /readyz: why not yet, or not any more; nil: always ready
	Metrics http.Handler                    // answers GET /metrics; nil: 404
	Reload  func(ctx context.Context) error // answers POST /v1/reload, and logs what came of it; nil: 404
	Logger  *slog.Logger                    // panics and failures; nil: none
}

const (
	maxBody       = 64 << 10         // of a request
	bodyTimeout   = 10 * time.Second // to send it
	answerWriting = 10 * time.Second // to read the answer, or one line of a stream
)

type errorBody struct {
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Errors are what is wrong with a configuration, each with its own hint.
	Errors []fileError `json:"errors,omitempty"`
}

// fileError is a config.Error, as config check --json shows it.
type fileError struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

type stageList struct {
	Stages []StageInfo `json:"stages"`
}

// Handler serves svc on the admin socket. It authenticates nobody: who can open the socket may administer.
//
//	GET    /healthz                 200 as long as the process answers
//	GET    /readyz                  200, or 503 until every index is loaded and while the gateway stops
//	GET    /metrics                 figures for Prometheus
//	GET    /v1/stats                statistics of all stages
//	GET    /v1/stages               the list of stages
//	GET    /v1/stages/{s}           settings of one
//	PATCH  /v1/stages/{s}           sets values at run time: a SetRequest as JSON
//	DELETE /v1/stages/{s}           removes an orphaned one
//	GET    /v1/stages/{s}/stats     statistics of one
//	POST   /v1/stages/{s}/explain   what would become of a request: an ExplainRequest as JSON
//	POST   /v1/stages/{s}/flush     empties it
//	POST   /v1/stages/{s}/purge     a PurgeRequest as JSON
//	POST   /v1/stages/{s}/compact   progress as lines of JSON until one has "done" or a "message"
//	POST   /v1/reload               reads the configuration again
//	POST   /v1/keys/rotate          wraps all stages with the root key that the configuration names now
//
// An error is {"message": ..., "hint": ...} with a fitting status.
func Handler(svc Service, o HandlerOptions) http.Handler {
	h := &handler{svc: svc, o: o}
	mux := http.NewServeMux()
	route := func(pattern string, by map[string]action) { mux.Handle(pattern, h.serve(by)) }
	route("/healthz", map[string]action{"GET": h.health})
	route("/readyz", map[string]action{"GET": h.ready})
	route("/v1/stats", map[string]action{"GET": h.allStats})
	route("/v1/stages", map[string]action{"GET": h.stages})
	route("/v1/stages/{s}", map[string]action{"GET": h.stage, "PATCH": h.set, "DELETE": h.remove})
	route("/v1/stages/{s}/stats", map[string]action{"GET": h.stats})
	route("/v1/stages/{s}/explain", map[string]action{"POST": h.explain})
	route("/v1/stages/{s}/flush", map[string]action{"POST": h.flush})
	route("/v1/stages/{s}/purge", map[string]action{"POST": h.purge})
	mux.HandleFunc("/v1/stages/{s}/compact", h.compact)
	route("/v1/keys/rotate", map[string]action{"POST": h.rotate})
	if o.Metrics != nil {
		mux.HandleFunc("/metrics", h.metrics)
	}
	if o.Reload != nil {
		route("/v1/reload", map[string]action{"POST": h.reload})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{Status: http.StatusNotFound, Message: "there is nothing at " + r.URL.Path})
	})
	return h.guard(mux)
}

type handler struct {
	svc Service
	o   HandlerOptions
}

// action answers with a value that is written as JSON.
type action func(r *http.Request) (any, error)

func (h *handler) serve(by map[string]action) http.HandlerFunc {
	var allowed []string
	for m := range by {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	return func(w http.ResponseWriter, r *http.Request) {
		do := by[r.Method]
		if do == nil && r.Method == http.MethodHead {
			do = by[http.MethodGet]
		}
		if do == nil {
			writeNotAllowed(w, r, strings.Join(allowed, ", "))
			return
		}
		v, err := do(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	}
}

// guard bounds the request and keeps a panic to the request that had it.
func (h *handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				h.log("panic in the admin API", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				writeError(w, errors.New("internal error; see the gateway's log"))
			}
		}()
		// A http.ServeMux would answer such a path by a redirect, in HTML.
		if p := r.URL.EscapedPath(); p != path.Clean(p) {
			writeError(w, &Error{Status: http.StatusNotFound, Message: "there is nothing at " + p})
			return
		}
		// Deadlines do not exist where tests record answers; a real connection has them.
		c := http.NewResponseController(w)
		c.SetReadDeadline(time.Now().Add(bodyTimeout))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				writeError(w, &Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", maxBody)})
				return
			}
			writeError(w, badRequest("", "reading the body: %v", err))
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		r.ContentLength = int64(len(body))
		// From here on a deadline would end the request's context while the work is still going on.
		c.SetReadDeadline(time.Time{})
		next.ServeHTTP(w, r)
	})
}

// fail answers with err, and logs what the request is not to blame for. "Not ready" is an answer like another: probes ask
// again and again.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if s := statusOf(err); s >= 500 && s != http.StatusServiceUnavailable {
		h.log("admin request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	writeError(w, err)
}

func (h *handler) log(msg string, args ...any) {
	if h.o.Logger != nil {
		h.o.Logger.Error(msg, args...)
	}
}

func (h *handler) health(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}

func (h *handler) ready(*http.Request) (any, error) {
	if h.o.Ready != nil {
		if err := h.o.Ready(); err != nil {
			return nil, &Error{Status: http.StatusServiceUnavailable, Message: err.Error(), Err: err}
		}
	}
	return map[string]string{"status": "ready"}, nil
}

func (h *handler) metrics(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeNotAllowed(w, r, http.MethodGet)
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWriting))
	h.o.Metrics.ServeHTTP(w, r)
}

func (h *handler) allStats(r *http.Request) (any, error) {
	list, err := h.svc.AllStats(r.Context())
	return StatsList{Stages: list}, err
}

func (h *handler) stats(r *http.Request) (any, error) {
	return h.svc.Stats(r.Context(), r.PathValue("s"))
}

func (h *handler) stages(r *http.Request) (any, error) {
	list, err := h.svc.Stages(r.Context())
	if list == nil {
		list = []StageInfo{}
	}
	return stageList{Stages: list}, err
}

func (h *handler) stage(r *http.Request) (any, error) {
	return h.svc.Stage(r.Context(), r.PathValue("s"))
}

func (h *handler) remove(r *http.Request) (any, error) {
	return h.svc.RemoveStage(r.Context(), r.PathValue("s"))
}

func (h *handler) flush(r *http.Request) (any, error) {
	// A purge that was sent to the wrong place must not empty the whole stage.
	if r.ContentLength > 0 {
		return nil, badRequest("POST .../purge takes a path, a tag or a request", "a flush takes no body: it empties the whole stage")
	}
	return h.svc.Flush(r.Context(), r.PathValue("s"))
}

func (h *handler) set(r *http.Request) (any, error) {
	var s SetRequest
	if err := decode(r, "the settings", `send {"set": {"ttl": "60s"}}, and "entry": "GET /products/{id}" for one entry`, &s); err != nil {
		return nil, err
	}
	return h.svc.SetStage(r.Context(), r.PathValue("s"), s)
}

// decode reads the one JSON object of a body.
func decode(r *http.Request, what, hint string, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badRequest(hint, "reading %s: %v", what, err)
	}
	if d.More() {
		return badRequest("send one object at a time", "there is more after %s", what)
	}
	return nil
}

func (h *handler) purge(r *http.Request) (any, error) {
	var p PurgeRequest
	if err := decode(r, "the purge", `send {"path": "/products/*"}, {"tag": "sale"} or {"request": "/search?q=tea"}, and "soft": true if you like`, &p); err != nil {
		return nil, err
	}
	return h.svc.Purge(r.Context(), r.PathValue("s"), p)
}

func (h *handler) reload(r *http.Request) (any, error) {
	if err := h.o.Reload(r.Context()); err != nil {
		hint := "the old configuration stays in force"
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) && hinted.Hint() != "" {
			hint = hinted.Hint() + "; " + hint
		}
		return nil, &Error{Status: http.StatusBadRequest, Message: err.Error(), HintText: hint, Err: err}
	}
	return map[string]string{"status": "reloaded"}, nil
}
