package config

import (
	"fmt"
	"slices"
	"strings"
)

// What the index of a store takes in memory, for a warning: 16 bytes for each entry of 4 KB.
const (
	indexBytesPerEntry = 16
	usualEntryBytes    = 4096
)

// Warnings are what the gateway accepts, but a person should know of. They are in the order of their lines.
func (c *Config) Warnings() []Error {
	w := &warnings{file: c.File}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			w.add(0, "trusted_proxies", "list your own proxies", "%s believes the X-Forwarded-For of everybody", p)
		}
	}
	w.iam(c)
	used := make(map[string]bool)
	for _, s := range c.Stages {
		for _, r := range s.Routes {
			used[r.Backend] = true
		}
		if s.Cache.Enabled {
			w.stage(s)
		}
	}
	for name := range c.Backends {
		if !used[name] {
			w.add(0, label("backends", name), "", "no route uses this backend")
		}
	}
	// Backends come out of a map in any order.
	slices.SortFunc(w.list, func(a, b Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Field, b.Field)
	})
	return w.list
}

func (w *warnings) iam(c *Config) {
	for _, u := range c.IAM.Users {
		field := label("iam.users", u.Name)
		if u.Policy == nil && u.PolicyFile == "" {
			w.add(u.Line, field, "give it a policy or a policy_file", "has no policy, so it may do nothing")
		}
		if len(u.AccessKeys)+len(u.Tokens) == 0 {
			w.add(u.Line, field, "give it access_keys or tokens", "has no credential, so nobody can be it")
		}
	}
	if c.Admin.Listen != "" && len(c.IAM.Users) == 0 {
		w.add(0, "admin.listen", "name those who may administer under iam.users", "answers nobody but health checks: there are no users")
	}
}

type warnings struct {
	file string
	list Errors
}

func (w *warnings) add(line int, field, hint, format string, args ...any) {
	w.list = append(w.list, Error{File: w.file, Line: line, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (w *warnings) stage(s *Stage) {
	field := label("stages", s.Name)
	if index := s.Cache.Capacity / usualEntryBytes * indexBytesPerEntry; s.Cache.Memory > 0 && index > s.Cache.Memory/2 {
		w.add(s.Line, field+".cache.memory", "raise memory to about "+FormatSize((2*index+999_999)/1_000_000*1_000_000)+", or lower capacity",
			"the index of %s on disk may need %s, more than half of memory (%s): the oldest entries would go before the capacity is used",
			FormatSize(s.Cache.Capacity), FormatSize(index/1000*1000), FormatSize(s.Cache.Memory))
	}
	if !s.Default.Encrypt {
		w.add(s.Line, field, "leave encrypt out, and set encryption.key_file", "answers of this stage are stored without encryption")
	}
	w.ignored(s.Line, field, s.Default)
	w.setCookie(s.Line, field+".cache", s.Default)
	if inherits := slices.ContainsFunc(s.Methods, func(m Method) bool {
		return m.Settings.Key.Mode == KeyDeclared && !m.Settings.IsSet(SetCacheNamespace)
	}); !inherits {
		w.namespace(s.Line, field, s.Default)
	}
	for _, r := range s.Routes {
		if !s.hasGET(r.Path) {
			w.shared(r.Line, field, r.Path, s.Default)
		}
	}
	w.sharedNamespaces(s, field)
	for _, m := range s.Methods {
		w.method(m, label(field+".methods", m.Verb+" "+m.Template), s.Default.Encrypt)
	}
}

func (w *warnings) method(m Method, field string, stageEncrypts bool) {
	switch {
	case m.Verb == "HEAD":
		w.add(m.Line, field, "set it for GET", "has no effect: HEAD is answered by GET's entry and its settings")
		return
	case m.Verb != "GET" && m.Verb != "ANY" && !m.Settings.IsSet(SetCaching):
		w.add(m.Line, field, "write caching: true if answers to "+m.Verb+" may be stored", "stores nothing: only GET is cached unless the entry itself sets caching")
	}
	if stageEncrypts && !m.Settings.Encrypt {
		w.add(m.Line, field, "leave encrypt out", "these answers are stored without encryption")
	}
	if m.Settings.IsSet(SetKeyMode) || m.Settings.IsSet(SetKeyHeaders) || m.Settings.IsSet(SetKeyCookies) {
		w.ignored(m.Line, field, m.Settings)
	}
	if m.Settings.IsSet(SetCacheNamespace) || m.Settings.IsSet(SetKeyMode) {
		w.namespace(m.Line, field, m.Settings)
	}
	if m.Settings.IsSet(SetSetCookie) {
		w.setCookie(m.Line, field, m.Settings)
	}
	w.shared(m.Line, field, m.Template, m.Settings)
	if s := m.Settings; m.Verb != "GET" && m.Verb != "ANY" && s.IsSet(SetCaching) && s.Caching && s.TTL > 0 && s.Key.Mode == KeyDeclared {
		w.add(m.Line, field, "use mode full for it, or caching: false",
			"key mode declared leaves the body of %s out of the key: one body's answer is served for another", m.Verb)
	}
}

// namespace warns of one that divides nothing: in mode full each URL has entries of its own.
func (w *warnings) namespace(line int, field string, s Settings) {
	if s.CacheNamespace != "" && s.Key.Mode == KeyFull {
		w.add(line, field+".cacheNamespace", "leave it out, or use mode declared", "has no effect in key mode full")
	}
}

// setCookie warns of cookies that go to everybody.
func (w *warnings) setCookie(line int, field string, s Settings) {
	if s.SetCookie == SetCookieStore {
		w.add(line, field+".set_cookie", "use strip, unless these cookies tell nobody apart", "store gives one client's cookies to everybody")
	}
}

// ignored warns of parts of the key that its mode leaves out.
func (w *warnings) ignored(line int, field string, s Settings) {
	if s.Key.Mode == KeyDeclared && len(s.Key.Headers)+len(s.Key.Cookies) > 0 {
		w.add(line, field+".key", "name headers in cacheKeyParameters, or use mode full", "mode declared takes no headers and cookies into the key")
	}
}

// shared warns of API Gateway's own pitfall: a key that leaves out a part of the path.
func (w *warnings) shared(line int, field, path string, s Settings) {
	t, err := parseTemplate(path)
	if err != nil || s.Key.Mode != KeyDeclared || !s.Caching || s.TTL == 0 {
		return
	}
	for _, name := range t.params {
		if !slices.Contains(s.CacheKeyParameters, "method.request.path."+name) && !slices.Contains(s.CacheKeyParameters, "integration.request.path."+name) {
			w.add(line, field, "add method.request.path."+name+" to cacheKeyParameters, or use mode full",
				"key mode declared leaves {%s} of %s out of the key: one path's answer is served for another", name, shown(path))
		}
	}
}
