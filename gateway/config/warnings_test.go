package config

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const off = "leave encrypt out, and set encryption.key_file"
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"    cache: {memory: 64MB, capacity: 8GB}\n", nil},
		{"    cache: {memory: 64MB, capacity: 10GB}\n", []string{"4: stages.prod.cache.memory: the index of 10GB on disk may need 39.062MB, more than half of memory (64MB): the oldest entries would go before the capacity is used | raise memory to about 79MB, or lower capacity"}},
		{"    cache: {memory: 0, capacity: 10GB}\n", nil},
		{"    cache: {encrypt: false}\n    methods: {GET /a: {ttl: 1s}}\n", []string{"4: stages.prod: answers of this stage are stored without encryption | " + off}},
		{"    cache: {encrypt: false, enabled: false}\n", nil},
		{"    cache: {set_cookie: strip}\n", nil},
		{"    cache: {set_cookie: store}\n    methods: {GET /a: {ttl: 1s}}\n", []string{"4: stages.prod.cache.set_cookie: store gives one client's cookies to everybody | use strip, unless these cookies tell nobody apart"}},
		{"    methods:\n      GET /a: {set_cookie: store}\n", []string{`7: stages.prod.methods["GET /a"].set_cookie: store gives one client's cookies to everybody | use strip, unless these cookies tell nobody apart`}},
		{"    methods:\n      GET /a: {encrypt: false}\n", []string{`7: stages.prod.methods["GET /a"]: these answers are stored without encryption | leave encrypt out`}},
		{"    methods:\n      POST /a: {ttl: 5s}\n      PUT /a: {caching: true}\n      ANY /b: {}\n", []string{`7: stages.prod.methods["POST /a"]: stores nothing: only GET is cached unless the entry itself sets caching | write caching: true if answers to POST may be stored`}},
		{"    methods:\n      HEAD /a: {ttl: 5s}\n", []string{`7: stages.prod.methods["HEAD /a"]: has no effect: HEAD is answered by GET's entry and its settings | set it for GET`}},
		{"    methods:\n      \"GET /p/{id}/{n}\": {key: {mode: declared}, cacheKeyParameters: [method.request.path.n]}\n", []string{`7: stages.prod.methods["GET /p/{id}/{n}"]: key mode declared leaves {id} of /p/{id}/{n} out of the key: one path's answer is served for another | add method.request.path.id to cacheKeyParameters, or use mode full`}},
		{"    methods:\n      \"GET /p/{id}\": {key: {mode: declared}, caching: false}\n", nil},
		{"    methods:\n      \"GET /p/{id}\": {key: {mode: declared}, ttl: 0s}\n", nil},
		{"    methods:\n      \"GET /p\": {key: {mode: declared}}\n", nil},
		{"    cache: {key: {mode: declared}}\n", []string{`5: stages.prod: key mode declared leaves {proxy} of /{proxy+} out of the key: one path's answer is served for another | add method.request.path.proxy to cacheKeyParameters, or use mode full`}},
		{"    cache: {key: {mode: declared}, cacheKeyParameters: [method.request.path.proxy]}\n", nil},
		{"    methods:\n      \"GET /a\": {key: {mode: declared, headers: [a]}}\n", []string{`7: stages.prod.methods["GET /a"].key: mode declared takes no headers and cookies into the key | name headers in cacheKeyParameters, or use mode full`}},
		{"    cache: {cacheNamespace: n}\n", []string{"4: stages.prod.cacheNamespace: has no effect in key mode full | leave it out, or use mode declared"}},
		{"    cache: {cacheNamespace: n}\n    methods:\n      \"GET /a\": {key: {mode: declared}}\n", nil},
		{"    methods:\n      \"GET /a\": {cacheNamespace: n}\n", []string{`7: stages.prod.methods["GET /a"].cacheNamespace: has no effect in key mode full | leave it out, or use mode declared`}},
		{"    methods:\n      \"GET /a\": {cacheNamespace: n, key: {mode: declared}}\n", nil},
		{"    methods:\n      \"POST /a\": {caching: true, key: {mode: declared}}\n", []string{`7: stages.prod.methods["POST /a"]: key mode declared leaves the body of POST out of the key: one body's answer is served for another | use mode full for it, or caching: false`}},
		{"    methods:\n      \"POST /a\": {caching: true}\n      \"PUT /a\": {caching: false, key: {mode: declared}}\n      \"DELETE /a\": {caching: true, ttl: 0s, key: {mode: declared}}\n", nil},
		// An entry for the route's own template: the stage's default is not what its GETs get.
		{"    cache: {key: {mode: declared}}\n    methods:\n      \"GET /{rest+}\": {cacheKeyParameters: [method.request.path.rest]}\n", nil},
		{"    cache: {key: {mode: declared}, cacheKeyParameters: [method.request.path.proxy]}\n    methods:\n      \"GET /a\": {cacheKeyParameters: [], cacheNamespace: n}\n      \"GET /b\": {cacheKeyParameters: [], cacheNamespace: n}\n      \"POST /c\": {cacheKeyParameters: [], cacheNamespace: n, caching: false}\n      \"GET /d\": {cacheKeyParameters: [method.request.header.a], cacheNamespace: n}\n      \"GET /e\": {cacheKeyParameters: []}\n",
			[]string{`9: stages.prod: /a and /b have the cacheNamespace "n" and the same key parameters: one path's answer is served for the other | give each a cacheNamespace of its own, or leave it out`}},
		{"trusted_proxies: [0.0.0.0/0]\n", []string{" trusted_proxies: 0.0.0.0/0 believes the X-Forwarded-For of everybody | list your own proxies"}},
	} {
		var got []string
		for _, w := range mustParse(t, head+c.text).Warnings() {
			got = append(got, render(w))
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", numbered(head+c.text), strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	got := mustParse(t, strings.Replace(head, "{shop:", "{b: {url: http://b}, a: {url: http://a}, shop:", 1)).Warnings()
	if len(got) != 2 || render(got[0]) != " backends.a: no route uses this backend" || render(got[1]) != " backends.b: no route uses this backend" {
		t.Errorf("%v", got)
	}
}
