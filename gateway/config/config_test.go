package config

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// contract is the example file of the design: the part before iam must work as it stands.
func contract(t *testing.T) (before, iam string) {
	t.Helper()
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, iam, ok := strings.Cut(string(data), "iam:")
	if !ok {
		t.Fatal("no iam in the contract")
	}
	return before, "iam:" + iam
}

func TestContract(t *testing.T) {
	before, iam := contract(t)
	dir := folder(t)
	file := filepath.Join(dir, "stagecache.yaml")
	write(t, file, before, 0o644)
	c, err := Load(file, Options{LookupEnv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	def := Settings{
		Caching: true, TTL: 300 * time.Second, Encrypt: true, RequireAuthorization: true,
		Strategy: SucceedWithResponseHeader, Key: KeySpec{Mode: KeyFull}, SetCookie: SetCookieRefuse,
		Set: []string{SetEncrypt, SetNegativeTTL, SetStaleIfError, SetStaleWhileRevalidate, SetTTL},
	}
	product := def
	product.TTL = 60 * time.Second
	product.Key.Headers = []string{"Accept-Language"}
	product.Key.Cookies = []string{}
	product.Key.Query.Exclude = []string{"utm_source"}
	product.Set = []string{SetTTL, SetKeyHeaders, SetKeyCookies, SetKeyQuery}
	health := def
	health.Caching = false
	health.Set = []string{SetCaching}
	want := &Config{
		File: file, Listen: "127.0.0.1:8080",
		Admin:      Admin{Socket: filepath.Join(dir, "data/admin.sock")},
		DataDir:    filepath.Join(dir, "data"),
		Encryption: Encryption{KeyFile: filepath.Join(dir, "root.key")},
		AccessLog:  AccessLog{Format: "json"},
		API:        API{"shop", "shop"},
		IAM:        IAM{Account: "000000000000", Region: "us-east-1"},
		Backends: map[string]*Backend{"shop": {
			Name: "shop", URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}, Timeout: 29 * time.Second, MaxConnections: 256}},
		Stages: []*Stage{{
			Name: "prod", Mode: ModeAPIGateway, BasePath: "/prod", Line: 20,
			Cache:   Cache{Enabled: true, Capacity: 6_100_000_000, Memory: 512_000_000, MaxObject: 1_000_000, MaxTTL: time.Hour},
			Default: def,
			Methods: []Method{
				{Verb: "GET", Template: "/products/{id}", Line: 26, Settings: product},
				{Verb: "GET", Template: "/health", Line: 27, Settings: health}},
			Routes: []Route{{Path: "/{proxy+}", Backend: "shop", Line: 29}},
		}},
	}
	if d := cmp.Diff(want, c, cmpopts.SortSlices(strings.Compare)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	env := func(name string) (string, bool) { return "hunter2-" + name, strings.HasPrefix(name, "DEPLOYER_") }
	if c, err = Parse(file, []byte(before+iam), Options{LookupEnv: env}); err != nil {
		t.Fatal(err)
	}
	if u := c.IAM.Users; len(u) != 1 || u[0].Name != "deployer" || u[0].AccessKeys[0].ID != "AKIADEPLOYER" || len(u[0].Policy.Statements) != 1 ||
		c.IAM.Account != "123456789012" || c.IAM.Region != "eu-west-1" || len(c.Warnings()) > 0 {
		t.Errorf("with iam: %+v, %v", c.IAM, c.Warnings())
	}
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, head)
	want := &Config{
		File: "stagecache.yaml", Listen: "127.0.0.1:8080", DataDir: "data",
		Admin:      Admin{Socket: "data/admin.sock"},
		Encryption: Encryption{KeyFile: "root.key"},
		AccessLog:  AccessLog{Format: "json"},
		IAM:        IAM{Account: "000000000000", Region: "us-east-1"},
		API:        API{"stagecache", "stagecache"},
		Backends: map[string]*Backend{"shop": {
			Name: "shop", URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}, Timeout: 29 * time.Second, MaxConnections: 256}},
		Stages: []*Stage{{
			Name: "prod", Mode: ModeAPIGateway, BasePath: "/prod", Line: 4,
			Cache: Cache{Enabled: true, Capacity: 500_000_000, Memory: 64_000_000, MaxObject: 1_000_000, MaxTTL: time.Hour},
			Default: Settings{Caching: true, TTL: 300 * time.Second, Encrypt: true, RequireAuthorization: true,
				Strategy: SucceedWithResponseHeader, Key: KeySpec{Mode: KeyFull}, SetCookie: SetCookieRefuse},
			Routes: []Route{{Path: "/{proxy+}", Backend: "shop", Line: 5}},
		}},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestPaths(t *testing.T) {
	text := head + `data_dir: ../var
access_log: {path: log/access, format: text}
admin: {socket: run/x.sock}
tls: {cert_file: /etc/a.pem, key_file: b.pem}
trusted_proxies: [10.0.0.0/8, 192.0.2.7]
`
	c, err := Parse("/srv/gw/stagecache.yaml", []byte(text), skipping)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.DataDir, c.AccessLog.Path, c.Admin.Socket, c.TLS.CertFile, c.TLS.KeyFile, c.Encryption.KeyFile}
	want := []string{"/srv/var", "/srv/gw/log/access", "/srv/gw/run/x.sock", "/etc/a.pem", "/srv/gw/b.pem", "/srv/gw/root.key"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if p := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}; !slices.Equal(c.TrustedProxies, p) {
		t.Errorf("%v", c.TrustedProxies)
	}
	if c := mustParse(t, head+"access_log: {path: \"-\"}\n"); c.AccessLog.Path != "-" {
		t.Errorf("%q", c.AccessLog.Path)
	}
}

// An entry is the stage's cache, then "*", then its own keys.
func TestInheritance(t *testing.T) {
	c := mustParse(t, head+`    cache:
      cacheTtlInSeconds: 10
      negative_ttl: 5s
      stale_if_error: 1m
      key: {headers: [a], cookies: [c], query: {include: [q]}}
      forward_headers: []
    methods:
      "*": {ttl: 20s, cacheNamespace: ns, ignore_cookies: true, set_cookie: strip}
      "GET /a": {stale_while_revalidate: 3s, key: {query: {exclude: [x]}}}
      "GET /b": {cachingEnabled: false, key: {headers: []}, forward_headers: [x-a]}
      "POST /a": {ttl: 1s}
      "POST /b": {caching: true}
      "ANY /c": {}
      "GET /d": {cacheKeyParameters: [method.request.header.x-tenant, method.request.querystring.q]}
      "GET /e": {key: {mode: declared}, unauthorizedCacheControlHeaderStrategy: FAIL_WITH_403, ttl: 0s}
`)
	s := c.Stages[0]
	d := s.Default
	if d.TTL != 20*time.Second || d.NegativeTTL != 5*time.Second || !d.IgnoreCookies || d.SetCookie != SetCookieStrip || d.CacheNamespace != "ns" || d.ForwardHeaders == nil ||
		!slices.Equal(d.Set, []string{SetCacheNamespace, SetForwardHeaders, SetIgnoreCookies, SetKeyCookies, SetKeyHeaders, SetKeyQuery, SetNegativeTTL, SetSetCookie, SetStaleIfError, SetTTL}) {
		t.Errorf("default: %+v", d)
	}
	entry := func(name string) Settings {
		for _, m := range s.Methods {
			if m.Verb+" "+m.Template == name {
				return m.Settings
			}
		}
		t.Fatalf("no entry %s", name)
		return Settings{}
	}
	a := entry("GET /a")
	if !a.Caching || a.TTL != 20*time.Second || a.StaleIfError != time.Minute || a.StaleWhileRevalidate != 3*time.Second ||
		!slices.Equal(a.Key.Headers, []string{"A"}) || !slices.Equal(a.Key.Cookies, []string{"c"}) ||
		a.Key.Query.Include != nil || !slices.Equal(a.Key.Query.Exclude, []string{"x"}) ||
		!slices.Equal(a.Set, []string{SetStaleWhileRevalidate, SetKeyQuery}) {
		t.Errorf("GET /a: %+v", a)
	}
	if b := entry("GET /b"); b.Caching || len(b.Key.Headers) != 0 || !slices.Equal(b.ForwardHeaders, []string{"X-A"}) || !b.IsSet(SetCaching) || b.IsSet(SetTTL) {
		t.Errorf("GET /b: %+v", b)
	}
	if p := entry("POST /a"); p.Caching || p.TTL != time.Second {
		t.Errorf("POST /a inherits caching: %+v", p)
	}
	if p := entry("POST /b"); !p.Caching || !p.IsSet(SetCaching) {
		t.Errorf("POST /b: %+v", p)
	}
	if x := entry("ANY /c"); !x.Caching || x.Set != nil {
		t.Errorf("ANY /c: %+v", x)
	}
	// In mode full a header that is a declared parameter is keyed like any other.
	if x := entry("GET /d"); !slices.Equal(x.Key.Headers, []string{"A", "X-Tenant"}) || !slices.Equal(x.Set, []string{SetCacheKeyParameters, SetKeyHeaders}) {
		t.Errorf("GET /d: %+v", x)
	}
	if x := entry("GET /e"); x.Key.Mode != KeyDeclared || x.Strategy != FailWith403 || x.TTL != 0 {
		t.Errorf("GET /e: %+v", x)
	}
	// What one entry adds to an inherited list, no other entry sees.
	if x := entry("GET /e"); len(x.Key.Headers) != 1 || len(s.Default.Key.Headers) != 1 {
		t.Errorf("GET /d leaks into %q, %q", x.Key.Headers, s.Default.Key.Headers)
	}
}

func TestLoweredMaxTTL(t *testing.T) {
	if c := mustParse(t, head+"    cache: {max_ttl: 60s}\n"); c.Stages[0].Default.TTL != 60*time.Second {
		t.Errorf("ttl %v", c.Stages[0].Default.TTL)
	}
}

func TestStagesAreSorted(t *testing.T) {
	c := mustParse(t, head+"  beta: {routes: [{path: /, backend: shop}]}\n  \"1\": {hosts: [\"::1\", EXAMPLE.com., 192.0.2.1], routes: [{path: /, backend: shop}]}\n")
	var names []string
	for _, s := range c.Stages {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"1", "beta", "prod"}) || !slices.Equal(c.Stages[0].Hosts, []string{"[::1]", "example.com", "192.0.2.1"}) {
		t.Errorf("%q, hosts %q", names, c.Stages[0].Hosts)
	}
}
