package config

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func entryStage(t *testing.T) *Stage {
	t.Helper()
	return mustParse(t, head+`    cache: {ttl: 120s, max_ttl: 600s}
    methods:
      "GET /products/{id}": {ttl: 60s}
      "ANY /cart/{proxy+}": {encrypt: false}
      "POST /search": {caching: true}
`).Stages[0]
}

func TestEntryName(t *testing.T) {
	s := entryStage(t)
	for entry, want := range map[string]string{
		"*": "*", "GET /products/{id}": "GET /products/{id}", "GET /products/{name}": "GET /products/{id}",
		"GET /products/7": "GET /products/7", "POST /products/{id}": "POST /products/{id}",
	} {
		if got, err := EntryName(s, entry); err != nil || got != want {
			t.Errorf("%s: %q, %v", entry, got, err)
		}
	}
	for _, entry := range []string{"", "GET", "get /a", "GET a", "GET /a/", "GET /{a}b", "TRACE /"} {
		if got, err := EntryName(s, entry); err == nil {
			t.Errorf("%s: %q", entry, got)
		}
	}
}

// A new entry begins with what counts for its requests now; other methods than GET are not cached unless they are named.
func TestEntrySettings(t *testing.T) {
	s := entryStage(t)
	for entry, want := range map[string]struct {
		ttl              time.Duration
		caching, encrypt bool
		set              bool
	}{
		"*":                  {120 * time.Second, true, true, false},
		"GET /products/{id}": {60 * time.Second, true, true, false},
		"GET /products/7":    {60 * time.Second, true, true, false},
		"GET /other":         {120 * time.Second, true, true, false},
		"POST /other":        {120 * time.Second, false, true, false},
		"GET /cart/{x}":      {120 * time.Second, true, false, false},
		"POST /search":       {120 * time.Second, true, true, true},
	} {
		got := EntrySettings(s, entry)
		if got.TTL != want.ttl || got.Caching != want.caching || got.Encrypt != want.encrypt || got.IsSet(SetCaching) != want.set {
			t.Errorf("%s: %+v", entry, got)
		}
	}
}

func TestSetSettings(t *testing.T) {
	s := entryStage(t)
	v := EntrySettings(s, "GET /products/{id}")
	err := SetSettings(&v, "GET /products/{id}", s.Cache.MaxTTL, map[string]string{
		"cacheTtlInSeconds": "90", "encrypt": "false", "key.headers": "[accept-language]", "key.query.exclude": "[a, b]",
		"cacheKeyParameters": "[method.request.path.id]",
	})
	if err != nil {
		t.Fatal(err)
	}
	if v.TTL != 90*time.Second || v.Encrypt || !slices.Equal(v.Key.Headers, []string{"Accept-Language"}) || len(v.Key.Query.Exclude) != 2 ||
		!v.IsSet(SetTTL) || !v.IsSet(SetKeyHeaders) || v.IsSet(SetCaching) {
		t.Errorf("%+v", v)
	}
	before := v.TTL
	for name, want := range map[string][2]string{
		"ttl":                {"601s", `ttl: 601s is more than max_ttl (600s)`},
		"tll":                {"1s", `unknown key "tll"`},
		"caching":            {"yes", `caching: must be true or false, not "yes"`},
		"key.headers":        {"a: b", `key.headers: must be a list, not a map`},
		"key.mode":           {"[", `key.mode: "[" is not a value`},
		"encrypt":            {"*x", `encrypt: "*x" is not a value`},
		"cacheKeyParameters": {"[method.request.path.no]", `cacheKeyParameters[0]: "/products/{id}" has no parameter "no"`},
		"negative_ttl":       {"", `negative_ttl: "" is not a value`},
	} {
		err := SetSettings(&v, "GET /products/{id}", s.Cache.MaxTTL, map[string]string{name: want[0]})
		var list Errors
		if !errors.As(err, &list) || err.Error() != want[1] {
			t.Errorf("%s: %v, want %s", name, err, want[1])
		}
	}
	if v.TTL != before {
		t.Errorf("changed by an error: %v", v.TTL)
	}
}

func TestSetCache(t *testing.T) {
	c := entryStage(t).Cache
	if err := SetCache(&c, map[string]string{"capacity": "1GB", "enabled": "false"}); err != nil || c.Capacity != 1e9 || c.Enabled || c.MaxTTL != 600*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	for name, want := range map[string][2]string{
		"capacity": {"1MB", "capacity: 1MB is less than one segment: the least capacity is 8MiB (8388608 bytes)"},
		"memory":   {"1KB", "memory: 1KB is less than 48MB"},
		"ttl":      {"1s", `unknown key "ttl"`},
	} {
		if err := SetCache(&c, map[string]string{name: want[0]}); err == nil || err.Error() != want[1] {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.Capacity != 1e9 || !IsCacheKey("capacity") || IsCacheKey("ttl") {
		t.Errorf("%+v", c)
	}
}
