package fuzz

import (
	"errors"
	"strings"
	"testing"

	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

var configSeeds = []string{
	"",
	"encryption: {key_file: root.key}\nbackends: {shop: {url: http://127.0.0.1:9000}}\nstages:\n  prod:\n    routes: [{path: \"/{proxy+}\", backend: shop}]\n",
	`listen: 127.0.0.1:8080
tls: {cert_file: a.pem, key_file: b.pem}
trusted_proxies: [10.0.0.0/8, "::1"]
admin: {socket: "", listen: "", tls: {cert_file: "", key_file: ""}, insecure: false, hosts: []}
data_dir: ./data
encryption: {key_env: KEY, old_key_files: [a, b]}
access_log: {path: "-", format: text}
audit_file: ""
api: {id: shop, name: shop}
backends:
  shop: &b {url: "https://[::1]:9000/x", timeout: 29s, max_connections: 256, preserve_host: false, tls: {ca: "", cert: c, key: k}}
  other: *b
stages:
  prod:
    mode: apigateway
    base_path: /v1/{stage}
    hosts: [api.example.com, 192.0.2.1]
    cache: {enabled: true, capacity: 6.1GB, memory: 512MB, ttl: 300s, encrypt: true, max_object: 1MiB, max_ttl: 1d12h}
    methods:
      "*": {cacheTtlInSeconds: 5, cacheKeyParameters: [method.request.header.A, integration.request.path.proxy]}
      "GET /products/{id}": {ttl: 60s, key: {mode: declared, headers: [Accept-Language], cookies: [c], query: {exclude: [utm_source]}}}
      "ANY /%61/{x}": {caching: false, forward_headers: [], ignore_cookies: true, set_cookie: store, cacheNamespace: n}
    routes:
      - {path: "/{proxy+}", backend: shop}
iam:
  account: "1"
  users: {d: {access_keys: [{id: A, secret_env: S}], tokens: [{file: T}], policy: {Statement: [{Effect: Allow}]}, policy_file: p}}
`,
	"stages: &s {a: {hosts: *s, cache: {<<: {ttl: 1}}}}\n",
	"listen: 8080\nlisten: !!int x\ntll: 1\n---\n- [\n",
	"stages:\n\ta: 1\n",
	"---",
	"trusted_proxies:\n-",
	"stages: {a: {cache: {ttl: 99999999999d, capacity: 1e99, memory: -1, cacheTtlInSeconds: 9223372036854775807}}}\n",
}

// FuzzConfig: whatever the file holds, the answer is a checked configuration or Errors with a place and a text each;
// the same again for the same bytes; and what was accepted holds what others rely on.
func FuzzConfig(f *testing.F) {
	for _, s := range configSeeds {
		f.Add([]byte(s))
	}
	o := config.Options{SkipFiles: true, LookupEnv: func(string) (string, bool) { return "", false }}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f.yaml", data, o)
		if err != nil {
			checkConfigErrors(t, c, err, data)
			if _, again := config.Parse("f.yaml", data, o); again == nil || again.Error() != err.Error() {
				t.Fatalf("first %v, then %v", err, again)
			}
			return
		}
		if len(c.Stages) == 0 {
			t.Fatal("no stage")
		}
		for _, w := range c.Warnings() {
			if w.Message == "" {
				t.Fatal("an empty warning")
			}
		}
		for _, s := range c.Stages {
			checkStage(t, c, s)
		}
	})
}

func checkConfigErrors(t *testing.T, c *config.Config, err error, data []byte) {
	var list config.Errors
	if c != nil || !errors.As(err, &list) || len(list) == 0 {
		t.Fatalf("%v with %T %v", c, err, err)
	}
	lines := 1
	for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // YAML's line breaks
		lines += strings.Count(string(data), b)
	}
	for i, e := range list {
		if e.Message == "" || e.File != "f.yaml" || e.Line < 0 || i > 0 && e.Line < list[i-1].Line {
			t.Fatalf("%+v", e)
		}
		if e.Line > lines {
			t.Fatalf("line %d of %d: %v", e.Line, lines, e)
		}
		if text := e.Error() + e.Hint; strings.ContainsAny(text, "\x00\x1b\n\r\x7f") {
			t.Fatalf("a control character in %q", text)
		}
	}
}

func checkStage(t *testing.T, c *config.Config, s *config.Stage) {
	if s.Line < 1 || !strings.HasPrefix(s.BasePath, "/") || len(s.BasePath) > 1 && strings.HasSuffix(s.BasePath, "/") {
		t.Fatalf("%+v", s)
	}
	k := s.Cache
	if k.Capacity < 8<<20 || k.Memory < 0 || k.Memory > 0 && k.Memory < 48_000_000 || k.MaxObject < 1 || int64(k.MaxObject) > k.Capacity/8 || k.MaxTTL <= 0 {
		t.Fatalf("%+v", k)
	}
	var routes, methods policy.Table[int]
	place := func(table *policy.Table[int], verb, text string) {
		tpl, err := policy.ParseTemplate(text)
		if err == nil {
			err = table.Add(verb, tpl, 0)
		}
		if err != nil {
			t.Fatalf("checked, but the gateway cannot use it: %v", err)
		}
	}
	for _, h := range s.Hosts {
		if clean, err := policy.CleanHost(h, "http"); err != nil || clean != h {
			t.Fatalf("host %q would be compared as %q, %v", h, clean, err)
		}
	}
	for _, r := range s.Routes {
		place(&routes, policy.Any, r.Path)
		if c.Backends[r.Backend] == nil || c.Backends[r.Backend].URL == nil {
			t.Fatalf("route %+v leads nowhere", r)
		}
	}
	all := []config.Settings{s.Default}
	for _, m := range s.Methods {
		all = append(all, m.Settings)
		place(&methods, m.Verb, m.Template)
		if m.Verb != "GET" && m.Verb != "ANY" && m.Settings.Caching && !m.Settings.IsSet(config.SetCaching) {
			t.Fatalf("%s %s caches though nobody said so", m.Verb, m.Template)
		}
	}
	for _, v := range all {
		for _, p := range v.CacheKeyParameters {
			if _, err := policy.ParseKeyParameter(p); err != nil {
				t.Fatal(err)
			}
		}
		if v.TTL < 0 || v.TTL > k.MaxTTL || v.NegativeTTL < 0 || v.Strategy == "" || v.Key.Mode == "" || len(v.Key.Query.Include) > 0 && len(v.Key.Query.Exclude) > 0 {
			t.Fatalf("%+v", v)
		}
		if v.Encrypt && k.Enabled && !c.Encryption.Configured() {
			t.Fatal("encryption without a key")
		}
	}
}

// FuzzConfigSize: what a size is read as is written so that it is read the same.
func FuzzConfigSize(f *testing.F) {
	for _, s := range []string{"6.1GB", "8388608", "1.5KiB", "-1", "9223372036854775807", "1e9", "0.001KB", "1..2MB", " 5 mb "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := config.ParseSize(s)
		if err != nil {
			return
		}
		if back, err := config.ParseSize(config.FormatSize(n)); n < 0 || err != nil || back != n {
			t.Fatalf("%q is %d, written %q, read %d, %v", s, n, config.FormatSize(n), back, err)
		}
		if d, err := config.ParseDuration(s); err == nil && d < 0 {
			t.Fatalf("%q is %v", s, d)
		}
	})
}
