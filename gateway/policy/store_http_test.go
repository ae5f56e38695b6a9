package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecideHTTP(t *testing.T) {
	const s = time.Second
	type in = StoreInput
	type out = StoreDecision
	h := headerOf
	for _, c := range []struct {
		source string
		header map[string][]string
		change func(*in)
		want   out // Retain is not compared where it is 0
	}{
		{"9111 3: max-age", h("Cache-Control", "max-age=60"), nil, out{Store: true, TTL: 60 * s, Retain: downWindow}},
		{"9111 4.2.3: the age it has", h("Cache-Control", "max-age=60", "Age", "20"), nil, out{Store: true, TTL: 40 * s, InitialAge: 20}},
		{"a validator keeps it longer", h("Cache-Control", "max-age=7200", "Etag", `"a"`), nil, out{Store: true, TTL: 7200 * s, Retain: 7200 * s}},
		{"stale, but it can be validated", h("Cache-Control", "max-age=60", "Age", "100", "Etag", `"a"`), nil, out{Store: true, TTL: -40 * s, InitialAge: 100, Retain: time.Hour + 40*s}},
		{"stale, with a window", h("Cache-Control", "max-age=60, stale-while-revalidate=100", "Age", "100"), nil, out{Store: true, TTL: -40 * s, InitialAge: 100}},
		{"stale, and past its window", h("Cache-Control", "max-age=60, stale-while-revalidate=40", "Age", "100"), nil, out{Reason: ReasonStale}},
		{"stale, and of no use", h("Cache-Control", "max-age=0"), nil, out{Reason: ReasonStale}},
		{"nothing states a lifetime", h(), nil, out{Reason: ReasonTTL}},
		{"the settings do", h(), func(i *in) { i.TTL = 9 * s }, out{Store: true, TTL: 9 * s}},
		{"the settings come before a guess", h("Last-Modified", at(-1000)), func(i *in) { i.TTL = 9 * s }, out{Store: true, TTL: 9 * s}},
		{"the backend's word comes before the settings", h("Cache-Control", "max-age=0"), func(i *in) { i.TTL = 9 * s }, out{Reason: ReasonStale}},
		{"no lifetime, but a validator", h("Etag", `"a"`), nil, out{Store: true}},
		{"no lifetime, and a status that is not kept by itself", h("Etag", `"a"`), func(i *in) { i.Status = 302 }, out{Reason: ReasonStatus}},
		{"D9: negative_ttl", h(), func(i *in) { i.Status, i.NegativeTTL = 404, 5*s }, out{Store: true, TTL: 5 * s}},
		{"D9: none", h(), func(i *in) { i.Status = 410 }, out{Reason: ReasonNegativeTTL}},
		{"D9: an error by its own word", h("Cache-Control", "max-age=5"), func(i *in) { i.Status = 503 }, out{Store: true, TTL: 5 * s, NeverStale: true}},
		{"D9, D11: for a minute at most", h("Cache-Control", "max-age=86400, stale-while-revalidate=86400"), func(i *in) { i.Status = 400 }, out{Store: true, TTL: 60 * s, NeverStale: true}},
		{"but for what is not there", h("Cache-Control", "max-age=86400"), func(i *in) { i.Status = 404 }, out{Store: true, TTL: 86400 * s}},
		{"9111 4.3.4: a 304 is no answer to keep", h("Cache-Control", "max-age=60"), func(i *in) { i.Status = 304 }, out{Reason: ReasonStatus}},
		{"D11: nor is a 412", h("Cache-Control", "max-age=60"), func(i *in) { i.Status = 412 }, out{Reason: ReasonStatus}},
		{"D11: nor a 431", h("Cache-Control", "max-age=60"), func(i *in) { i.Status = 431 }, out{Reason: ReasonStatus}},

		{"9111 5.2.2.5: no-store", h("Cache-Control", "no-store, max-age=60"), nil, out{Reason: ReasonNoStore, Private: true}},
		{"9111 5.2.2.7: private", h("Cache-Control", "private, max-age=60"), nil, out{Reason: ReasonPrivate, Private: true}},
		{"9111 5.2.2.3: must-understand", h("Cache-Control", "no-store, must-understand, max-age=60"), nil, out{Store: true, TTL: 60 * s}},
		{"9111 5.2.2.3: not understood", h("Cache-Control", "must-understand, max-age=60"), func(i *in) { i.Status = 299 }, out{Reason: ReasonUnclear, Private: true}},
		{"D2: Set-Cookie", h("Cache-Control", "public, max-age=60", "Set-Cookie", "a=b"), nil, out{Reason: ReasonSetCookie, Private: true}},
		{"9111 4.1: Vary: *", h("Cache-Control", "max-age=60", "Vary", "*"), nil, out{Reason: ReasonVaryStar, Private: true}},
		{"9111 3.5: Authorization", h("Cache-Control", "max-age=60"), func(i *in) { i.HasAuthorization = true }, out{Reason: ReasonAuthorization, Private: true}},
		{"9111 3.5: public", h("Cache-Control", "max-age=60, public"), func(i *in) { i.HasAuthorization = true }, out{Store: true, TTL: 60 * s, ForCredentials: true}},
		{"9111 3.5: must-revalidate", h("Cache-Control", "max-age=60, must-revalidate"), func(i *in) { i.HasAuthorization = true }, out{Store: true, TTL: 60 * s, ForCredentials: true, NeverStale: true}},
		{"9111 3.5: s-maxage", h("Cache-Control", "s-maxage=60"), func(i *in) { i.HasAuthorization = true }, out{Store: true, TTL: 60 * s, ForCredentials: true, NeverStale: true}},
		{"design 4: a cookie, and the settings' lifetime", h(), func(i *in) { i.TTL, i.CookieForwarded = s, true }, out{Reason: ReasonCookie, Private: true}},
		{"design 4: a cookie, and a guess", h("Last-Modified", at(-1000)), func(i *in) { i.CookieForwarded = true }, out{Reason: ReasonCookie, Private: true}},
		{"design 4: a cookie, and the backend's word", h("Cache-Control", "max-age=60"), func(i *in) { i.CookieForwarded = true }, out{Store: true, TTL: 60 * s}},

		{"9111 5.2.2.4: no-cache", h("Cache-Control", "no-cache, max-age=60", "Etag", `"a"`), nil, out{Store: true, NeverStale: true, Retain: time.Hour}},
		{"9111 5.2.2.4: and nothing to ask with", h("Cache-Control", "no-cache, max-age=60"), nil, out{Reason: ReasonStale}},
		{"9111 4.2.4: must-revalidate", h("Cache-Control", "max-age=60, must-revalidate"), nil, out{Store: true, TTL: 60 * s, NeverStale: true, ForCredentials: true}},
		{"9111 5.2.2.8: proxy-revalidate", h("Cache-Control", "max-age=60, proxy-revalidate"), nil, out{Store: true, TTL: 60 * s, NeverStale: true}},

		{"9111 3.3: 206", h("Cache-Control", "max-age=60"), func(i *in) { i.Status = 206 }, out{Reason: ReasonRange}},
		{"9111 3.3: a part", h("Cache-Control", "max-age=60", "Etag", `"a"`), func(i *in) { i.Status, i.Part = 206, true }, out{Store: true, TTL: 60 * s}},
		{"a part that is stale", h("Cache-Control", "max-age=0", "Etag", `"a"`), func(i *in) { i.Status, i.Part = 206, true }, out{Reason: ReasonStale}},
		{"9111 3: POST", h("Cache-Control", "max-age=60"), func(i *in) { i.Method = "POST" }, out{Reason: ReasonMethod}},
		{"D10: a redirect to itself", h("Cache-Control", "max-age=60", "Location", "/x"), func(i *in) { i.Status = 302 }, out{Reason: ReasonRedirectLoop}},
		{"too large", h("Cache-Control", "max-age=60"), func(i *in) { i.BodyTooLarge = true }, out{Reason: ReasonTooLarge}},
	} {
		i := in{Method: "GET", Status: 200, Header: c.header, RequestURL: "http://a/x", Asked: came, Came: came}
		if c.change != nil {
			c.change(&i)
		}
		got := DecideHTTP(i)
		if c.want.Retain != 0 && got.Retain != c.want.Retain {
			t.Errorf("%s: kept for %s after that, want %s", c.source, got.Retain, c.want.Retain)
		}
		got.Retain, c.want.Retain = 0, 0
		got.StaleWhileRevalidate, got.StaleIfError = 0, 0
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.source, got, c.want)
		}
	}
}

