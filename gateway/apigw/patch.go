package apigw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// patchOperation is one step of an UpdateStage.
type patchOperation struct {
	Op, Path, Value, From string
	hasValue              bool
}

var operations = []string{"add", "remove", "move", "test", "replace", "copy"}

// maxOperations bounds one request; clients send up to 80 at a time.
const maxOperations = 1000

// readPatch reads the body of an UpdateStage. Values are texts, whatever they mean.
func readPatch(body []byte) ([]patchOperation, *Error) {
	var in struct {
		PatchOperations []map[string]json.RawMessage `json:"patchOperations"`
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&in); err != nil {
		return nil, malformed(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, serialization("there is more after the JSON value")
	}
	if len(in.PatchOperations) > maxOperations {
		return nil, badRequest("Too many patch operations: %d, at most %d are taken at a time", len(in.PatchOperations), maxOperations)
	}
	var out []patchOperation
	for i, fields := range in.PatchOperations {
		var op patchOperation
		for name, to := range map[string]*string{"op": &op.Op, "path": &op.Path, "value": &op.Value, "from": &op.From} {
			raw, ok := fields[name]
			if !ok || string(raw) == "null" {
				continue
			}
			if err := text(raw, to); err != nil {
				return nil, err
			}
			op.hasValue = op.hasValue || name == "value"
		}
		if !slices.Contains(operations, op.Op) {
			return nil, &Error{400, "ValidationException", fmt.Sprintf(
				"1 validation error detected: Value '%s' at 'updateStageInput.patchOperations.%d.member.op' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
				op.Op, i+1, strings.Join(operations, ", "))}
		}
		out = append(out, op)
	}
	return out, nil
}

// noted are the operations that change nothing but notes, of which nobody else makes a record.
func noted(ops []patchOperation) (out []patchOperation) {
	for _, op := range ops {
		name, _, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
		if _, what, ok := methodPath(op.Path); ok && !strings.HasPrefix(what, "caching/") ||
			!ok && slices.Contains([]string{"description", "tracingEnabled", "variables", "accessLogSettings"}, name) {
			out = append(out, op)
		}
	}
	return out
}

// pathsOf is what operations are about, in a line.
func pathsOf(ops []patchOperation) string {
	var paths []string
	for _, op := range ops {
		paths = append(paths, op.Op+" "+clip(op.Path))
	}
	return strings.Join(paths, "; ")
}

func malformed(err error) *Error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return serialization("patchOperations is not a list of objects")
	}
	return serialization("the body is not valid JSON: " + err.Error())
}

func serialization(message string) *Error {
	return &Error{400, "SerializationException", message}
}

// text reads a JSON text, and says of anything else what API Gateway says.
func text(raw json.RawMessage, to *string) *Error {
	class := ""
	switch c := raw[0]; {
	case c == '"':
		if json.Unmarshal(raw, to) == nil {
			return nil
		}
		return serialization("the body is not valid JSON")
	case c == 't' || c == 'f':
		class = "Boolean"
	case c == '{':
		return serialization("Start of structure or map found where not expected.")
	case c == '[':
		return serialization("Start of list found where not expected")
	case bytes.ContainsAny(raw, ".eE"):
		class = "Double"
	default:
		class = "Integer"
	}
	return serialization("class java.lang." + class + " can not be converted to an String")
}
