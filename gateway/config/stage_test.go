package config

import (
	"fmt"
	"strings"
	"testing"
)

// many are n different names.
func many(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("x", i)
	}
	return strings.Join(names, ", ")
}

func TestSettingErrors(t *testing.T) {
	checkErrors(t, []errorCase{
		{"    cache: {ttl: 3600s}\n", nil},
		{"    cache: {ttl: 0s}\n", nil},
		{"    cache: {ttl: 2d, max_ttl: 365d}\n", nil},
		{"    cache:\n      ttl: 4000s\n", []string{"7: stages.prod.cache.ttl: 4000s is more than max_ttl (3600s) | raise max_ttl in the stage's cache to allow it"}},
		{"    cache:\n      cacheTtlInSeconds: 3601\n", []string{"7: stages.prod.cache.cacheTtlInSeconds: 3601s is more than max_ttl (3600s) | raise max_ttl in the stage's cache to allow it"}},
		{"    cache:\n      max_ttl: 120s\n    methods:\n      \"GET /a\":\n        ttl: 3m\n", []string{`10: stages.prod.methods["GET /a"].ttl: 3m is more than max_ttl (120s) | raise max_ttl in the stage's cache to allow it`}},
		{"    cache:\n      ttl: -1s\n", []string{`7: stages.prod.cache.ttl: "-1s" is negative | write a number and a unit, such as 300s or 5m`}},
		{"    cache:\n      ttl: 300\n", []string{`7: stages.prod.cache.ttl: "300" has no unit | write 300s`}},
		{"    cache:\n      ttl: soon\n", []string{`7: stages.prod.cache.ttl: "soon" is not a duration | write a number and a unit, such as 300s or 5m`}},
		{"    cache: {cacheTtlInSeconds: 300}\n", nil},
		{"    cache: {cacheTtlInSeconds: 5m}\n", nil},
		{"    cache: {max_ttl: 366d}\n", []string{"6: stages.prod.cache.max_ttl: 366d is not between 1s and 365d"}},
		{"    cache: {max_ttl: 0s}\n", []string{"6: stages.prod.cache.max_ttl: 0s is not between 1s and 365d"}},
		{"    cache: {negative_ttl: 60s}\n", nil},
		{"    cache: {negative_ttl: 61s}\n", []string{"6: stages.prod.cache.negative_ttl: 61s is more than 60s"}},
		{"    cache: {stale_if_error: 366d}\n", []string{"6: stages.prod.cache.stale_if_error: 366d is more than 365d"}},
		{"    cache: {stale_while_revalidate: 9999d}\n", []string{"6: stages.prod.cache.stale_while_revalidate: 9999d is more than 365d"}},
		{"    cache: {encrypt: yes}\n", []string{`6: stages.prod.cache.encrypt: must be true or false, not "yes" | write true, without quotes`}},
		{"    cache: {encrypt: maybe}\n", []string{`6: stages.prod.cache.encrypt: must be true or false, not "maybe"`}},
		{"    cache: {unauthorizedCacheControlHeaderStrategy: FAIL_WITH_404}\n", []string{`6: stages.prod.cache.unauthorizedCacheControlHeaderStrategy: must be FAIL_WITH_403, SUCCEED_WITH_RESPONSE_HEADER or SUCCEED_WITHOUT_RESPONSE_HEADER, not "FAIL_WITH_404" | did you mean "FAIL_WITH_403"?`}},
		{"    cache:\n      requireAuthorizationForCacheControl: false\n", nil},
		{"    cache:\n      ttl: 60s\n      cacheTtlInSeconds: 60\n", []string{"8: stages.prod.cache: ttl (line 7) and cacheTtlInSeconds (line 8) are one setting | keep one of them"}},
		{"    methods:\n      \"GET /a\":\n        cachingEnabled: true\n        caching: true\n", []string{`9: stages.prod.methods["GET /a"]: cachingEnabled (line 8) and caching (line 9) are one setting | keep one of them`}},
		{"    cache: {cacheDataEncrypted: true, encrypt: true}\n", []string{"6: stages.prod.cache: cacheDataEncrypted (line 6) and encrypt (line 6) are one setting | keep one of them"}},
		{"    cache:\n      key: {mode: strict}\n", []string{`7: stages.prod.cache.key.mode: must be full or declared, not "strict"`}},
		{"    cache:\n      key: {headers: [Accept-Language, accept-language]}\n", []string{`7: stages.prod.cache.key.headers[1]: "accept-language" is listed twice`}},
		{"    cache:\n      key: {headers: [\"Accept Language\"]}\n", []string{`7: stages.prod.cache.key.headers[0]: "Accept Language" is not a header's name`}},
		{"    cache:\n      forward_headers: [\"a:b\"]\n", []string{`7: stages.prod.cache.forward_headers[0]: "a:b" is not a header's name`}},
		{"    cache:\n      key: {cookies: [\"a=b\"]}\n", []string{`7: stages.prod.cache.key.cookies[0]: "a=b" is not a cookie's name`}},
		{"    cache:\n      key:\n        query:\n          include: [a]\n          exclude: [b]\n", []string{"10: stages.prod.cache.key.query: include (line 9) and exclude (line 10) are both set | keep one of them"}},
		{"    cache: {key: {query: {include: []}}}\n", []string{"6: stages.prod.cache.key.query.include: is empty | leave it out to keep every parameter, or list those to keep"}},
		{"    cache: {key: {query: {exclude: [utm_*]}}}\n", []string{`6: stages.prod.cache.key.query.exclude[0]: "utm_*" has a wildcard, which is not supported | list each parameter by its name`}},
		{"    cache: {key: {query: {exclude: [a=b]}}}\n", []string{`6: stages.prod.cache.key.query.exclude[0]: "a=b" is not a parameter's name | write the name alone, such as utm_source`}},
		{"    cache: {key: {query: {exclude: [a, a]}}}\n", []string{"6: stages.prod.cache.key.query.exclude[1]: is listed twice (first on line 6)"}},
		{"    cache: {forward_headers: [" + many(257) + "]}\n", []string{"6: stages.prod.cache.forward_headers: has 257 items, more than 256"}},
		{"    cache: {forward_headers: [" + many(256) + "]}\n", nil},
		{"    cache: {key: {query: {exclude: [\"\"]}}}\n", []string{"6: stages.prod.cache.key.query.exclude[0]: is empty | remove it"}},
		{"    cache: {key: {query: {exclude: utm_source}}}\n", []string{`6: stages.prod.cache.key.query.exclude: must be a list, not "utm_source" | write [utm_source]`}},
		{"    methods:\n      \"GET /p/{id}\":\n        cacheKeyParameters: [method.request.path.idd]\n", []string{`8: stages.prod.methods["GET /p/{id}"].cacheKeyParameters[0]: "/p/{id}" has no parameter "idd" | did you mean "id"?`}},
		{"    methods:\n      \"GET /p/{id}\": {cacheKeyParameters: [method.request.path.id, method.request.querystring.q, integration.request.header.X-A]}\n", nil},
		{"    cache: {cacheKeyParameters: [method.request.body]}\n", []string{"6: stages.prod.cache.cacheKeyParameters[0]: the body cannot be part of the key | write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME"}},
		{"    cache: {cacheKeyParameters: [method.request.multivalueheader.a]}\n", []string{"6: stages.prod.cache.cacheKeyParameters[0]: a multi-value parameter cannot be part of the key | write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME"}},
		{"    cache: {cacheKeyParameters: [department]}\n", []string{`6: stages.prod.cache.cacheKeyParameters[0]: "department" is not a parameter of the request | write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME`}},
		{"    cache: {cacheKeyParameters: [method.request.header.]}\n", []string{`6: stages.prod.cache.cacheKeyParameters[0]: "method.request.header." does not name a parameter | write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME`}},
		{"    cache: {cacheKeyParameters: [method.request.form.x]}\n", []string{`6: stages.prod.cache.cacheKeyParameters[0]: "form" is not a place that parameters come from | write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME`}},
	})
}