// Whatever an answer says besides, these keep it out, or keep it from being used stale.
func TestDecideHTTPInvariants(t *testing.T) {
	parts := []string{"max-age=60", "s-maxage=60", "public", "no-cache", "must-revalidate", "stale-if-error=60", "stale-while-revalidate=9", "immutable", "x=\"y", "max-age=oops"}
	rapid.Check(t, func(t *rapid.T) {
		cc := rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "directives")
		header := headerOf("Etag", `"a"`, "Last-Modified", at(-1000))
		header["Cache-Control"] = cc
		in := StoreInput{
			Method: "GET", Status: rapid.IntRange(200, 599).Draw(t, "status"), Header: header,
			TTL: time.Duration(rapid.IntRange(0, 9).Draw(t, "ttl")) * time.Second, Asked: came, Came: came,
		}
		got := DecideHTTP(in)
		d := ParseCacheControl(cc)
		if got.Store && (d.NoCache && (got.TTL > 0 || !got.NeverStale) || (d.MustRevalidate || d.SMaxAge.Set) && !got.NeverStale) {
			t.Fatalf("%q: %+v", cc, got)
		}
		if got.Store && (got.Retain < 0 || got.TTL+got.Retain <= 0) {
			t.Fatalf("%q: kept for nothing: %+v", cc, got)
		}
		for _, forbidding := range []string{"no-store", "private"} {
			header["Cache-Control"] = append(cc[:len(cc):len(cc)], forbidding)
			if got := DecideHTTP(in); got.Store || !got.Private {
				t.Fatalf("%q: %+v", header["Cache-Control"], got)
			}
		}
	})
}

