package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// node is one value of a document, with its line. A nil node is a value that is not there, so that paths can be walked without
// looking at every step.
type node struct {
	line   int
	kind   kind
	text   string   // of a scalar, as it is written
	names  []string // of a map, in the document's order
	fields map[string]*node
	items  []*node
}

type kind int

const (
	scalar kind = iota
	mapping
	sequence
)

func (n *node) get(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		n = n.fields[name]
	}
	return n
}

// str is a scalar's text; "" for all else.
func (n *node) str() string {
	if n == nil || n.kind != scalar {
		return ""
	}
	return n.text
}

func (n *node) at() int {
	if n == nil {
		return 0
	}
	return n.line
}

func (n *node) len() int {
	if n == nil {
		return 0
	}
	return len(n.names) + len(n.items)
}

// Limits of a document.
const (
	maxDocument = 32 << 20 // bytes
	maxDepth    = 200      // of maps and lists in each other
	maxNodes    = 2_000_000
)

var errDeep = fmt.Errorf("maps and lists are nested more than %d deep", maxDepth)

// parse reads a document. What begins with "{" is JSON, which a YAML parser does not always take: it may hold tabs, and escapes of
// its own.
func parse(data []byte) (*node, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("the document is larger than %d bytes", maxDocument)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if t := bytes.TrimLeft(data, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		p := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
		p.dec.UseNumber()
		n, err := p.value(0)
		if err != nil {
			return nil, fmt.Errorf("line %d: not valid JSON: %w", p.at(), err)
		}
		if _, err := p.dec.Token(); err != io.EOF {
			return nil, fmt.Errorf("line %d: not valid JSON: there is more after the document", p.at())
		}
		return n, nil
	}
	return parseYAML(data)
}

func parseYAML(data []byte) (n *node, err error) {
	defer func() {
		// The parser is not ours and its input is anyone's.
		if p := recover(); p != nil {
			n, err = nil, fmt.Errorf("not valid YAML: the parser failed: %v", p)
		}
	}()
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the document is empty")
		}
		return nil, fmt.Errorf("not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("the document is empty")
	}
	left := maxNodes
	return fromYAML(doc.Content[0], 0, &left)
}

// fromYAML copies a YAML node. An alias is copied where it stands, so the number of nodes is bounded: a few lines of aliases can
// mean millions.
func fromYAML(y *yaml.Node, depth int, left *int) (*node, error) {
	if *left--; *left < 0 {
		return nil, fmt.Errorf("the document has more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, errDeep
	}
	n := &node{line: y.Line}
	switch y.Kind {
	case yaml.AliasNode:
		return fromYAML(y.Alias, depth+1, left)
	case yaml.MappingNode:
		n.kind, n.fields = mapping, make(map[string]*node)
		for i := 0; i+1 < len(y.Content); i += 2 {
			v, err := fromYAML(y.Content[i+1], depth+1, left)
			if err != nil {
				return nil, err
			}
			n.put(y.Content[i].Value, v)
		}
	case yaml.SequenceNode:
		n.kind = sequence
		for _, c := range y.Content {
			v, err := fromYAML(c, depth+1, left)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, v)
		}
	default:
		n.text = y.Value
	}
	return n, nil
}

// put adds a field; of two with one name the last counts, as in most readers of JSON.
func (n *node) put(name string, v *node) {
	if _, twice := n.fields[name]; !twice {
		n.names = append(n.names, name)
	}
	n.fields[name] = v
}

// jsonReader reads JSON token by token, for the lines.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	line int
	last int // offset up to which lines were counted
}

// at is the line where the decoder is.
func (p *jsonReader) at() int {
	end := min(int(p.dec.InputOffset()), len(p.data))
	p.line += bytes.Count(p.data[p.last:end], []byte("\n"))
	p.last = end
	return p.line
}

func (p *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{line: p.at()}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			n.kind = sequence
			for p.dec.More() {
				v, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.items = append(n.items, v)
			}
		} else {
			n.kind, n.fields = mapping, make(map[string]*node)
			for p.dec.More() {
				name, err := p.dec.Token()
				if err != nil {
					return nil, err
				}
				v, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.put(name.(string), v) // the decoder takes nothing else for a name
			}
		}
		if _, err := p.dec.Token(); err != nil {
			return nil, err
		}
	case string:
		n.text = t
	case json.Number:
		n.text = t.String()
	case bool:
		n.text = fmt.Sprint(t)
	}
	return n, nil
}
