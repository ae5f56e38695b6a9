package config

import (
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// defaultSettings are those of a stage that says nothing. A max_ttl below the usual lifetime lowers it. In mode http an answer
// that states no lifetime has none, and clients may ask for the backend's word without a permission, as RFC 9111 has it.
func defaultSettings(mode string, maxTTL time.Duration) Settings {
	s := Settings{
		Caching:              true,
		TTL:                  min(300*time.Second, maxTTL),
		Encrypt:              true,
		RequireAuthorization: true,
		Strategy:             SucceedWithResponseHeader,
		Key:                  KeySpec{Mode: KeyFull},
		SetCookie:            SetCookieRefuse,
	}
	if mode == ModeHTTP {
		s.TTL, s.RequireAuthorization = 0, false
	}
	return s
}

// limits are what an entry's settings are held to.
type limits struct {
	maxTTL   time.Duration
	template *template // of the entry; nil for a stage's default
}

// settings are base with what the entry sets; Set names just that.
func (b *builder) settings(v *value, base Settings, l limits) Settings {
	s := base // lists are shared with base: nobody writes into one
	s.Set = nil
	set := func(name string, x *value) bool {
		if x.ok() {
			s.Set = append(s.Set, name)
			return true
		}
		return false
	}
	if x := v.get("caching"); set(SetCaching, x) {
		s.Caching = x.flag
	}
	if x := v.get("ttl"); set(SetTTL, x) {
		if s.TTL = x.dur; x.dur > l.maxTTL {
			b.add(x.line, x.field, "raise max_ttl in the stage's cache to allow it", "%s is more than max_ttl (%s)", spanText(x), FormatDuration(l.maxTTL))
		}
	}
	if x := v.get("negative_ttl"); set(SetNegativeTTL, x) {
		if s.NegativeTTL = x.dur; x.dur > longestNegative {
			b.add(x.line, x.field, "", "%s is more than %s", spanText(x), FormatDuration(longestNegative))
		}
	}
	if x := v.get("stale_while_revalidate"); set(SetStaleWhileRevalidate, x) {
		s.StaleWhileRevalidate = b.stale(x)
	}
	if x := v.get("stale_if_error"); set(SetStaleIfError, x) {
		s.StaleIfError = b.stale(x)
	}
	if x := v.get("encrypt"); set(SetEncrypt, x) {
		s.Encrypt = x.flag
	}
	if x := v.get("requireAuthorizationForCacheControl"); set(SetRequireAuthorization, x) {
		s.RequireAuthorization = x.flag
	}
	if x := v.get("unauthorizedCacheControlHeaderStrategy"); set(SetStrategy, x) {
		s.Strategy = x.text
	}
	if x := v.get("cacheKeyParameters"); set(SetCacheKeyParameters, x) {
		s.CacheKeyParameters = b.keyParameters(x, l.template)
	}
	if x := v.get("cacheNamespace"); str(x, "") != "" && set(SetCacheNamespace, x) {
		s.CacheNamespace = x.text
	}
	if x := v.get("forward_headers"); set(SetForwardHeaders, x) {
		s.ForwardHeaders = b.headers(x)
	}
	if x := v.get("ignore_cookies"); set(SetIgnoreCookies, x) {
		s.IgnoreCookies = x.flag
	}
	if x := v.get("set_cookie"); set(SetSetCookie, x) {
		s.SetCookie = x.text
	}
	key := v.get("key")
	if x := key.get("mode"); set(SetKeyMode, x) {
		s.Key.Mode = x.text
	}
	if x := key.get("headers"); set(SetKeyHeaders, x) {
		s.Key.Headers = b.headers(x)
	}
	if x := key.get("cookies"); set(SetKeyCookies, x) {
		s.Key.Cookies = b.cookies(x)
	}
	if x := key.get("query"); set(SetKeyQuery, x) {
		s.Key.Query = b.query(x)
	}
	return s
}

// effective adds to the key, in mode full, the headers that cacheKeyParameters name: paths and queries are in it anyway,
// and a header that somebody declared to matter must not be left out only because the mode was not declared too.
func (s Settings) effective() Settings {
	if s.Key.Mode != KeyFull {
		return s
	}
	for _, p := range s.CacheKeyParameters {
		location, name, _, err := keyParameter(p)
		name = textproto.CanonicalMIMEHeaderKey(name)
		if err == nil && location == "header" && !slices.Contains(s.Key.Headers, name) {
			s.Key.Headers = append(slices.Clip(s.Key.Headers), name)
			if s.IsSet(SetCacheKeyParameters) && !s.IsSet(SetKeyHeaders) {
				s.Set = append(s.Set, SetKeyHeaders)
			}
		}
	}
	return s
}

// spanText is a duration as the user wrote it, with the unit that API Gateway's name leaves out.
func spanText(x *value) string {
	if digits(x.text) {
		return x.text + "s"
	}
	return shown(x.text)
}

func (b *builder) stale(x *value) time.Duration {
	if x.dur > longestTTL {
		b.add(x.line, x.field, "", "%s is more than 365d", spanText(x))
		return 0
	}
	return x.dur
}

// maxListed bounds a list in an entry: every entry inherits it, and headers and cookies are looked up for each request.
const maxListed = 256

func (b *builder) listed(v *value) []*value {
	if v != nil && len(v.items) > maxListed {
		b.add(v.line, v.field, "", "has %d items, more than %d", len(v.items), maxListed)
		return nil
	}
	return itemsOf(v)
}

func (b *builder) headers(v *value) []string {
	out := make([]string, 0, len(v.items))
	for _, x := range b.listed(v) {
		name := textproto.CanonicalMIMEHeaderKey(x.text)
		switch {
		case !token(x.text):
			b.add(x.line, x.field, "", "%s is not a header's name", quote(x.text))
		case slices.Contains(out, name):
			b.add(x.line, x.field, "", "%s is listed twice", quote(x.text))
		default:
			out = append(out, name)
		}
	}
	return out
}

func (b *builder) cookies(v *value) []string {
	out := make([]string, 0, len(v.items))
	for _, x := range b.listed(v) {
		if !token(x.text) {
			b.add(x.line, x.field, "", "%s is not a cookie's name", quote(x.text))
			continue
		}
		out = append(out, x.text)
	}
	return out
}

func (b *builder) query(v *value) QuerySpec {
	in, ex := v.get("include"), v.get("exclude")
	q := QuerySpec{Include: b.parameters(in), Exclude: b.parameters(ex)}
	switch {
	case in.ok() && len(in.items) == 0:
		b.add(in.line, in.field, "leave it out to keep every parameter, or list those to keep", "is empty")
	case len(q.Include) > 0 && len(q.Exclude) > 0:
		b.add(max(in.line, ex.line), v.field, "keep one of them", "include (line %d) and exclude (line %d) are both set", in.line, ex.line)
	}
	return q
}

func (b *builder) parameters(v *value) []string {
	var out []string
	for _, x := range b.listed(v) {
		switch {
		case strings.Contains(x.text, "*"):
			b.add(x.line, x.field, "list each parameter by its name", "%s has a wildcard, which is not supported", quote(x.text))
		case strings.ContainsAny(x.text, "&=?"):
			b.add(x.line, x.field, "write the name alone, such as utm_source", "%s is not a parameter's name", quote(x.text))
		default:
			out = append(out, x.text)
		}
	}
	return out
}

func (b *builder) keyParameters(v *value, t *template) []string {
	out := make([]string, 0, len(v.items))
	for _, x := range b.listed(v) {
		location, name, hint, err := keyParameter(x.text)
		if err != nil {
			b.add(x.line, x.field, hint, "%s", err)
			continue
		}
		if location == "path" && t != nil && !contains(t.params, name) {
			b.add(x.line, x.field, didYouMean(name, t.params), "%s has no parameter %s", quote(t.text), quote(name))
			continue
		}
		out = append(out, x.text)
	}
	return out
}
