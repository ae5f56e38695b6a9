package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ttl = 300 * time.Second

func TestDecideAPIGateway(t *testing.T) {
	h := func(kv ...string) map[string][]string {
		m := map[string][]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = append(m[kv[i]], kv[i+1])
		}
		return m
	}
	cc := func(s string) Directives { return ParseCacheControl([]string{s}) }
	tags := func(n, size int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("%0*d", size, i))
		}
		return out
	}
	stored := func(d time.Duration) StoreDecision { return StoreDecision{Store: true, TTL: d} }
	not := func(reason string) StoreDecision { return StoreDecision{Reason: reason} }
	private := func(reason string) StoreDecision { return StoreDecision{Reason: reason, Private: true} }
	const self = "https://api.example.com/prod/a?b=1"

	for _, c := range []struct {
		source string
		change func(*StoreInput)
		want   StoreDecision
	}{
		{"design 4: the stage's lifetime", func(*StoreInput) {}, stored(ttl)},
		{"API Gateway: max-age does not change it", func(in *StoreInput) { in.CC = cc("max-age=1, s-maxage=0") }, stored(ttl)},
		{"API Gateway: Expires does not change it", func(in *StoreInput) { in.Header = h("Expires", "0") }, stored(ttl)},
		{"must-revalidate does not forbid", func(in *StoreInput) { in.CC = cc("must-revalidate, public") }, stored(ttl)},
		{"RFC 9111 5.2.2.5: no-store", func(in *StoreInput) { in.CC = cc("no-store") }, private("no-store")},
		{"RFC 9111 5.2.2.7: private", func(in *StoreInput) { in.CC = cc(`private="x"`) }, private("private")},
		{"RFC 9111 5.2.2.4: no-cache", func(in *StoreInput) { in.CC = cc("no-cache") }, private("no-cache")},
		{"no-store beats public and must-understand", func(in *StoreInput) { in.CC = cc("public, must-understand, no-store") }, private("no-store")},
		{"RFC 9111 7.3: Set-Cookie", func(in *StoreInput) { in.Header = h("Set-Cookie", "a=1") }, private("set-cookie")},
		{"D2: public does not make Set-Cookie storable", func(in *StoreInput) { in.Header, in.CC = h("Set-Cookie", "a=1"), cc("public") }, private("set-cookie")},
		{"RFC 9111 4.1: Vary star", func(in *StoreInput) { in.Header = h("Vary", "accept, *") }, private("vary-star")},
		{"RFC 9111 4.1: Vary makes variants", func(in *StoreInput) { in.Header = h("Vary", "accept", "Vary", "origin") }, stored(ttl)},
		{"D5: ten names", func(in *StoreInput) { in.Header = h("Vary", "a,b,c,d,e,f,g,h,i,j,A") }, stored(ttl)},
		{"D5: eleven names", func(in *StoreInput) { in.Header = h("Vary", "a,b,c,d,e,f,g,h,i,j,k") }, private("vary-names")},
		{"RFC 9111 3.5: Authorization", func(in *StoreInput) { in.HasAuthorization = true }, private("authorization")},
		{"design 4: Authorization keyed", func(in *StoreInput) { in.HasAuthorization, in.AuthorizationKeyed = true, true }, stored(ttl)},
		{"RFC 9111 3.5: Authorization, public", func(in *StoreInput) { in.HasAuthorization, in.CC = true, cc("public") }, stored(ttl)},
		{"design 4: s-maxage is no permission here", func(in *StoreInput) { in.HasAuthorization, in.CC = true, cc("s-maxage=60, must-revalidate") }, private("authorization")},
		{"D12: cookie", func(in *StoreInput) { in.CookieForwarded = true }, private("cookie")},
		{"design 4: cookie keyed", func(in *StoreInput) { in.CookieForwarded, in.CookieKeyed = true, true }, stored(ttl)},
		{"design 4: cookie, public", func(in *StoreInput) { in.CookieForwarded, in.CC = true, cc("public") }, stored(ttl)},
		{"cookie keyed says nothing of Authorization", func(in *StoreInput) { in.CookieKeyed, in.HasAuthorization = true, true }, private("authorization")},
		{"D1.5: event stream", func(in *StoreInput) { in.Header = h("Content-Type", "Text/Event-Stream; charset=utf-8") }, private("stream")},
		{"D1.5: replacing parts", func(in *StoreInput) { in.Header = h("Content-Type", "multipart/x-mixed-replace;boundary=a") }, private("stream")},
		{"D1.5: gRPC", func(in *StoreInput) { in.Header = h("Content-Type", "application/grpc+proto") }, private("stream")},
		{"JSON is no stream", func(in *StoreInput) { in.Header = h("Content-Type", "application/json") }, stored(ttl)},
		{"design 4: 203", func(in *StoreInput) { in.Status = 203 }, stored(ttl)},
		{"design 4: 300", func(in *StoreInput) { in.Status = 300 }, stored(ttl)},
		{"design 4: 404 without negative_ttl", func(in *StoreInput) { in.Status = 404 }, not("negative-ttl")},
		{"design 4: 404", func(in *StoreInput) { in.Status, in.NegativeTTL = 404, time.Minute }, stored(time.Minute)},
		{"design 4: 410", func(in *StoreInput) { in.Status, in.NegativeTTL = 410, time.Second }, stored(time.Second)},
		{"negative_ttl is not for 200", func(in *StoreInput) { in.NegativeTTL = time.Second }, stored(ttl)},
		{"ttl 0 switches 404 off too", func(in *StoreInput) { in.Status, in.TTL, in.NegativeTTL = 404, 0, time.Second }, not("ttl")},
		{"API Gateway: TTL 0 is off", func(in *StoreInput) { in.TTL = 0 }, not("ttl")},
		{"a negative lifetime is none", func(in *StoreInput) { in.TTL = -1 }, not("ttl")},
		{"RFC 9111 3.3: 206", func(in *StoreInput) { in.Status = 206 }, not("range")},
		{"RFC 9111 3.3: Content-Range on a 200", func(in *StoreInput) { in.Header = h("Content-Range", "bytes 0-1/2") }, not("range")},
		{"D3: HEAD never", func(in *StoreInput) { in.Method, in.MethodOverride = "HEAD", true }, not("method")},
		{"API Gateway: other verbs only by override", func(in *StoreInput) { in.Method = "POST" }, not("method")},
		{"API Gateway: override", func(in *StoreInput) { in.Method, in.MethodOverride = "POST", true }, stored(ttl)},
		{"methods are case-sensitive", func(in *StoreInput) { in.Method = "get" }, not("method")},
		{"D1.3: TRACE never", func(in *StoreInput) { in.Method, in.MethodOverride = "TRACE", true }, not("method")},
		{"D13: CONNECT never", func(in *StoreInput) { in.Method, in.MethodOverride = "CONNECT", true }, not("method")},
		{"design 4: max_object", func(in *StoreInput) { in.BodyTooLarge = true }, not("too-large")},
		{"design 4: 128 tags", func(in *StoreInput) { in.Tags = tags(128, 10) }, stored(ttl)},
		{"design 4: 129 tags", func(in *StoreInput) { in.Tags = tags(129, 10) }, not("too-many-tags")},
		{"design 4: 16 KiB of tags", func(in *StoreInput) { in.Tags = tags(128, 128) }, stored(ttl)},
		{"design 4: more than 16 KiB of tags", func(in *StoreInput) { in.Tags = append(tags(127, 128), strings.Repeat("x", 129)) }, not("too-many-tags")},
		{"301 elsewhere", func(in *StoreInput) { in.Status, in.Header = 301, h("Location", "/prod/other") }, stored(ttl)},
		{"301 without a Location", func(in *StoreInput) { in.Status = 301 }, stored(ttl)},
		{"308 to another query", func(in *StoreInput) { in.Status, in.Header = 308, h("Location", "?b=2") }, stored(ttl)},
		{"301 to https", func(in *StoreInput) {
			in.Status, in.RequestURL, in.Header = 301, "http://api.example.com/prod/a?b=1", h("Location", self)
		}, stored(ttl)},
		{"D10: 301 to itself", func(in *StoreInput) { in.Status, in.Header = 301, h("Location", self) }, not("redirect-loop")},
		{"D10: 308 to itself, spelled otherwise", func(in *StoreInput) {
			in.Status, in.Header = 308, h("Location", " HTTPS://API.example.com.:443/prod/a?b=1#x")
		}, not("redirect-loop")},
		{"D10: relative", func(in *StoreInput) { in.Status, in.Header = 301, h("Location", "a?b=1") }, not("redirect-loop")},
		{"D10: root", func(in *StoreInput) {
			in.Status, in.RequestURL, in.Header = 301, "https://a/", h("Location", "https://a")
		}, not("redirect-loop")},
		{"D10: any of several", func(in *StoreInput) { in.Status, in.Header = 301, h("Location", "/x", "Location", self) }, not("redirect-loop")},
		{"a Location that nobody can read", func(in *StoreInput) { in.Status, in.Header = 301, h("Location", "http://[") }, not("redirect-loop")},
		{"no request URL given: not checked", func(in *StoreInput) { in.Status, in.RequestURL, in.Header = 301, "", h("Location", self) }, stored(ttl)},
		{"Location of a 200 is no redirect", func(in *StoreInput) { in.Header = h("Location", self) }, stored(ttl)},
		{"private is told even where the status would do", func(in *StoreInput) { in.Status, in.Header = 500, h("Set-Cookie", "a=1") }, private("set-cookie")},
		{"private is told even where caching is off", func(in *StoreInput) { in.TTL, in.HasAuthorization = 0, true }, private("authorization")},
	} {
		in := StoreInput{Method: "GET", RequestURL: self, Status: 200, TTL: ttl}
		c.change(&in)
		got := DecideAPIGateway(in)
		if rest := (StoreDecision{Store: got.Store, TTL: got.TTL, Reason: got.Reason, Private: got.Private}); rest != c.want {
			t.Errorf("%s: %+v, want %+v", c.source, rest, c.want)
		}
		if got.Store && got.ForCredentials != in.CC.Public {
			t.Errorf("%s: for requests with credentials: %t", c.source, got.ForCredentials)
		}
	}
	for status := 100; status < 600; status++ {
		got := DecideAPIGateway(StoreInput{Method: "GET", Status: status, TTL: ttl, NegativeTTL: time.Second, CC: cc("public, max-age=60")})
		if want := slices.Contains([]int{200, 203, 300, 301, 308, 404, 410}, status); got.Store != want {
			t.Errorf("design 4, what is stored: status %d: %+v", status, got)
		}
	}
}

func TestDecideAPIGatewayInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
		header := map[string][]string{}
		for _, f := range [][]string{{"Set-Cookie", "a=1"}, {"Vary", "*", "a"}, {"Content-Range", "bytes 0-1/2"}, {"Location", "/x", "/y"}} {
			if rapid.IntRange(0, 4).Draw(t, f[0]) == 0 {
				header[f[0]] = []string{rapid.SampledFrom(f[1:]).Draw(t, "value")}
			}
		}
		in := StoreInput{
			Method: rapid.SampledFrom([]string{"GET", "HEAD", "POST"}).Draw(t, "method"), MethodOverride: flag("override"),
			RequestURL: "http://a/x", Status: rapid.SampledFrom([]int{200, 206, 301, 404, 500}).Draw(t, "status"), Header: header,
			CC:               ParseCacheControl([]string{rapid.SampledFrom([]string{"", "public", "private", "no-store, public", "max-age=0"}).Draw(t, "cc")}),
			HasAuthorization: flag("auth"), AuthorizationKeyed: flag("auth keyed"), CookieForwarded: flag("cookie"), CookieKeyed: flag("cookie keyed"),
			TTL: time.Duration(rapid.IntRange(-1, 2).Draw(t, "ttl")), NegativeTTL: time.Duration(rapid.IntRange(-1, 2).Draw(t, "negative")),
			BodyTooLarge: flag("large"),
		}
		got := DecideAPIGateway(in)
		if got.Store != (got.Reason == "") || got.Store != (got.TTL > 0) || got.Store && got.Private {
			t.Fatalf("inconsistent: %+v", got)
		}
		about := in.CC.NoStore || in.CC.Private || in.CC.NoCache || len(header["Set-Cookie"]) > 0 || slices.Contains(header["Vary"], "*") ||
			in.HasAuthorization && !in.AuthorizationKeyed && !in.CC.Public || in.CookieForwarded && !in.CookieKeyed && !in.CC.Public
		if got.Private != about {
			t.Fatalf("private %v, want %v: %+v", got.Private, about, in)
		}
		if got.Store && (in.Method == "HEAD" || in.Status == 206 || in.Status == 500 || in.BodyTooLarge) {
			t.Fatalf("stored: %+v", in)
		}
	})
}

func TestTags(t *testing.T) {
	for _, c := range []struct {
		source string
		h      map[string][]string
		want   []string
	}{
		{"none", nil, nil},
		{"empty", map[string][]string{"Surrogate-Key": {" "}, "Cache-Tag": {",, "}}, nil},
		{"Surrogate-Key: spaces", map[string][]string{"Surrogate-Key": {"a  b\tc,d"}}, []string{"a", "b", "c,d"}},
		{"Cache-Tag: commas", map[string][]string{"Cache-Tag": {" a , b c,d"}}, []string{"a", "b c", "d"}},
		{"both, several lines, unique, case counts", map[string][]string{"Surrogate-Key": {"b a", "b"}, "Cache-Tag": {"a,A", "z"}}, []string{"b", "a", "A", "z"}},
	} {
		if got := Tags(c.h); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
}
