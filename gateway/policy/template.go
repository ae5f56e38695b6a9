package policy

import (
	"fmt"
	"strings"
)

// A Param is what a variable segment of a template matched. The value is as it
// stood in the path: still percent-encoded.
type Param struct{ Name, Value string }

// A Template is a resource path in the style of API Gateway: literal segments,
// {name} for exactly one segment that is not empty, and {name+} as the last
// segment for all the rest. The zero value is of no use: see ParseTemplate.
type Template struct {
	text   string
	segs   []segment
	params int
}

type segmentKind uint8

const (
	literal segmentKind = iota
	variable
	greedy
)

type segment struct {
	kind segmentKind
	text string // literal: decoded text; else the parameter's name
}

// ParseTemplate reads a route template: "/", "/products/{id}", "/{proxy+}",
// "/a/{proxy+}". Literal segments may be percent-encoded; they are compared
// decoded, so that no spelling of a path dodges the settings of its route.
//
// The grammar is that of API Gateway's resources ("Set up a proxy integration
// with a proxy resource": the greedy variable is the last segment; names are
// made of letters, digits and ._$-), but literal segments may hold whatever a
// path may. The error says which segment is wrong and why.
func ParseTemplate(s string) (*Template, error) {
	t := &Template{text: s}
	if s == "" || s[0] != '/' {
		return nil, fmt.Errorf("template %q: must begin with \"/\"", s)
	}
	if s == "/" {
		return t, nil
	}
	if strings.HasSuffix(s, "/") {
		return nil, fmt.Errorf("template %q: ends in \"/\": write %q, which matches the path with and without it", s, strings.TrimRight(s, "/"))
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		seg, err := parseSegment(part)
		if err == nil && seg.kind == greedy && i != len(parts)-1 {
			err = fmt.Errorf("a {name+} segment matches all the rest and must be the last one")
		}
		if err == nil && seg.kind != literal && t.has(seg.text) {
			err = fmt.Errorf("the name %q is used twice", seg.text)
		}
		if err != nil {
			return nil, fmt.Errorf("template %q: segment %d %q: %w", s, i+1, part, err)
		}
		if seg.kind != literal {
			t.params++
		}
		t.segs = append(t.segs, seg)
	}
	return t, nil
}

func parseSegment(s string) (segment, error) {
	switch {
	case s == "":
		return segment{}, fmt.Errorf("is empty")
	case decoded(s, false) == "." || decoded(s, false) == "..":
		return segment{}, fmt.Errorf("a dot segment never reaches a route")
	case s[0] != '{':
		return parseLiteral(s)
	case s[len(s)-1] != '}':
		return segment{}, fmt.Errorf("a variable takes the whole segment: want {name} or {name+}")
	}
	seg := segment{kind: variable, text: s[1 : len(s)-1]}
	if name, ok := strings.CutSuffix(seg.text, "+"); ok {
		seg = segment{kind: greedy, text: name}
	}
	if seg.text == "" {
		return segment{}, fmt.Errorf("the variable has no name")
	}
	if !isParamName(seg.text) {
		return segment{}, fmt.Errorf("a variable's name is made of letters, digits and ._$-")
	}
	return seg, nil
}

func parseLiteral(s string) (segment, error) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '{' || c == '}':
			return segment{}, fmt.Errorf("a variable takes the whole segment: want {name} or {name+}")
		case c == '*':
			return segment{}, fmt.Errorf("\"*\" is no wildcard here: write {name} for one segment or {proxy+} for all the rest")
		case c == '%':
			d, ok := escapeAt(s, i)
			if !ok {
				return segment{}, fmt.Errorf("\"%%\" must be followed by two hexadecimal digits")
			}
			if isControl(d) || d == '\\' {
				return segment{}, fmt.Errorf("%s never reaches a route", s[i:i+3])
			}
		case c <= ' ' || c == 0x7f || strings.IndexByte("?#\\\"<>^`|", c) >= 0:
			return segment{}, fmt.Errorf("holds %q, which a path cannot", string(rune(c)))
		}
	}
	return segment{kind: literal, text: decoded(s, false)}, nil
}

// isParamName reports whether s is a name that API Gateway takes for a
// parameter.
func isParamName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("._$-", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

func (t *Template) has(name string) bool {
	for _, s := range t.segs {
		if s.kind != literal && s.text == name {
			return true
		}
	}
	return false
}

// String returns the template as it was written.
func (t *Template) String() string { return t.text }

// Params returns the names of the template's variables, from left to right.
func (t *Template) Params() []string {
	var names []string
	for _, s := range t.segs {
		if s.kind != literal {
			names = append(names, s.text)
		}
	}
	return names
}

// Match reports whether a path fits the template, and what its variables
// stand for. The path is the part below the stage's base path, still escaped;
// it must begin with "/".
//
// One trailing "/" is ignored, as API Gateway ignores it: /pets/ and /pets are
// one resource, and proxy is "a" for both /a and /a/. A variable never matches
// an empty segment; {proxy+} needs at least one segment that is not empty, so
// it does not match the root.
func (t *Template) Match(escapedPath string) ([]Param, bool) {
	rest, ok := enter(escapedPath)
	if !ok || !t.fits(rest) {
		return nil, false
	}
	return t.values(rest), true
}

// enter turns a path into the form that segments are cut off: "" is the end,
// "/..." has one more segment.
func enter(path string) (rest string, ok bool) {
	if path == "" || path[0] != '/' {
		return "", false
	}
	return strings.TrimSuffix(path, "/"), true
}

// cutSegment cuts one segment off rest, which begins with "/".
func cutSegment(rest string) (seg, tail string) {
	rest = rest[1:]
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// fillsGreedy reports whether rest is something that {name+} takes: it has a
// segment that is not empty.
func fillsGreedy(rest string) bool { return strings.Trim(rest, "/") != "" }

func (t *Template) fits(rest string) bool {
	for _, want := range t.segs {
		if rest == "" {
			return false
		}
		if want.kind == greedy {
			return fillsGreedy(rest)
		}
		seg, tail := cutSegment(rest)
		if want.kind == variable && seg == "" {
			return false
		}
		if want.kind == literal && !sameText(seg, want.text, false) {
			return false
		}
		rest = tail
	}
	return rest == ""
}

// values collects the parameters of a path that fits.
func (t *Template) values(rest string) []Param {
	if t.params == 0 {
		return nil
	}
	params := make([]Param, 0, t.params)
	for _, want := range t.segs {
		if want.kind == greedy {
			return append(params, Param{want.text, rest[1:]})
		}
		var seg string
		seg, rest = cutSegment(rest)
		if want.kind == variable {
			params = append(params, Param{want.text, seg})
		}
	}
	return params
}

// sameText reports whether s, decoded once, is want. It allocates nothing.
func sameText(s, want string, plus bool) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if d, ok := escapeAt(s, i); ok {
			c = d
			i += 2
		} else if plus && c == '+' {
			c = ' '
		}
		if n == len(want) || want[n] != c {
			return false
		}
		n++
	}
	return n == len(want)
}
