package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"stagecache/gateway/policy"
)

// DefaultEntry is the name of a stage's default among its entries.
const DefaultEntry = "*"

// Entry is a method's name as the file writes it: "GET /products/{id}".
func (m Method) Entry() string { return m.Verb + " " + m.Template }

// SplitEntry takes such a name apart.
func SplitEntry(entry string) (verb, template string, ok bool) {
	verb, t, _, problem := parseMethod(entry)
	return verb, t.text, problem == ""
}

// EntryName checks the name of an entry that may be set at run time: "*", or "GET /products/{id}". Where the stage has an entry for
// the same requests, that one's name is given: the parameters of templates may be called as one likes.
func EntryName(s *Stage, entry string) (string, error) {
	if entry == DefaultEntry {
		return entry, nil
	}
	verb, t, hint, problem := parseMethod(entry)
	if problem != "" {
		return "", Errors{{Field: quote(entry), Message: problem, Hint: hint}}
	}
	for _, m := range s.Methods {
		if other, err := parseTemplate(m.Template); err == nil && m.Verb == verb && other.shape == t.shape {
			return m.Entry(), nil
		}
	}
	return verb + " " + t.text, nil
}

// EntrySettings are the values that an entry has, whether it is there or not: then those of the entry that answers for it now. As in
// the file, other methods than GET are not cached unless somebody says so for them.
func EntrySettings(s *Stage, entry string) Settings {
	verb, template, ok := SplitEntry(entry)
	if entry == DefaultEntry || !ok {
		return s.Default
	}
	var table policy.Table[*Method]
	for i := range s.Methods {
		m := &s.Methods[i]
		if m.Entry() == entry {
			return m.Settings
		}
		if t, err := policy.ParseTemplate(m.Template); err == nil {
			_ = table.Add(m.Verb, t, m) // the file has no two alike
		}
	}
	out := s.Default
	asked := verb
	if verb == "ANY" {
		asked = policy.Any
	}
	if m, _, _, found := table.Lookup(asked, template); found {
		out = m.Settings
		if m.Verb == verb {
			return out
		}
	}
	if verb != "GET" && verb != "ANY" {
		out.Caching = false
	}
	out.Set = slices.DeleteFunc(slices.Clone(out.Set), func(n string) bool { return n == SetCaching })
	return out
}

// SetSettings changes settings as the file would: by their names there ("ttl", "key.headers"), to values as they are written
// there ("60s", "[Accept-Language]"). Its error is Errors, with the names as fields; then nothing is changed.
func SetSettings(s *Settings, entry string, maxTTL time.Duration, set map[string]string) error {
	l := limits{maxTTL: maxTTL}
	if _, text, ok := SplitEntry(entry); ok {
		if t, err := parseTemplate(text); err == nil {
			l.template = &t
		}
	}
	b, v, err := written(set, settings)
	if err != nil {
		return err
	}
	out := b.settings(v, *s, l)
	if err := b.lineless(); err != nil {
		return err
	}
	out.Set = merged(s.Set, out.Set)
	*s = out.effective()
	return nil
}

// cacheOnly are the keys of a stage's cache that are not settings of every entry.
func cacheOnly() []key {
	return []key{*cacheKey("enabled"), *cacheKey("capacity"), *cacheKey("memory"), *cacheKey("max_object"), *cacheKey("max_ttl")}
}

func cacheKey(name string) *key { return root.find("stages").find("cache").find(name) }

// IsCacheKey tells a name that belongs to the stage's cache as a whole.
func IsCacheKey(name string) bool {
	return slices.ContainsFunc(cacheOnly(), func(k key) bool { return k.name == name })
}

// SetCache is SetSettings for a stage's cache.
func SetCache(c *Cache, set map[string]string) error {
	// What is not set is written out as it is, so that the values are checked together.
	all := map[string]string{
		"enabled": fmt.Sprint(c.Enabled), "capacity": fmt.Sprint(c.Capacity), "memory": fmt.Sprint(c.Memory),
		"max_object": fmt.Sprint(c.MaxObject), "max_ttl": FormatDuration(c.MaxTTL),
	}
	maps.Copy(all, set)
	b, v, err := written(all, cacheOnly())
	if err != nil {
		return err
	}
	out := b.cache(v)
	if err := b.lineless(); err != nil {
		return err
	}
	*c = out
	return nil
}

// written reads values that were given by name, against a table of keys.
func written(set map[string]string, keys []key) (*builder, *value, error) {
	p := &problems{lines: 1}
	top := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		doc, err := decode(yaml.NewDecoder(strings.NewReader(set[name])))
		if err != nil || len(doc.Content) != 1 || strings.ContainsAny(set[name], "\n&") {
			p.add(0, shown(name), "write it as in the file, such as 60s, true or [a, b]", "%s is not a value", quote(set[name]))
			continue
		}
		place(top, strings.Split(name, "."), doc.Content[0])
	}
	r := &reader{problems: p}
	v := r.node(top, &key{kind: kindMap, keys: keys}, 0, "")
	b := &builder{problems: p, o: Options{SkipFiles: true}}
	return b, v, p.lineless()
}

// lineless is err for values that stand in no file.
func (p *problems) lineless() error {
	for i := range p.list {
		p.list[i].Line = 0
	}
	return p.err()
}

// place puts a value under a name with dots, in nested maps.
func place(at *yaml.Node, names []string, v *yaml.Node) {
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: names[0]}
	if len(names) == 1 {
		at.Content = append(at.Content, name, v)
		return
	}
	for i := 0; i+1 < len(at.Content); i += 2 {
		if at.Content[i].Value == names[0] && at.Content[i+1].Kind == yaml.MappingNode {
			place(at.Content[i+1], names[1:], v)
			return
		}
	}
	inner := &yaml.Node{Kind: yaml.MappingNode}
	at.Content = append(at.Content, name, inner)
	place(inner, names[1:], v)
}
