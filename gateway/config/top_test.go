package config

import (
	"strings"
	"testing"
)

func TestTopLevelErrors(t *testing.T) {
	checkErrors(t, []errorCase{
		{"listen: 8080\n", []string{`6: listen: "8080": must be host:port | write 127.0.0.1:8080, or :8080 for every address of the machine`}},
		{"listen: localhost:http\n", []string{`6: listen: "localhost:http": the port "http" is not a number up to 65535 | write 127.0.0.1:8080, or :8080 for every address of the machine`}},
		{"listen: 1.2.3.4:70000\n", []string{`6: listen: "1.2.3.4:70000": the port "70000" is not a number up to 65535 | write 127.0.0.1:8080, or :8080 for every address of the machine`}},
		{"listen: \"a b:80\"\n", []string{`6: listen: "a b:80": the host "a b" is neither an address nor a host name | write 127.0.0.1:8080, or :8080 for every address of the machine`}},
		{"listen: \"\"\n", []string{"6: listen: is empty | write 127.0.0.1:8080"}},
		{"listen: :0\n", nil},
		{"listen: \"[::1]:8080\"\n", nil},
		{"data_dir: \"\"\n", []string{"6: data_dir: is empty | write ./data"}},
		{"tls: {cert_file: a.pem}\n", []string{"6: tls: cert_file without key_file | set key_file too"}},
		{"tls: {key_file: a.pem}\n", []string{"6: tls: key_file without cert_file | set cert_file too"}},
		{"tls: {cert_file: a.pem, key_file: b.pem}\n", nil},
		{"trusted_proxies: [10.0.0.0/8, 192.0.2.7, \"::1\", \"2001:db8::/32\"]\n", nil},
		{"trusted_proxies:\n  - 10.0.0.0/8\n  - 10.1.2.3/8\n", []string{`8: trusted_proxies[1]: "10.1.2.3/8" has bits set after its prefix | write 10.0.0.0/8`}},
		{"trusted_proxies: [proxy.example.com]\n", []string{`6: trusted_proxies[0]: "proxy.example.com" is neither a network nor an address | write 10.0.0.0/8 or 192.0.2.7`}},
		{"trusted_proxies: 10.0.0.0/8\n", []string{`6: trusted_proxies: must be a list, not "10.0.0.0/8" | write [10.0.0.0/8]`}},
		{"admin: {socket: /" + strings.Repeat("s", 100) + "}\n", []string{"6: admin.socket: the path of the unix socket is 101 bytes long, more than 100 | set admin.socket to a shorter path, such as /run/stagecache/admin.sock"}},
		{"admin: {socket: /" + strings.Repeat("s", 99) + "}\n", nil},
		{"data_dir: /" + strings.Repeat("d", 90) + "\n", []string{"6: admin.socket: the path of the unix socket is 102 bytes long, more than 100 | set admin.socket to a shorter path, such as /run/stagecache/admin.sock"}},
		{"access_log: {format: xml}\n", []string{`6: access_log.format: must be json or text, not "xml"`}},
		{"api: {id: \"a b\"}\n", []string{`6: api.id: "a b" is not 1 to 128 letters, digits, - or _`}},
		{"api: {id: 123}\n", nil},
		{"admin: {socket: \"\", listen: \"\", tls: {cert_file: \"\", key_file: \"\"}, insecure: false, hosts: []}\naudit_file: \"\"\niam: {}\n", nil},
		{"audit_file: audit.log\n", nil},
		{"iam:\n  acount: \"1\"\n", []string{"7: iam: unknown key \"acount\" | did you mean \"account\"?"}},
	})
}

