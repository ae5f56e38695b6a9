package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckTarget(t *testing.T) {
	for _, c := range []struct{ source, path, query, want string }{
		{"plain", "/a/b", "c=d", ""},
		{"design 4: encoded slash and dots are the backend's word", "/a%2Fb/%2e%2e/..;x", "", ""},
		{"encoded text", "/caf%C3%A9%20au", "q=%E2%82%AC", ""},
		{"a bare percent sign in a query is common", "/", "discount=5%&x=%zz", ""},
		{"text of two lines in a query", "/", "note=a%0D%0Ab%09c", ""},
		{"a backslash in a query is not a path", "/", "re=\\d%5Cd", ""},
		{"D10: NUL in the path", "/a%00", "", "path holds an encoded control byte (%00)"},
		{"D10: NUL in the query", "/", "a=%00", "query holds an encoded control byte (%00)"},
		{"D13: encoded control byte", "/a%0a", "", "encoded control byte (%0a)"},
		{"D13: encoded DEL", "/a%7F", "", "encoded control byte"},
		{"other control bytes in the query", "/", "a=%1b", "encoded control byte"},
		{"D13: raw control byte", "/a\x01", "", "control byte (0x01)"},
		{"D13: raw control byte in the query", "/", "a\r\nb", "control byte (0x0d)"},
		{"D13: backslash", "/a\\b", "", "holds a backslash"},
		{"D13: encoded backslash", "/a%5cb", "", "encoded backslash (%5c)"},
		{"D13: encoded backslash, upper case", "/a%5Cb", "", "encoded backslash"},
		{"D13: fragment", "/a#b", "", "a \"#\""},
		{"D13: fragment in the query", "/a", "b#c", "a \"#\""},
		{"RFC 9112 3.2: raw space", "/a b", "", "holds a space"},
		{"h2 :path with a space", "/a", "b c", "holds a space"},
		{"RFC 3986 2.1: bad escape in the path", "/a%zz", "", "without two hexadecimal digits"},
		{"cut escape in the path", "/a%4", "", "without two hexadecimal digits"},
	} {
		err := CheckTarget(c.path, c.query)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.source, err, c.want)
		}
	}
}

func TestCleanHost(t *testing.T) {
	for _, c := range []struct{ source, in, scheme, want string }{
		{"clean", "api.example.com", "https", "api.example.com"},
		{"RFC 3986 6.2.2.1: case", "API.Example.Com", "https", "api.example.com"},
		{"D13: all at once", "A.Example.:80", "http", "a.example"},
		{"RFC 9110 4.2.3: default port", "a:443", "https", "a"},
		{"the other scheme's default port stays", "a:80", "https", "a:80"},
		{"port stays", "a:8080", "http", "a:8080"},
		{"RFC 3986 3.2.3: empty port", "a:", "http", "a"},
		{"leading zeros", "a:0080", "http", "a"},
		{"leading zeros stay away", "a:08080", "http", "a:8080"},
		{"underscore", "my_service:9000", "http", "my_service:9000"},
		{"IPv4", "127.0.0.1:80", "http", "127.0.0.1"},
		{"IPv6", "[::1]:8080", "http", "[::1]:8080"},
		{"IPv6, default port", "[::1]:80", "http", "[::1]"},
		{"IPv6, longer form", "[0:0::0:1]", "http", "[::1]"},
		{"IPv6, upper case", "[2001:DB8::A]:1", "http", "[2001:db8::a]:1"},
	} {
		got, err := CleanHost(c.in, c.scheme)
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.source, got, err, c.want)
		}
		if again, err := CleanHost(got, c.scheme); again != got || err != nil {
			t.Errorf("%s: not idempotent: %q %v", c.source, again, err)
		}
	}
	for source, in := range map[string]string{
		"D13: empty": "", "dot only": ".", "port only": ":80", "two dots": "a..b", "two trailing dots": "a..",
		"leading dot": ".a", "D10: space": "a b", "user information": "a@b", "path": "a/b", "NUL": "a\x00", "raw UTF-8": "é.example",
		"port zero": "a:0", "port too large": "a:65536", "port text": "a:http", "two ports": "a:1:2", "signed port": "a:+1",
		"open bracket": "[::1", "IPv4 in brackets": "[127.0.0.1]", "zone": "[fe80::1%25eth0]", "tail": "[::1]x", "bare IPv6": "::1",
		"comma, two hosts joined": "a,b", "percent": "a%2eb", "too long": strings.Repeat("a", 254), "empty brackets": "[]",
	} {
		if got, err := CleanHost(in, "http"); err == nil {
			t.Errorf("%s: %q gives %q, want an error", source, in, got)
		}
	}
	for _, host := range []string{"api.example.com", "a:8080", "[::1]:8080"} {
		if n := testing.AllocsPerRun(100, func() { CleanHost(host, "https") }); n != 0 {
			t.Errorf("%s: %v allocations on a clean host", host, n)
		}
	}
}

func TestCleanHostIdempotent(t *testing.T) {
	gen := rapid.StringOfN(rapid.SampledFrom([]rune("aA.:-[]0189_% ")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom([]string{"http", "https", ""}).Draw(t, "scheme")
		got, err := CleanHost(gen.Draw(t, "host"), scheme)
		if err != nil {
			return
		}
		if again, err := CleanHost(got, scheme); err != nil || again != got {
			t.Fatalf("%q, then %q %v", got, again, err)
		}
	})
}

func TestDecodedPath(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "/a/b", "/caf%C3%A9": "/café", "/caf%c3%a9": "/café", "/a%2Fb": "/a/b", "/a+b": "/a+b",
		"/%": "/%", "/%4": "/%4", "/%zz%41": "/%zzA", "/%2541": "/%41", "": "",
	} {
		if got := DecodedPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
