package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"stagecache/gateway/config"
)

func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) && e.Status >= 400 {
		return e.Status
	}
	return http.StatusInternalServerError
}

func bodyOf(err error) errorBody {
	b := errorBody{Message: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		b.Hint = hinted.Hint()
	}
	var list config.Errors
	if errors.As(err, &list) {
		for _, e := range list {
			b.Errors = append(b.Errors, fileError(e))
		}
	}
	return b
}

func writeError(w http.ResponseWriter, err error) { writeJSON(w, statusOf(err), bodyOf(err)) }

func writeNotAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	writeError(w, &Error{Status: http.StatusMethodNotAllowed, Message: r.URL.Path + " takes " + allowed + ", not " + r.Method})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written as JSON"}`)
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWriting))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
