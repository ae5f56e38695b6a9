package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"stagecache/internal/spelling"
)

// maxValues bounds how many values one file may stand for once its aliases are followed: a few nested lists of aliases
// ("billion laughs") stand for more than any memory holds. An honest file has a few thousand.
const maxValues = 200_000

// value is one value of the file, checked against its key: the tree of them is what the configuration is built from.
// A value that did not pass is kept with bad set, so that "missing" is not reported on top of "wrong".
// All methods work on a nil value, which stands for a key that is not there.
type value struct {
	line  int
	field string
	bad   bool
	text  string // scalars: as written
	flag  bool
	num   int64
	dur   time.Duration
	items []*value          // kindTexts and kindList
	names []string          // kindNamed: in the file's order
	keys  map[string]*value // kindMap by our names, kindNamed by the user's
	node  *yaml.Node        // kindFree: as it stands in the file
}

func (v *value) ok() bool { return v != nil && !v.bad }

func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	return v.keys[name]
}

// reader turns YAML nodes into values.
type reader struct {
	*problems
	seen int
}

// node reads one value. Aliases are followed; the schema bounds the depth, maxValues the breadth.
func (r *reader) node(n *yaml.Node, k *key, line int, field string) *value {
	v := &value{line: line, field: field, bad: true}
	if r.seen++; r.seen > maxValues {
		if r.seen == maxValues+1 {
			r.add(line, field, "write the values out, or use fewer aliases", "the file stands for more than %d values", maxValues)
		}
		return v
	}
	for hops := 0; n.Kind == yaml.AliasNode; hops++ {
		if n.Alias == nil || hops > 100 {
			r.add(line, field, "", "the alias leads nowhere")
			return v
		}
		n = n.Alias
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.add(line, field, "remove the tag", "the tag %s is not supported", quote(n.Tag))
		return v
	}
	empty := n.Kind == yaml.ScalarNode && n.Tag == "!!null"
	switch k.kind {
	case kindMap, kindNamed:
		switch {
		case n.Kind == yaml.MappingNode:
			r.mapping(n, k, v)
		case empty:
			v.bad = false // "cache:" with nothing under it
		default:
			r.add(line, field, r.mapHint(k, n), "must be a map, not %s", shape(n, k))
		}
	case kindTexts, kindList:
		switch {
		case n.Kind == yaml.SequenceNode:
			r.list(n, k, v)
		case empty:
			v.bad = false
		default:
			r.add(line, field, r.listHint(k, n), "must be a list, not %s", shape(n, k))
		}
	case kindFree:
		v.bad, v.node = n.Kind != yaml.MappingNode && n.Kind != yaml.ScalarNode, n
		if v.bad {
			r.add(line, field, "", "must be a map or text, not %s", shape(n, k))
		}
	default:
		r.scalar(n, k, v)
	}
	return v
}

func (r *reader) mapHint(k *key, n *yaml.Node) string {
	if k.kind == kindMap && n.Kind != yaml.MappingNode && len(k.keys) > 0 {
		return "its keys are " + strings.Join(k.names(), ", ")
	}
	return ""
}

func (r *reader) listHint(k *key, n *yaml.Node) string {
	if k.kind == kindTexts && n.Kind == yaml.ScalarNode && !k.hidden && n.Value != "" {
		return "write [" + shown(n.Value) + "]"
	}
	return ""
}

// shape says what stands where something else was wanted.
func shape(n *yaml.Node, k *key) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch {
	case n.Tag == "!!null":
		return "empty"
	case k.hidden:
		return "a single value"
	}
	return quote(n.Value)
}

func (r *reader) mapping(n *yaml.Node, k *key, v *value) {
	v.bad = false
	v.keys = make(map[string]*value, len(n.Content)/2)
	spelling := make(map[string]string) // our name -> as written
	for i := 0; i+1 < len(n.Content); i += 2 {
		kn, vn := n.Content[i], n.Content[i+1]
		if kn.Kind != yaml.ScalarNode {
			r.add(kn.Line, v.field, "", "a key must be plain text, not %s", shape(kn, k))
			continue
		}
		name, child, field := kn.Value, k, label(v.field, kn.Value)
		if k.kind == kindMap {
			if child = k.find(name); child == nil {
				r.unknown(kn, k, v.field)
				continue
			}
			name = child.name
		}
		if old, ok := v.keys[name]; ok {
			if spelling[name] == kn.Value {
				r.add(kn.Line, field, "", "is set twice (lines %d and %d)", old.line, kn.Line)
			} else {
				r.add(kn.Line, v.field, "keep one of them", "%s (line %d) and %s (line %d) are one setting", spelling[name], old.line, kn.Value, kn.Line)
			}
			continue
		}
		spelling[name] = kn.Value
		use := child
		switch {
		case k.kind == kindNamed:
			// The entry's own keys are those of the named map.
			use = &key{kind: kindMap, keys: k.keys}
			v.names = append(v.names, name)
		case kn.Value != child.name && child.kind == kindDuration:
			use = &key{name: child.aws, kind: kindDuration, aws: child.aws}
		}
		v.keys[name] = r.node(vn, use, kn.Line, field)
	}
}

