package config

import "slices"

// Names of settings as Settings.Set lists them. The parts of key are told apart: an entry may set one and inherit the rest.
const (
	SetCaching              = "caching"
	SetTTL                  = "ttl"
	SetNegativeTTL          = "negative_ttl"
	SetStaleWhileRevalidate = "stale_while_revalidate"
	SetStaleIfError         = "stale_if_error"
	SetEncrypt              = "encrypt"
	SetRequireAuthorization = "requireAuthorizationForCacheControl"
	SetStrategy             = "unauthorizedCacheControlHeaderStrategy"
	SetCacheKeyParameters   = "cacheKeyParameters"
	SetCacheNamespace       = "cacheNamespace"
	SetKeyMode              = "key.mode"
	SetKeyHeaders           = "key.headers"
	SetKeyCookies           = "key.cookies"
	SetKeyQuery             = "key.query"
	SetForwardHeaders       = "forward_headers"
	SetIgnoreCookies        = "ignore_cookies"
	SetSetCookie            = "set_cookie"
)

// IsSet tells whether the entry itself set this (one of the Set names) rather than inheriting it.
func (s Settings) IsSet(name string) bool { return slices.Contains(s.Set, name) }
