package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const contentType = "application/json; charset=utf-8"

// cacheable says how an answer from the catalogue may be kept.
type cacheable struct {
	modified time.Time
	maxAge   time.Duration
	tags     []string
}

// encode gives v as JSON. Everything that is encoded here is made of plain structs, so that an error can only be a
// mistake in this package; it is reported as one.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

// answer sends v with validators, so that conditional and range requests work as RFC 9110 has it.
func answer(w http.ResponseWriter, r *http.Request, v any, c cacheable) {
	body, err := encode(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "%v", err)
		return
	}
	sum := sha256.Sum256(body)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("ETag", fmt.Sprintf(`"%x"`, sum[:12]))
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(c.maxAge.Seconds())))
	if len(c.tags) > 0 {
		h.Set("Cache-Tag", strings.Join(c.tags, ","))
	}
	http.ServeContent(w, r, "", c.modified, bytes.NewReader(body))
}

// answerPrivate sends what no shared cache may keep; the caller has set Cache-Control.
func answerPrivate(w http.ResponseWriter, status int, v any) {
	body, err := encode(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "%v", err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away is no concern of ours
}

// fail answers with an error. Whether a missing page may be remembered is left to the cache in front (negative_ttl);
// every other error forbids it.
func fail(w http.ResponseWriter, status int, format string, args ...any) {
	name := strings.ToLower(http.StatusText(status))
	if name == "" {
		name = fmt.Sprintf("status %d", status)
	}
	body, err := encode(map[string]any{"error": name, "status": status, "message": fmt.Sprintf(format, args...)})
	if err != nil {
		body = []byte(`{"error":"internal server error"}`)
	}
	if status != http.StatusNotFound && status != http.StatusGone {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// gaveUp answers a request whose context ended. Usually nobody reads it; it keeps an interrupted request from looking
// like an empty success.
func gaveUp(w http.ResponseWriter, err error) {
	fail(w, http.StatusServiceUnavailable, "the request was cancelled: %v", err)
}
