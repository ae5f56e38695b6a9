package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"stagecache/gateway/config"
	"stagecache/gateway/metrics"
	"stagecache/gateway/policy"
)

// method is what an entry of a stage's methods (or its default) comes to, worked out once so that a request does not have to.
type method struct {
	config.Settings
	template string            // the entry's; empty for the default: then the route's counts
	count    *metrics.Resource // nil for the default
	explicit bool              // names one verb and switches its caching on by itself: only so are others than GET cached
	http     bool              // freshness by RFC 9111, not by the TTL: the stage's mode

	declared []policy.KeyParameter // key mode declared
	headers  []string              // key mode full, canonical
	cookies  []string
	query    policy.QuerySpec

	keysAuth   bool     // Authorization is part of the key
	keysCookie bool     // the whole Cookie header is
	keyHeaders []string // canonical names of all headers in the key, whatever the mode
	forward    []string // the allow-list with what is keyed; nil: everything is forwarded
	spelled    []string // the headers that the settings name; they are forwarded however their names look
	// onlyKeyedCookies tells that of the client's cookies the backend gets those in the key: there is an allow-list, on which Cookie
	// is not.
	onlyKeyedCookies bool
	plainVary        bool // forwarded headers are the client's own, so that variants can be told apart without building the request
}

func newMethod(s config.Settings, mode, verb, template string) (*method, error) {
	m := &method{
		Settings: s,
		template: template,
		explicit: s.Caching && verb != "" && verb != policy.Any && verb != http.MethodHead && slices.Contains(s.Set, "caching"),
		query:    policy.QuerySpec{Include: s.Key.Query.Include, Exclude: s.Key.Query.Exclude},
		http:     mode == config.ModeHTTP,
	}
	switch s.Key.Mode {
	case config.KeyDeclared:
		for _, text := range s.CacheKeyParameters {
			p, err := policy.ParseKeyParameter(text)
			if err != nil {
				return nil, err
			}
			if m.declared = append(m.declared, p); p.Location == policy.InHeader {
				m.keyHeaders = append(m.keyHeaders, http.CanonicalHeaderKey(p.Name))
			}
		}
	case config.KeyFull, "":
		for _, name := range s.Key.Headers {
			m.headers = append(m.headers, http.CanonicalHeaderKey(name))
		}
		m.keyHeaders, m.cookies = m.headers, s.Key.Cookies
	default:
		return nil, fmt.Errorf("key mode %q is not known", s.Key.Mode)
	}
	m.keysAuth = slices.Contains(m.keyHeaders, "Authorization")
	m.keysCookie = slices.Contains(m.keyHeaders, "Cookie")
	if s.ForwardHeaders != nil {
		m.forward = append(append(make([]string, 0, 16), s.ForwardHeaders...), m.keyHeaders...)
		if len(m.cookies) > 0 {
			m.onlyKeyedCookies = !slices.ContainsFunc(m.forward, func(n string) bool { return strings.EqualFold(n, "Cookie") })
			m.forward = append(m.forward, "Cookie")
		}
	}
	m.spelled = append(slices.Clip(m.forward), m.keyHeaders...)
	m.plainVary = m.forward == nil
	return m, nil
}

// forwards tells whether the backend gets a header at all.
func (m *method) forwards(name string) bool {
	if name == "Cookie" && m.IgnoreCookies {
		return false
	}
	return m.forward == nil || slices.ContainsFunc(m.forward, func(n string) bool { return strings.EqualFold(n, name) })
}

// caches tells whether answers to a verb may come from the cache. HEAD is asked as GET.
func (m *method) caches(verb string) bool {
	return m.on() && (verb == http.MethodGet || m.explicit)
}

// on tells whether anything is cached. A TTL of 0 switches caching off where the TTL is the lifetime.
func (m *method) on() bool { return m.Caching && (m.http || m.TTL > 0) }

// stripSetCookie takes Set-Cookie from an answer to a method that is cached, where the settings say so: all of its clients get the
// same, whether their answer was stored before, is stored now, or cannot be.
func (m *method) stripSetCookie(h http.Header) {
	if m.SetCookie == config.SetCookieStrip {
		delete(h, "Set-Cookie")
		delete(h, "Set-Cookie2")
	}
}
