package policy

import (
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
		{"User-Agent if listed", func(h header) { KeepOnly(h, []string{"User-Agent"}) }, header{"User-Agent": {"x"}, "Accept": {"y"}}, header{"User-Agent": {"x"}}},
	} {
		c.do(c.in)
		if d := cmp.Diff(c.want, c.in); d != "" {
			t.Errorf("%s: %s", c.source, d)
		}
	}
}