func TestInvalidationTarget(t *testing.T) {
	for _, c := range []struct {
		location, path, query string
		ok                    bool
	}{
		{"/y?a=1", "/y", "a=1", true},
		{"y", "/prod/y", "", true},
		{"http://a.example/y#f", "/y", "", true},
		{"HTTP://A.example:80/%7Ey", "/%7Ey", "", true},
		{"http://backend:9000/api/y", "/api/y", "", true},
		{"http://a.example", "/", "", true},
		{"?", "/prod/x", "", true},
		{"https://a.example/y", "", "", false},
		{"http://b.example/y", "", "", false},
		{"http://a.example:81/y", "", "", false},
		{"//b.example/y", "", "", false},
		{"mailto:x@y", "", "", false},
		{"http://[", "", "", false},
	} {
		path, query, ok := InvalidationTarget("http://a.example/prod/x?q", c.location, "backend:9000")
		if path != c.path || query != c.query || ok != c.ok {
			t.Errorf("%s: %q %q %t", c.location, path, query, ok)
		}
	}
	for method, safe := range map[string]bool{"GET": true, "HEAD": true, "QUERY": true, "OPTIONS": true, "POST": false, "get": false, "M-SEARCH": false, "": false} {
		if Safe(method) != safe {
			t.Errorf("RFC 9110 9.2.1: %q is safe: %t", method, !safe)
		}
	}
}

func TestParseContentRange(t *testing.T) {
	for in, want := range map[string]Part{
		"bytes 0-4/10": {0, 4, 10}, "Bytes 4-9/10": {4, 9, 10}, "bytes 0-0/1": {0, 0, 1},
		"bytes 4-10/10": {}, "bytes 4-3/10": {}, "bytes */10": {}, "bytes 0-4/*": {}, "bytes=0-4/10": {}, "lines 0-4/10": {}, "": {},
		"bytes 0-4": {}, "bytes -1-4/10": {}, "bytes 0-4/9999999999999999999": {},
	} {
		if got, ok := ParseContentRange([]string{in}); ok != (want.Size > 0) || ok && got != want {
			t.Errorf("RFC 9110 14.4: %q: %+v, %t", in, got, ok)
		}
	}
	for in, want := range map[string]bool{"bytes=0-1": true, "bytes=-1": true, "bytes=5-": true, "BYTES=0-": true, "bytes=0-1,3-4": false, "bytes=2-1": false, "bytes=-": false, "lines=0-1": false, "": false} {
		if OneRange(in) != want {
			t.Errorf("RFC 9110 14.1.2: %q is one range: %t", in, !want)
		}
	}
}

func TestStatesLifetime(t *testing.T) {
	for _, c := range []struct {
		source string
		header map[string][]string
		want   bool
	}{
		{"9111 4.2.1: nothing", headerOf("Last-Modified", "x", "Cache-Control", "public"), false},
		{"9111 4.2.1: max-age", headerOf("Cache-Control", "max-age=1"), true},
		{"9111 4.2.1: s-maxage", headerOf("Cache-Control", "s-maxage=1"), true},
		{"9111 4.2.1: Expires, whatever it says", headerOf("Expires", "0"), true},
		{"9213 2.2: not beside a targeted field", headerOf("Expires", "0", "Cdn-Cache-Control", "public"), false},
		{"9213 2.2: a targeted field", headerOf("Cdn-Cache-Control", "max-age=1"), true},
	} {
		if got := StatesLifetime(c.header); got != c.want {
			t.Errorf("%s: %t", c.source, got)
		}
	}
}

// RFC 9111 4.4: a non-error is a 2xx or a 3xx.
func TestInvalidates(t *testing.T) {
	for status, want := range map[int]bool{199: false, 200: true, 204: true, 303: true, 399: true, 400: false, 404: false, 500: false, 599: false} {
		if got := Invalidates(status); got != want {
			t.Errorf("%d: %t", status, got)
		}
	}
}

// RFC 9111 5.2.2.3: a status is understood if this cache does what its definition (RFC 9110 15) asks of caches.
func TestUnderstood(t *testing.T) {
	for status, want := range map[int]bool{
		200: true, 206: true, 207: false, 226: false, 299: false, 300: true, 304: true, 306: false, 308: true, 399: false,
		400: true, 417: true, 418: false, 421: true, 422: true, 426: true, 429: false, 451: false, 499: false, 500: true, 505: true, 506: false, 599: false,
	} {
		if got := understood(status); got != want {
			t.Errorf("%d: %t", status, got)
		}
	}
}

// RFC 9110 8.5: a list of tags. Only one that says which language the whole is in can stand for it.
func TestContentLanguage(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"de"}, "de"}, {[]string{" de-DE "}, "de-de"}, {[]string{"de, en"}, ""}, {[]string{"de", "en"}, ""}, {[]string{"*"}, ""}, {[]string{""}, ""}, {nil, ""},
	} {
		if got, ok := ContentLanguage(c.lines); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%q: %q, %t", c.lines, got, ok)
		}
	}
}
