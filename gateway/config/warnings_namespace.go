package config

import (
	"slices"
	"strings"
)

// keyed is something whose answers are stored under declared keys.
type keyed struct {
	line     int
	verb     string
	template string
	settings Settings
}

// sharedNamespaces warns of two paths of a stage whose answers have one key: the same cacheNamespace, and the same parameters.
// API Gateway does that too, and there are APIs that want it, but most have copied a line.
func (w *warnings) sharedNamespaces(s *Stage, field string) {
	var all []keyed
	for _, m := range s.Methods {
		all = append(all, keyed{m.Line, m.Verb, m.Template, m.Settings})
	}
	for _, r := range s.Routes {
		if !s.hasGET(r.Path) {
			all = append(all, keyed{r.Line, "GET", r.Path, s.Default})
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.template == b.template || !a.stores() || !b.stores() || a.settings.CacheNamespace != b.settings.CacheNamespace {
				continue
			}
			if a.verb != b.verb && a.verb != "ANY" && b.verb != "ANY" || !sameParameters(a.settings, b.settings) {
				continue
			}
			w.add(a.line, field, "give each a cacheNamespace of its own, or leave it out",
				"%s and %s have the cacheNamespace %s and the same key parameters: one path's answer is served for the other",
				shown(b.template), shown(a.template), quote(a.settings.CacheNamespace))
			break
		}
	}
}

// hasGET tells whether an entry of its own, and not the stage's default, is for GETs that match a template.
func (s *Stage) hasGET(path string) bool {
	t, err := parseTemplate(path)
	return err == nil && slices.ContainsFunc(s.Methods, func(m Method) bool {
		other, err := parseTemplate(m.Template)
		return (m.Verb == "GET" || m.Verb == "ANY") && err == nil && other.shape == t.shape
	})
}

// stores tells whether answers are kept under a namespace that was given.
func (k keyed) stores() bool {
	s := k.settings
	cached := k.verb == "GET" || k.verb == "ANY" || k.verb != "HEAD" && s.IsSet(SetCaching)
	return cached && s.Key.Mode == KeyDeclared && s.CacheNamespace != "" && s.Caching && s.TTL > 0
}

func sameParameters(a, b Settings) bool {
	sorted := func(s Settings) []string {
		names := slices.Clone(s.CacheKeyParameters)
		slices.SortFunc(names, strings.Compare)
		return names
	}
	return slices.Equal(sorted(a), sorted(b))
}