func TestCacheErrors(t *testing.T) {
	checkErrors(t, []errorCase{
		{"    cache: {capacity: 8388608, max_object: 1MiB}\n", nil},
		{"    cache:\n      capacity: 8388607\n", []string{`7: stages.prod.cache.capacity: 8388607 is less than one segment: the least capacity is 8MiB (8388608 bytes) | write 8MiB or more`}},
		{"    cache:\n      capacity: 1MB\n      max_object: 500KB\n", []string{`7: stages.prod.cache.capacity: 1MB is less than one segment: the least capacity is 8MiB (8388608 bytes) | write 8MiB or more`}},
		{"    cache: {capacity: -1GB}\n", []string{`6: stages.prod.cache.capacity: "-1GB" is negative | write a number and a unit, such as 512MB or 6.1GB`}},
		{"    cache: {capacity: huge}\n", []string{`6: stages.prod.cache.capacity: "huge" is not a size | write a number and a unit, such as 512MB or 6.1GB`}},
		{"    cache: {memory: 0}\n", nil},
		{"    cache: {memory: 48MB}\n", nil},
		{"    cache: {memory: 47MB}\n", []string{`6: stages.prod.cache.memory: 47MB is less than 48MB | write 0 for a store on disk only, or 48MB and more`}},
		{"    cache: {memory: 1}\n", []string{`6: stages.prod.cache.memory: 1 is less than 48MB | write 0 for a store on disk only, or 48MB and more`}},
		{"    cache: {max_object: 64MB, capacity: 1GB}\n", nil},
		{"    cache: {max_object: 65MB}\n", []string{`6: stages.prod.cache.max_object: 65MB is more than 64MB`}},
		{"    cache: {max_object: 0}\n", []string{"6: stages.prod.cache.max_object: is 0 | write enabled: false or caching: false to store nothing"}},
		{"    cache: {capacity: 80MB, max_object: 11MB}\n", []string{`6: stages.prod.cache.max_object: 11MB is more than an eighth of the capacity (80MB) | raise capacity or lower max_object`}},
		{"    cache: 1GB\n", []string{`6: stages.prod.cache: must be a map, not "1GB" | its keys are enabled, capacity, memory, max_object, max_ttl, caching, cachingEnabled, ttl, cacheTtlInSeconds, negative_ttl, stale_while_revalidate, stale_if_error, encrypt, cacheDataEncrypted, requireAuthorizationForCacheControl, unauthorizedCacheControlHeaderStrategy, cacheKeyParameters, cacheNamespace, key, forward_headers, ignore_cookies, set_cookie`}},
		{"    cache:\n", nil},
	})
}

