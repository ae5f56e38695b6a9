package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Limits of one policy: AWS allows 6,144 characters for a managed one.
const (
	maxText       = 64 << 10
	maxNodes      = 10_000
	maxDepth      = 10
	maxStatements = 256
)

// Error is what is wrong with a policy, and where.
type Error struct {
	Line    int    // in the text that the policy was read from; 0: not known
	Element string // "Statement[1].Condition.IpAddress"; empty for the policy as a whole
	Message string
}

func (e *Error) Error() string {
	s := e.Message
	if e.Element != "" {
		s = e.Element + ": " + s
	}
	if e.Line > 0 {
		s = fmt.Sprintf("line %d: %s", e.Line, s)
	}
	return s
}

// kind is what a node of the text is.
type kind int

const (
	text kind = iota // a string, a number or a boolean
	list
	object
)

func (k kind) String() string { return [...]string{"text", "a list", "an object"}[k] }

// tree is a policy's text, whichever way it was written.
type tree struct {
	line  int
	kind  kind
	text  string
	items []*tree // of a list
	names []member
}

type member struct {
	name  string
	line  int
	value *tree
}

// ParseNode reads a policy that stands in a YAML document; its errors have that document's lines.
func ParseNode(n *yaml.Node) (*Policy, error) {
	if n.Kind == yaml.ScalarNode {
		p, err := Parse([]byte(n.Value))
		// A block begins on the line after its key's; a text in quotes on that very line, and where its lines end nobody knows.
		inFile := func(line int) int {
			if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
				return n.Line
			}
			return n.Line + line
		}
		var e *Error
		if errors.As(err, &e) {
			e.Line = inFile(e.Line)
		}
		if p != nil {
			for i := range p.Statements {
				p.Statements[i].Line = inFile(p.Statements[i].Line)
			}
		}
		return p, err
	}
	r := &yamlReader{}
	t, err := r.node(n, 0)
	if err != nil {
		return nil, err
	}
	return build(t)
}

// Parse reads a policy as JSON, or as YAML if it does not begin with a brace. Its error is an *Error.
func Parse(data []byte) (*Policy, error) {
	if len(data) > maxText {
		return nil, &Error{Message: fmt.Sprintf("the policy is larger than %d bytes", maxText)}
	}
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return nil, &Error{Line: 1, Message: "the policy is empty"}
	case trimmed[0] == '{' || trimmed[0] == '[':
		t, err := parseJSON(data)
		if err != nil {
			return nil, err
		}
		return build(t)
	}
	n, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	if n.Kind == yaml.ScalarNode {
		return nil, &Error{Line: n.Line, Message: "the policy must be an object"}
	}
	return ParseNode(n)
}

// parseYAML runs the parser, which is not ours, under recover.
func parseYAML(data []byte) (n *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Message: fmt.Sprintf("the YAML parser failed: %v", p)}
		}
	}()
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); err != nil {
		return nil, &Error{Message: "not valid YAML: " + clip(err.Error())}
	}
	if len(doc.Content) != 1 {
		return nil, &Error{Line: 1, Message: "the policy is empty"}
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Error{Message: "there is more after the policy"}
	}
	return doc.Content[0], nil
}

type yamlReader struct{ seen int }

func (r *yamlReader) node(n *yaml.Node, depth int) (*tree, error) {
	if r.seen++; r.seen > maxNodes || depth > maxDepth {
		return nil, &Error{Line: n.Line, Message: "the policy is nested too deeply, or too large"}
	}
	t := &tree{line: n.Line}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return nil, &Error{Line: n.Line, Message: "an empty value"}
		}
		t.text = n.Value
	case yaml.SequenceNode:
		t.kind = list
		for _, c := range n.Content {
			item, err := r.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, item)
		}
	case yaml.MappingNode:
		t.kind = object
		for i := 0; i+1 < len(n.Content); i += 2 {
			value, err := r.node(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if err := t.add(n.Content[i].Value, n.Content[i].Line, value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, &Error{Line: n.Line, Message: "aliases are not supported in a policy: write the values out"}
	}
	return t, nil
}

func (t *tree) add(name string, line int, value *tree) error {
	if t.get(name) != nil {
		return &Error{Line: line, Message: fmt.Sprintf("%q is there twice", clip(name))}
	}
	t.names = append(t.names, member{name, line, value})
	return nil
}

func (t *tree) get(name string) *tree {
	for _, m := range t.names {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// parseJSON reads tokens, because a decoder into values would take the last of two equal names and say nothing.
func parseJSON(data []byte) (*tree, error) {
	r := &jsonReader{data: data, d: json.NewDecoder(bytes.NewReader(data))}
	r.d.UseNumber()
	t, err := r.value(0)
	if err == nil {
		if _, end := r.d.Token(); !errors.Is(end, io.EOF) {
			err = &Error{Line: r.line(), Message: "there is more after the policy"}
		}
	}
	var e *Error
	if err != nil && !errors.As(err, &e) {
		message := err.Error()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			message = "it ends in the middle"
		}
		err = &Error{Line: r.line(), Message: "not valid JSON: " + clip(message)}
	}
	return t, err
}

type jsonReader struct {
	data []byte
	d    *json.Decoder
	seen int
}

// line is that of the token before.
func (r *jsonReader) line() int {
	return 1 + bytes.Count(r.data[:min(int(r.d.InputOffset()), len(r.data))], []byte("\n"))
}

func (r *jsonReader) value(depth int) (*tree, error) {
	token, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	return r.from(token, depth)
}

func (r *jsonReader) from(token json.Token, depth int) (*tree, error) {
	t := &tree{line: r.line()}
	if r.seen++; r.seen > maxNodes || depth > maxDepth {
		return nil, &Error{Line: t.line, Message: "the policy is nested too deeply, or too large"}
	}
	switch token := token.(type) {
	case string:
		t.text = token
	case json.Number:
		t.text = token.String()
	case bool:
		t.text = fmt.Sprint(token)
	case json.Delim:
		t.kind = list
		if token == '{' {
			t.kind = object
		}
		return t, r.inside(t, depth)
	default:
		return nil, &Error{Line: t.line, Message: "an empty value"}
	}
	return t, nil
}

// inside reads what a list or an object holds, and its end.
func (r *jsonReader) inside(t *tree, depth int) error {
	for r.d.More() {
		if t.kind == list {
			item, err := r.value(depth + 1)
			if err != nil {
				return err
			}
			t.items = append(t.items, item)
			continue
		}
		token, err := r.d.Token()
		if err != nil {
			return err
		}
		line := r.line()
		value, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder lets nothing else pass
		if err := t.add(name, line, value); err != nil {
			return err
		}
	}
	_, err := r.d.Token()
	return err
}

func clip(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
