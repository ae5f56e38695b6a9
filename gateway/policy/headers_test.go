package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type header = map[string][]string

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		source string
		do     func(header)
		in     header
		want   header
	}{
		{"RFC 9110 7.6.1: the fixed ones", RemoveHopByHop,
			header{"Connection": {"close"}, "Keep-Alive": {"5"}, "Proxy-Connection": {"x"}, "Proxy-Authenticate": {"x"}, "Proxy-Authorization": {"x"},
				"Proxy-Authentication-Info": {"x"}, "Te": {"trailers"}, "Trailer": {"x"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Http2-Settings": {"x"}, "Accept": {"*/*"}},
			header{"Accept": {"*/*"}}},
		{"D1.1: what Connection lists, on two lines, in any case", RemoveHopByHop,
			header{"Connection": {"x-a, , X-B", "x-c,bad name"}, "X-A": {"1"}, "X-B": {"1"}, "X-C": {"1"}, "X-D": {"1"}},
			header{"X-D": {"1"}}},
		{"D1.1: X-Forwarded-For cannot be stripped", RemoveHopByHop,
			header{"Connection": {"close, X-Forwarded-For"}, "X-Forwarded-For": {"1.2.3.4"}}, header{"X-Forwarded-For": {"1.2.3.4"}}},
		{"D1.1: nor what a cache lives by", RemoveHopByHop,
			header{"Connection": {"cache-control, vary, age, set-cookie, content-type, content-length, authorization, cookie, etag, date, expires, pragma, via, host, last-modified, forwarded, surrogate-key, if-none-match"},
				"Cache-Control": {"private"}, "Vary": {"x"}, "Age": {"1"}, "Set-Cookie": {"a"}, "Content-Type": {"b"}, "Content-Length": {"1"}, "Authorization": {"c"}, "Cookie": {"d"},
				"Etag": {"e"}, "Date": {"f"}, "Expires": {"g"}, "Pragma": {"h"}, "Via": {"i"}, "Host": {"j"}, "Last-Modified": {"k"}, "Forwarded": {"l"}, "Surrogate-Key": {"m"}, "If-None-Match": {"n"}},
			header{"Cache-Control": {"private"}, "Vary": {"x"}, "Age": {"1"}, "Set-Cookie": {"a"}, "Content-Type": {"b"}, "Content-Length": {"1"}, "Authorization": {"c"}, "Cookie": {"d"},
				"Etag": {"e"}, "Date": {"f"}, "Expires": {"g"}, "Pragma": {"h"}, "Via": {"i"}, "Host": {"j"}, "Last-Modified": {"k"}, "Forwarded": {"l"}, "Surrogate-Key": {"m"}, "If-None-Match": {"n"}}},
		{"nor a signature's parts", RemoveHopByHop,
			header{"Connection": {"X-Amz-Date, Access-Control-Allow-Origin"}, "X-Amz-Date": {"a"}, "Access-Control-Allow-Origin": {"b"}}, header{"X-Amz-Date": {"a"}, "Access-Control-Allow-Origin": {"b"}}},
		{"no header", RemoveHopByHop, header{}, header{}},
		{"D10: unkeyed", RemoveUnkeyed,
			header{"X-Original-Url": {"x"}, "X-Rewrite-Url": {"x"}, "X-Http-Method-Override": {"x"}, "X-Http-Method": {"x"}, "X-Method-Override": {"x"}, "X-Host": {"x"},
				"X-Http-Host-Override": {"x"}, "X-Forwarded-Server": {"x"}, "X-Forwarded-Scheme": {"x"}, "X-Forwarded-Port": {"x"}, "X-Forwarded-Prefix": {"x"}, "Forwarded": {"x"}, "Expect": {"x"},
				"X-Forwarded-For": {"a"}, "X-Forwarded-Host": {"b"}, "X-Forwarded-Proto": {"c"}, "Accept": {"d"}, "Origin": {"e"}},
			header{"X-Forwarded-For": {"a"}, "X-Forwarded-Host": {"b"}, "X-Forwarded-Proto": {"c"}, "Accept": {"d"}, "Origin": {"e"}}},
		{"D3: conditions", RemoveConditionals,
			header{"If-None-Match": {"x"}, "If-Match": {"x"}, "If-Modified-Since": {"x"}, "If-Unmodified-Since": {"x"}, "If-Range": {"x"}, "If": {"x"}, "Range": {"x"}, "Request-Range": {"x"}, "Accept": {"a"}},
			header{"Accept": {"a"}}},
		{"D11: body fields", RemoveBodyFields,
			header{"Content-Type": {"x"}, "Content-Length": {"3"}, "Content-Encoding": {"gzip"}, "Accept": {"a"}}, header{"Accept": {"a"}}},
		{"D10: allow-list", func(h header) { KeepOnly(h, []string{"accept-language", "X-Tenant"}) },
			header{"Accept-Language": {"a"}, "X-Tenant": {"b"}, "Accept-Encoding": {"c"}, "Host": {"d"}, "Via": {"e"}, "X-Forwarded-For": {"f"}, "Cdn-Loop": {"g"}, "User-Agent": {"x"}, "Cookie": {"x"}, "Authorization": {"x"}, "Origin": {"x"}},
			header{"Accept-Language": {"a"}, "X-Tenant": {"b"}, "Accept-Encoding": {"c"}, "Host": {"d"}, "Via": {"e"}, "X-Forwarded-For": {"f"}, "Cdn-Loop": {"g"}}},
		{"CGI: other spellings of what steers", func(h header) { RemoveAliases(h, false, nil) },
			header{"X_forwarded_host": {"a"}, "Transfer_encoding": {"a"}, "Content.length": {"a"}, "X_http_method_override": {"a"}, "X_real_ip": {"a"}, "Cookie~": {"a"},
				"Proxy_connection": {"a"}, "If_none_match": {"a"}, "api_key": {"b"}, "X-Forwarded-Host": {"c"}},
			header{"Cookie~": {"a"}, "api_key": {"b"}, "X-Forwarded-Host": {"c"}}},
		{"CGI: any other spelling, where the answer is for others too", func(h header) { RemoveAliases(h, true, []string{"API_key"}) },
			header{"Api_key": {"a"}, "X_tenant": {"b"}, "Accept_language": {"c"}, "X!y": {"d"}, "X-Tenant": {"e"}},
			header{"Api_key": {"a"}, "X-Tenant": {"e"}}},
		{"what clients say of their address", func(h header) { RemoveClaims(h, []string{"x-client-ip"}) },
			header{"X-Real-Ip": {"a"}, "True-Client-Ip": {"b"}, "X-Client-Ip": {"c"}, "X-Forwarded-For": {"d"}}, header{"X-Client-Ip": {"c"}, "X-Forwarded-For": {"d"}}},
		{"User-Agent if listed", func(h header) { KeepOnly(h, []string{"User-Agent"}) }, header{"User-Agent": {"x"}, "Accept": {"y"}}, header{"User-Agent": {"x"}}},
	} {
		c.do(c.in)
		if d := cmp.Diff(c.want, c.in); d != "" {
			t.Errorf("%s: %s", c.source, d)
		}
	}
}

// A trailer must not become a header field that matters, whatever the backend makes of its name.
func TestMayBeTrailer(t *testing.T) {
	for name, want := range map[string]bool{
		"X-Checksum": true, "x_checksum": true, "Server-Timing": true, "Content-Length": false, "content_length": false, "Host": false, "Cookie": false,
		"X_Forwarded_For": false, "X-Real-IP": false, "Transfer.Encoding": false, "X-HTTP-Method-Override": false, "Authorization": false, "Te": false,
	} {
		if got := MayBeTrailer(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSound(t *testing.T) {
	for name, want := range map[string]bool{"X-A": true, "x_a!": true, "X A": false, "Content-Length ": false, "": false, "X(": false, "X\xe4": false} {
		if got := Sound(header{"Date": {"x"}, name: {"x"}}); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestOversized(t *testing.T) {
	many := func(n, size int) header { return header{"X": slices.Repeat([]string{strings.Repeat("x", size)}, n)} }
	for _, c := range []struct {
		h    header
		want bool
	}{{header{}, false}, {many(100, 1), false}, {many(101, 1), true}, {many(1, 8000), false}, {many(1, 8200), true}, {many(3, 3000), true}} {
		if got := Oversized(c.h); got != c.want {
			t.Errorf("%d of %d bytes: %t", len(c.h["X"]), len(strings.Join(c.h["X"], "")), got)
		}
	}
}