func TestMethodErrors(t *testing.T) {
	checkErrors(t, []errorCase{
		{"    methods: {\"*\": {ttl: 5s}, GET /: {ttl: 1s}, ANY /: {}, \"GET /{proxy+}\": , \"GET /a.b-c_d~e/%20/{x}\": {}}\n", nil},
		{"    methods:\n      \"get /a\": {}\n", []string{`7: stages.prod.methods["get /a"]: methods are written in capitals | write "GET /a"`}},
		{"    methods:\n      \"GTE /a\": {}\n", []string{`7: stages.prod.methods["GTE /a"]: "GTE" is not a method | did you mean "GET"?`}},
		{"    methods:\n      \"PROPFIND /a\": {}\n", []string{`7: stages.prod.methods["PROPFIND /a"]: "PROPFIND" is not a method | the methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, ANY`}},
		{"    methods:\n      \"* /a\": {}\n", []string{`7: stages.prod.methods["* /a"]: "*" is not a method | write "ANY /a"`}},
		{"    methods:\n      /a: {}\n", []string{`7: stages.prod.methods["/a"]: has no method | write "GET /a"`}},
		{"    methods:\n      a/GET: {}\n", []string{`7: stages.prod.methods["a/GET"]: is not a method and a path template | write "METHOD /template", such as "GET /products/{id}", or "*" for the stage's default`}},
		{"    methods:\n      GET a: {}\n", []string{`7: stages.prod.methods["GET a"]: a path template begins with "/"`}},
		{"    methods:\n      GET /a/: {}\n", []string{`7: stages.prod.methods["GET /a/"]: a path template does not end with "/" (a request's last "/" is ignored)`}},
		{"    methods:\n      GET /" + strings.Repeat("a", 1024) + ": {}\n", []string{`7: stages.prod.methods["GET /` + strings.Repeat("a", 75) + `..."]: a path template is at most 1024 bytes long`}},
		{"    methods:\n      GET //a: {}\n", []string{`7: stages.prod.methods["GET //a"]: a path template has no empty parts`}},
		{"    methods:\n      GET /a/../b: {}\n", []string{`7: stages.prod.methods["GET /a/../b"]: the part ".." never reaches a route`}},
		{"    methods:\n      GET /a/%zz: {}\n", []string{`7: stages.prod.methods["GET /a/%zz"]: "%zz": "%" must be followed by two hexadecimal digits`}},
		{"    methods:\n      GET /a?b: {}\n", []string{`7: stages.prod.methods["GET /a?b"]: the part "a?b" has a character that a path cannot hold`}},
		{"    methods:\n      GET /*: {}\n", []string{`7: stages.prod.methods["GET /*"]: "*" is not a wildcard here: write {name} for one part, {name+} for the rest`}},
		{"    methods:\n      \"GET /{a+}/b\": {}\n", []string{`7: stages.prod.methods["GET /{a+}/b"]: "{a+}" can only be the last part`}},
		{"    methods:\n      \"GET /x{a}\": {}\n", []string{`7: stages.prod.methods["GET /x{a}"]: "x{a}": a parameter is a whole part of the path, as in /products/{id}`}},
		{"    methods:\n      \"GET /{}\": {}\n", []string{`7: stages.prod.methods["GET /{}"]: "{}" is not a parameter such as {id} or {proxy+}`}},
		{"    methods:\n      \"GET /{a}/{a}\": {}\n", []string{`7: stages.prod.methods["GET /{a}/{a}"]: the parameter "a" is named twice`}},
		{"    methods:\n      \"GET /{a}\": {}\n      \"GET /{b}\": {}\n      \"GET /{c+}\": {}\n      \"PUT /{a}\": {}\n", []string{`8: stages.prod.methods["GET /{b}"]: matches the same requests as the entry on line 7`}},
		{"    methods:\n      GET  /a: {}\n      GET /%61: {}\n", []string{`8: stages.prod.methods["GET /%61"]: matches the same requests as the entry on line 7`}},
		{"    methods:\n      GET /a: {}\n      GET /a: {}\n", []string{`8: stages.prod.methods["GET /a"]: is set twice (lines 7 and 8)`}},
		{"    methods:\n      GEET /a:\n        ttl: 9d\n", []string{
			`7: stages.prod.methods["GEET /a"]: "GEET" is not a method | did you mean "GET"?`,
			`8: stages.prod.methods["GEET /a"].ttl: 9d is more than max_ttl (3600s) | raise max_ttl in the stage's cache to allow it`}},
	})
}

