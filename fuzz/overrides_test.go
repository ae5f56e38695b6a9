package fuzz

import (
	"testing"

	"stagecache/gateway/config"
	"stagecache/gateway/overrides"
)

// FuzzOverrides: whatever the file of run-time settings holds, it is refused or usable.
func FuzzOverrides(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"version":1}`, `{"version":2,"stages":{}}`, `{"version":1,"stages":{"prod":{"cache":{"enabled":true,"capacity":-1,"max_ttl":"1h"},"entries":{"*":{"ttl":"60s","negative_ttl":"0s","stale_while_revalidate":"0s","stale_if_error":"0s"}}}}}`,
		`{"version":1,"stages":{"prod":{"entries":{"GET /a":{"ttl":"-1s"}}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if doc, err := overrides.Parse(data); err == nil && doc == nil {
			t.Fatal("neither a document nor an error")
		}
	})
}

// FuzzSetSettings: a value that is set at run time is taken or refused, and a refusal changes nothing.
func FuzzSetSettings(f *testing.F) {
	for _, s := range [][2]string{{"ttl", "60s"}, {"key.headers", "[a, b]"}, {"key.query.include", "[x]"}, {"caching", "yes"}, {"", ""}, {"a.b.c.d", "{"}, {"cacheKeyParameters", "[method.request.path.id]"}, {"capacity", "1GB"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		s := config.Settings{Strategy: config.FailWith403, Key: config.KeySpec{Mode: config.KeyFull}}
		if err := config.SetSettings(&s, "GET /products/{id}", 1e9, map[string]string{name: value}); err != nil && (s.TTL != 0 || s.Strategy != config.FailWith403 || len(s.Set) > 0) {
			t.Fatalf("changed by an error: %+v", s)
		}
		c := config.Cache{Enabled: true, Capacity: 1e9, Memory: 48e6, MaxObject: 1e6, MaxTTL: 1e9}
		if err := config.SetCache(&c, map[string]string{name: value}); err != nil && c.Capacity != 1e9 {
			t.Fatalf("changed by an error: %+v", c)
		}
	})
}
