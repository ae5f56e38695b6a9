package apigw

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Error is an answer of the control plane: API Gateway's type and text.
type Error struct {
	Status  int
	Type    string
	Message string
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

func badRequest(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "BadRequestException", fmt.Sprintf(format, args...)}
}

func notFound(message string) *Error {
	return &Error{http.StatusNotFound, "NotFoundException", message}
}

// fromFile refuses what would make or remove something that the configuration says.
func fromFile(what string) *Error {
	return badRequest("%s cannot be changed here: stages, routes and methods come from the gateway's configuration file. "+
		"Edit the file and reload (SIGHUP), or change a stage's cache settings with UpdateStage.", what)
}

// write answers with an error. AccessDeniedException has a capital M in API Gateway, all others a small one.
func (e *Error) write(w http.ResponseWriter) {
	name := "message"
	if e.Type == "AccessDeniedException" {
		name = "Message"
	}
	w.Header().Set("x-amzn-ErrorType", e.Type)
	writeJSON(w, e.Status, map[string]string{name: strings.ToValidUTF8(e.Message, "?")})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(b) // whoever asked may have left; nobody else wants to know
}