func (r *reader) unknown(kn *yaml.Node, k *key, field string) {
	if r.full() {
		r.add(kn.Line, field, "", "unknown key")
		return
	}
	name := kn.Value
	hint := ""
	near := nearest(name, k.names())
	elsewhere := places(&root, name, "")
	switch {
	case k.find("secret_env") != nil || k.find("env") != nil:
		hint = "no secret stands in this file: put it into an environment variable or a file of its own, and name that under " + strings.Join(k.names()[len(k.names())-2:], " or ")
		if near != "" && !secretNames[strings.ToLower(name)] {
			hint = "did you mean " + quote(near) + "?"
		}
	case name == "<<":
		hint = "merge keys are not supported: write the keys out"
	case near != "" && (len(elsewhere) == 0 || spelling.Distance(plain(name), plain(near)) < 2):
		hint = "did you mean " + quote(near) + "?"
	case len(elsewhere) > 0:
		hint = quote(name) + " belongs under " + strings.Join(elsewhere, " or ")
	default:
		hint = "known keys here: " + strings.Join(k.names(), ", ")
	}
	r.add(kn.Line, field, hint, "unknown key %s", quote(name))
}

// secretNames are keys under which somebody may try to write a secret into the file.
var secretNames = map[string]bool{"secret": true, "token": true, "value": true, "password": true, "secret_key": true, "secret_access_key": true, "key": true}

func (r *reader) list(n *yaml.Node, k *key, v *value) {
	v.bad = false
	item := &key{kind: kindMap, keys: k.keys, hidden: k.hidden}
	if k.kind == kindTexts {
		item = &key{kind: kindText, hidden: k.hidden}
	}
	first := make(map[string]int)
	for i, in := range n.Content {
		x := r.node(in, item, in.Line, fmt.Sprintf("%s[%d]", v.field, i))
		if k.kind == kindTexts && x.ok() {
			if line, ok := first[x.text]; ok {
				x.bad = true
				r.add(x.line, x.field, "", "is listed twice (first on line %d)", line)
			} else if x.text == "" {
				x.bad = true
				r.add(x.line, x.field, "remove it", "is empty")
			}
			first[x.text] = x.line
		}
		v.items = append(v.items, x)
	}
}

func (r *reader) scalar(n *yaml.Node, k *key, v *value) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.add(v.line, v.field, "", "must be %s, not %s", wants(k), shape(n, k))
		return
	}
	v.text = n.Value
	hint, err := "", error(nil)
	switch k.kind {
	case kindText:
		if len(k.oneOf) > 0 && !contains(k.oneOf, n.Value) {
			hint, err = didYouMean(n.Value, k.oneOf), fmt.Errorf("must be %s, not %s", wants(k), quote(n.Value))
		} else if strings.ContainsFunc(n.Value, unicode.IsControl) {
			err = errors.New("contains a control character")
		}
	case kindBool:
		if n.Tag != "!!bool" {
			hint, err = boolHint(n.Value), fmt.Errorf("must be true or false, not %s", quote(n.Value))
		}
		v.flag = strings.EqualFold(n.Value, "true")
	case kindCount:
		if v.num, err = strconv.ParseInt(n.Value, 10, 64); err != nil {
			err = fmt.Errorf("must be a whole number, not %s", quote(n.Value))
		}
	case kindSize:
		if v.num, err = ParseSize(n.Value); err != nil {
			hint = "write a number and a unit, such as 512MB or 6.1GB"
		}
	case kindDuration:
		parse := ParseDuration
		if k.aws != "" && k.aws == k.name {
			parse = ParseSeconds // written under API Gateway's name, which says the unit
		}
		if v.dur, err = parse(n.Value); errors.Is(err, errBareNumber) {
			hint = "write " + shown(strings.TrimPrefix(strings.TrimSpace(n.Value), "-")) + "s"
		} else if err != nil {
			hint = "write a number and a unit, such as 300s or 5m"
		}
	}
	if v.bad = err != nil; v.bad {
		r.add(v.line, v.field, hint, "%s", err)
	}
}

func wants(k *key) string {
	switch k.kind {
	case kindBool:
		return "true or false"
	case kindCount:
		return "a whole number"
	case kindSize:
		return "a size such as 512MB"
	case kindDuration:
		return "a duration such as 300s"
	}
	if len(k.oneOf) > 0 {
		return strings.Join(k.oneOf[:len(k.oneOf)-1], ", ") + " or " + k.oneOf[len(k.oneOf)-1]
	}
	return "text"
}

func boolHint(s string) string {
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1", "true":
		return "write true, without quotes"
	case "no", "off", "n", "0", "false":
		return "write false, without quotes"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