func TestStageErrors(t *testing.T) {
	const shop = "{path: \"/{proxy+}\", backend: shop}"
	checkErrors(t, []errorCase{
		{"    base_path: /\n  beta: {base_path: /a, routes: [" + shop + "]}\n  gamma: {base_path: /a/b, routes: [" + shop + "]}\n", nil},
		{"    base_path: /a\n  beta:\n    base_path: /a\n    routes: [" + shop + "]\n", []string{"7: stages.beta: has the base path /a of stage prod (lines 4 and 7) | give one of them another base_path, or hosts of its own"}},
		{"  beta: {base_path: /prod, routes: [" + shop + "]}\n", []string{"6: stages.beta: has the base path /prod of stage prod (lines 4 and 6) | give one of them another base_path, or hosts of its own"}},
		{"  beta: {base_path: /prod, hosts: [b.example.com], routes: [" + shop + "]}\n", nil},
		{"    hosts: [A.example.com, c.example.com]\n  beta: {base_path: /prod, hosts: [b.example.com, a.example.com.], routes: [" + shop + "]}\n", []string{"7: stages.beta: has the base path /prod on host a.example.com of stage prod (lines 4 and 7) | give one of them another base_path, or hosts of its own"}},
		{"    base_path: \"/v1/{stage}\"\n", nil},
		{"    base_path: /prod/\n", []string{`6: stages.prod.base_path: "/prod/": a base path does not end with "/" | write / or /prod`}},
		{"    base_path: prod\n", []string{`6: stages.prod.base_path: "prod": a base path begins with "/" | write / or /prod`}},
		{"    base_path: \"\"\n", []string{`6: stages.prod.base_path: "": a base path begins with "/" | write / or /prod`}},
		{"    base_path: /" + strings.Repeat("a", 1024) + "\n", []string{`6: stages.prod.base_path: "/` + strings.Repeat("a", 79) + `...": a base path is at most 1024 bytes long | write / or /prod`}},
		{"    base_path: /a//b\n", []string{`6: stages.prod.base_path: "/a//b": a base path has no empty parts | write / or /prod`}},
		{"    base_path: \"/{x}\"\n", []string{`6: stages.prod.base_path: "/{x}": a base path has no parameters but {stage} | write / or /prod`}},
		{"    base_path: /a%20b\n", []string{`6: stages.prod.base_path: "/a%20b": "a%20b": a base path is made of letters, digits, -, _, . and ~ | write / or /prod`}},
		{"    base_path: /a/..\n", []string{`6: stages.prod.base_path: "/a/..": "..": a base path is made of letters, digits, -, _, . and ~ | write / or /prod`}},
		{"    hosts: [\"http://a\"]\n", []string{`6: stages.prod.hosts[0]: "http://a" is a URL, not a host name | write api.example.com`}},
		{"    hosts: [\"*.example.com\"]\n", []string{`6: stages.prod.hosts[0]: "*.example.com" has a wildcard, which hosts do not support | write api.example.com`}},
		{"    hosts: [\"a:80\"]\n", []string{`6: stages.prod.hosts[0]: "a:80" has a port; hosts are compared without it | write api.example.com`}},
		{"    hosts: [\"-a\"]\n", []string{`6: stages.prod.hosts[0]: "-a" is not a host name | write api.example.com`}},
		{"    hosts: [a.b, A.B]\n", []string{`6: stages.prod.hosts[1]: "A.B" is listed twice`}},
		{"    mode: apigatewya\n", []string{`6: stages.prod.mode: must be apigateway or http, not "apigatewya" | did you mean "apigateway"?`}},
		{"  \"a b\": {routes: [" + shop + "]}\n", []string{`6: stages["a b"]: a stage's name is 1 to 128 letters, digits, - or _`}},
		{"  beta:\n", []string{`6: stages.beta.routes: at least one route is needed | write routes: [{path: "/{proxy+}", backend: shop}]`}},
		{"  beta:\n    routes: []\n", []string{`7: stages.beta.routes: at least one route is needed | write routes: [{path: "/{proxy+}", backend: shop}]`}},
		{"  beta:\n    routes:\n      - {path: /a, backend: shpo}\n", []string{`8: stages.beta.routes[0].backend: there is no backend "shpo" | did you mean "shop"?`}},
		{"  beta:\n    routes:\n      - {path: /a, backend: warehouse}\n", []string{`8: stages.beta.routes[0].backend: there is no backend "warehouse" | the backends are shop`}},
		{"  beta:\n    routes:\n      - path: /a\n", []string{"8: stages.beta.routes[0]: has no backend | write backend: and one of the names under backends"}},
		{"  beta:\n    routes:\n      - backend: shop\n", []string{`8: stages.beta.routes[0]: has no path | write path: "/{proxy+}" for every path`}},
		{"  beta:\n    routes:\n      - shop\n", []string{`8: stages.beta.routes[0]: must be a map, not "shop" | its keys are path, backend`}},
		{"  beta:\n    routes:\n      - {path: \"/{a}\", backend: shop}\n      - {path: \"/{b}\", backend: shop}\n", []string{`9: stages.beta.routes[1].path: "/{b}" matches the same paths as the route on line 8 | remove one of them`}},
		{"  beta:\n    routes:\n      - {path: a, backend: shop}\n", []string{`8: stages.beta.routes[0].path: "a": a path template begins with "/"`}},
	})
	checkText(t, "backends: {shop: {url: http://a}}\n", []string{`1: stages: at least one stage is needed | write stages: {prod: {routes: [{path: "/{proxy+}", backend: NAME}]}}`})
	checkText(t, "backends: {shop: {url: http://a}}\nstages: {}\n", []string{`2: stages: at least one stage is needed | write stages: {prod: {routes: [{path: "/{proxy+}", backend: NAME}]}}`})
	checkText(t, "encryption: {key_env: A}\nstages:\n  a:\n    routes:\n    - {path: /, backend: shop}\n", []string{`5: stages.a.routes[0].backend: there is no backend "shop" | name it under backends: {shop: {url: http://127.0.0.1:9000}}`})
}