func TestBackendErrors(t *testing.T) {
	const rest = "stages: {p: {cache: {enabled: false}, routes: [{path: /, backend: a}]}}\n"
	url := func(u string) string { return "backends:\n  a:\n    url: " + u + "\n" + rest }
	for u, want := range map[string]string{
		"https://user:hunter2@example.com":       "must not hold a user or password",
		"ftp://example.com":                      "must begin with http:// or https://",
		"example.com":                            "must begin with http:// or https://",
		"127.0.0.1:9000":                         "is not a URL",
		"http://":                                "names no host",
		"\"http://:80\"":                         "names no host",
		"http://a?x=1":                           "must not have a query",
		"\"http://a#x\"":                         "must not have a fragment",
		"http://a:0":                             "has a port that is not a number from 1 to 65535",
		"\"http://a:\"":                          "has a port that is not a number from 1 to 65535",
		"http://a:99999":                         "has a port that is not a number from 1 to 65535",
		"http://a_b..c":                          "names a host that is not valid",
		"\"http://a b\"":                         "is not a URL",
		"http://127.0.0.1:9000/base":             "",
		"\"https://[::1]:9000\"":                 "",
		"\"http://user:hunter2@a:b:c/?hunter2\"": "is not a URL",
	} {
		var list []string
		if want != "" {
			list = []string{"3: backends.a.url: " + want + " | write http://127.0.0.1:9000"}
		}
		checkText(t, url(u), list)
	}
	entry := func(e string) string { return "backends:\n  a:\n    " + e + "\n" + rest }
	for e, want := range map[string]string{
		"timeout: 1s":                                             "2: backends.a: has no url | write url: http://127.0.0.1:9000",
		"{url: http://a, timeout: 0s}":                            `3: backends.a.timeout: "0s" is not between 1ms and 3600s`,
		"{url: http://a, timeout: 2h}":                            `3: backends.a.timeout: "2h" is not between 1ms and 3600s`,
		"{url: http://a, timeout: 29}":                            `3: backends.a.timeout: "29" has no unit | write 29s`,
		"{url: http://a, max_connections: 0}":                     "3: backends.a.max_connections: 0 is not between 1 and 65536",
		"{url: http://a, max_connections: many}":                  `3: backends.a.max_connections: must be a whole number, not "many"`,
		"{url: http://a, max_connections: 99999999999999999999}":  `3: backends.a.max_connections: must be a whole number, not "99999999999999999999"`,
		"{url: http://a, tls: {ca: x}}":                           "3: backends.a.tls: has no effect on an http backend | write https in the url, or leave tls out",
		"{url: https://a, tls: {cert: x}}":                        "3: backends.a.tls: cert and key belong together | set both or neither",
		"{url: https://a, tls: {ca: x, cert: y, key: z}}":         "",
		"{url: http://a, tls: {ca: \"\", cert: \"\", key: \"\"}}": "",
		"{url: {a: b}}":                                           "3: backends.a.url: must be text, not a map",
		"{url: http://a, ulr: http://b}":                          `3: backends.a: unknown key "ulr" | did you mean "url"?`,
	} {
		var list []string
		if want != "" {
			list = []string{want}
		}
		checkText(t, entry(e), list)
	}
	checkText(t, "backends:\n  \"a/b\": {url: http://a}\nstages: {p: {cache: {enabled: false}, routes: [{path: /, backend: a/b}]}}\n",
		[]string{`2: backends["a/b"]: a backend's name is 1 to 128 letters, digits, -, _ or .`})
}

