package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Any is the verb of an entry that takes every method.
const Any = "ANY"

// A Table finds the most specific entry for a method and a path. The zero
// value is an empty table. Add everything first: Lookup may be called from
// many goroutines at once, but not while Add runs.
type Table[T any] struct{ root node[T] }

// A node is one position in the tree of templates. A lookup visits each node
// at most once, however many variables the templates have: the depth of a node
// fixes which part of the path it sees.
type node[T any] struct {
	literals map[string]*node[T] // by decoded text
	variable *node[T]
	here     []entry[T] // templates that end here
	greedy   []entry[T] // templates whose {name+} begins here
}

type entry[T any] struct {
	verb  string
	tpl   *Template
	value T
}

// Add puts v under a verb ("GET", "POST", ... or Any) and a template. Two
// templates that match the same paths (/a/{x} and /a/{y}) are one place in the
// table: the same verb twice there is an error that names both.
func (t *Table[T]) Add(verb string, tpl *Template, v T) error {
	if tpl == nil {
		return errors.New("no template")
	}
	if !isToken(verb) {
		return fmt.Errorf("%q is not a method (template %q)", verb, tpl)
	}
	n := &t.root
	at := &n.here
	for _, seg := range tpl.segs {
		switch seg.kind {
		case greedy:
			at = &n.greedy // the last segment, by the grammar
			continue
		case variable:
			if n.variable == nil {
				n.variable = new(node[T])
			}
			n = n.variable
		case literal:
			if n.literals == nil {
				n.literals = make(map[string]*node[T])
			}
			next := n.literals[seg.text]
			if next == nil {
				next = new(node[T])
				n.literals[seg.text] = next
			}
			n = next
		}
		at = &n.here
	}
	for _, e := range *at {
		if e.verb == verb {
			return fmt.Errorf("\"%s %s\" matches the same requests as \"%s %s\"", verb, tpl, e.verb, e.tpl)
		}
	}
	*at = append(*at, entry[T]{verb, tpl, v})
	return nil
}

// Lookup finds the entry for a method and an escaped path (as in
// Template.Match). The most specific template comes first, decided segment by
// segment from the left: a literal before {name} before {name+} (API Gateway's
// order for a resource tree). Within one template the exact verb comes before
// Any. A template that has no entry for the verb is passed over.
//
// The method is compared as it is: a caller that answers HEAD from GET's entry
// asks for "GET". Lookup allocates only the parameters, and nothing where the
// template has none.
func (t *Table[T]) Lookup(verb, escapedPath string) (v T, tpl *Template, params []Param, ok bool) {
	if v, tpl, ok = t.Find(verb, escapedPath); ok {
		params, _ = tpl.Match(escapedPath)
	}
	return v, tpl, params, ok
}

// Find is Lookup without the parameters. It allocates nothing.
func (t *Table[T]) Find(verb, escapedPath string) (v T, tpl *Template, ok bool) {
	rest, ok := enter(escapedPath)
	if !ok {
		return v, nil, false
	}
	e := t.root.find(verb, rest)
	if e == nil {
		return v, nil, false
	}
	return e.value, e.tpl, true
}

func (n *node[T]) find(verb, rest string) *entry[T] {
	if rest == "" {
		return pick(n.here, verb)
	}
	seg, tail := cutSegment(rest)
	if next := n.literal(seg); next != nil {
		if e := next.find(verb, tail); e != nil {
			return e
		}
	}
	if n.variable != nil && seg != "" {
		if e := n.variable.find(verb, tail); e != nil {
			return e
		}
	}
	if len(n.greedy) > 0 && fillsGreedy(rest) {
		return pick(n.greedy, verb)
	}
	return nil
}

func (n *node[T]) literal(seg string) *node[T] {
	if n.literals == nil {
		return nil
	}
	if strings.IndexByte(seg, '%') < 0 {
		return n.literals[seg]
	}
	var room [128]byte // on the stack for the usual segment
	return n.literals[string(appendDecoded(room[:0], seg, false))]
}

func pick[T any](entries []entry[T], verb string) *entry[T] {
	var fallback *entry[T]
	for i := range entries {
		switch entries[i].verb {
		case verb:
			return &entries[i]
		case Any:
			fallback = &entries[i]
		}
	}
	return fallback
}