func TestShapeErrors(t *testing.T) {
	checkErrors(t, []errorCase{
		{"    chache: {}\n", []string{`6: stages.prod: unknown key "chache" | did you mean "cache"?`}},
		{"    cache:\n      ttl: 1s\n      tll: 300s\n", []string{`8: stages.prod.cache: unknown key "tll" | did you mean "ttl"?`}},
		{"    ttl: 300s\n", []string{`6: stages.prod: unknown key "ttl" | "ttl" belongs under stages.NAME.cache or stages.NAME.methods.NAME`}},
		{"    cache: {cache_ttl_in_seconds: 5}\n", []string{`6: stages.prod.cache: unknown key "cache_ttl_in_seconds" | did you mean "cacheTtlInSeconds"?`}},
		{"zebra: 1\n", []string{`6: unknown key "zebra" | known keys here: listen, tls, trusted_proxies, admin, data_dir, encryption, access_log, audit_file, api, backends, stages, iam`}},
		{"\"\\e[31mx\": 1\n", []string{`6: unknown key "\x1b[31mx" | known keys here: listen, tls, trusted_proxies, admin, data_dir, encryption, access_log, audit_file, api, backends, stages, iam`}},
		{"encryption: {key_env: A}\n", []string{"6: encryption: is set twice (lines 1 and 6)"}},
		{"    cache:\n      ttl: 1s\n      ttl: 2s\n", []string{"8: stages.prod.cache.ttl: is set twice (lines 7 and 8)"}},
		{"    cache: {ttl: }\n", []string{"6: stages.prod.cache.ttl: must be a duration such as 300s, not empty"}},
		{"    cache: {ttl: [1s]}\n", []string{"6: stages.prod.cache.ttl: must be a duration such as 300s, not a list"}},
		{"    cache: [ttl]\n", []string{"6: stages.prod.cache: must be a map, not a list | its keys are " + strings.Join(root.find("stages").find("cache").names(), ", ")}},
		{"    cache: {? [a] : b}\n", []string{"6: stages.prod.cache: a key must be plain text, not a list"}},
		{"    cache: {<<: {ttl: 1s}}\n", []string{`6: stages.prod.cache: unknown key "<<" | merge keys are not supported: write the keys out`}},
		{"    cache: {ttl: !!str 1s}\n", []string{`6: stages.prod.cache.ttl: the tag "!!str" is not supported | remove the tag`}},
		{"listen: \"a\\nb\"\n", []string{"6: listen: contains a control character"}},
		{"    hosts: &h [a.example.com]\n  beta: {base_path: /b, hosts: *h, routes: [{path: /, backend: shop}]}\n", nil},
	})
	for text, want := range map[string]string{
		"":                     "1: the file is empty | see docs/configuration.md for a file to start from",
		"# nothing\n":          "1: the file is empty | see docs/configuration.md for a file to start from",
		"---\n":                "1: the file is empty | see docs/configuration.md for a file to start from",
		"- a\n":                "1: must be a map, not a list | its keys are listen, tls, trusted_proxies, admin, data_dir, encryption, access_log, audit_file, api, backends, stages, iam",
		"hello\n":              `1: must be a map, not "hello" | its keys are listen, tls, trusted_proxies, admin, data_dir, encryption, access_log, audit_file, api, backends, stages, iam`,
		head + "---\na: 1\n":   "6: a second document begins here | put everything into one document",
		head + "---\n[\n":      "7: not valid YAML: did not find expected node content",
		"tls:\n\tcert_file: a": "2: a tab is used for indentation | indent with spaces",
		"a: [1,\nb: 2\n":       "2: not valid YAML: did not find expected ',' or ']'",
		"a: b: c\n":            "1: not valid YAML: mapping values are not allowed in this context",
		"listen: *nowhere\n":   "1: not valid YAML: unknown anchor 'nowhere' referenced",
		"listen: \"a\n":        "1: not valid YAML: found unexpected end of stream",
	} {
		checkText(t, text, []string{want})
	}
	list := parseErrors(t, "trusted_proxies:\n-", skipping)
	if render(list[len(list)-1]) != "2: trusted_proxies[0]: must be text, not empty" {
		t.Errorf("%v", list)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	checkText(t, `listen: 8080
encryption: {key_file: root.key}
backends:
  shop: {url: ftp://x, timeout: 5}
stages:
  prod:
    cache: {ttl: 2h, tll: 1}
    routes: [{path: x, backend: shpo}]
`, []string{
		`1: listen: "8080": must be host:port | write 127.0.0.1:8080, or :8080 for every address of the machine`,
		`4: backends.shop.timeout: "5" has no unit | write 5s`,
		"4: backends.shop.url: must begin with http:// or https:// | write http://127.0.0.1:9000",
		`7: stages.prod.cache: unknown key "tll" | did you mean "ttl"?`,
		"7: stages.prod.cache.ttl: 2h is more than max_ttl (3600s) | raise max_ttl in the stage's cache to allow it",
		`8: stages.prod.routes[0].path: "x": a path template begins with "/"`,
		`8: stages.prod.routes[0].backend: there is no backend "shpo" | did you mean "shop"?`,
	})
}

// Nested lists of aliases ("billion laughs") and endless errors cost a bounded amount of work.
func TestBombs(t *testing.T) {
	bomb := "stages:\n  a:\n    hosts: &h [" + strings.Repeat("x, ", 5000) + "]\n"
	for range 100 {
		bomb += "    hosts: *h\n"
	}
	var methods strings.Builder
	methods.WriteString("stages:\n  a: &a\n    methods: &m {")
	for i := range 2000 {
		methods.WriteString("\"GET /" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "\": {forward_headers: *h}, ")
	}
	text := "trusted_proxies: &h [" + strings.Repeat("x, ", 3000) + "]\n" + methods.String() + "}\n"
	found := false
	for _, e := range parseErrors(t, text, skipping) {
		found = found || strings.Contains(e.Message, "stands for more than 200000 values") || strings.Contains(e.Message, "more errors")
	}
	if !found {
		t.Error("the bound is not reported")
	}
	if list := parseErrors(t, bomb, skipping); len(list) != maxErrors+1 || !strings.HasPrefix(list[maxErrors].Message, "and ") {
		t.Errorf("%d errors, the last %v", len(list), list[len(list)-1])
	}
	parseErrors(t, "stages: &s\n  a: {hosts: *s}\n", skipping) // an alias to what holds it
	parseErrors(t, strings.Repeat("[", 20000), skipping)
	parseErrors(t, strings.Repeat("x", maxFile+1), skipping)
}
