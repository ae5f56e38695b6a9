package fuzz

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/config"
	"stagecache/gateway/identity"
	"stagecache/gateway/sigv4"
	"stagecache/gateway/sigv4/sigv4test"
)

// FuzzSigV4 gives the verifier any request at all. What it accepts must be what the signer of the tests would have signed just
// so; what it takes for a credential of ours leaves none behind.
func FuzzSigV4(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	signer := sigv4test.Signer{ID: "AKID", Secret: "secret", Region: "r", Service: "s"}
	for _, target := range []string{"/", "/a%2Fb//c/../d?b=2&a=1&a=%20", "/?X-Amz-Expires=1", "/%zz?&", "/a?X-Amz-Credential=AKID%2F1&X-Amz-Signature=0"} {
		f.Add("GET", target, "api.example.com", "", "", "")
	}
	for _, sign := range []func(*http.Request){func(r *http.Request) { signer.Header(r, at, "x-a") }, func(r *http.Request) { signer.Query(r, at, "60", "x-a") }} {
		r, err := http.NewRequest("GET", "http://h/a%2Fb?x=1&x", nil)
		if err != nil {
			f.Fatal(err)
		}
		r.Header.Set("X-A", "1  2")
		sign(r)
		f.Add("GET", r.URL.RequestURI(), "h", r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), "1  2")
	}
	f.Fuzz(func(t *testing.T, method, target, host, authorization, date, other string) {
		path, query, _ := strings.Cut(target, "?")
		in := &sigv4.Request{Method: method, Path: path, RawQuery: query, Host: host, Header: http.Header{}, BodyHash: sha256.Sum256(nil)}
		for name, v := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-A": other} {
			if v != "" {
				in.Header[name] = []string{v}
			}
		}
		if id := sigv4.HeaderKeyID(authorization); id != "" && !strings.Contains(authorization, id) {
			t.Fatalf("an id out of nothing: %q", id)
		}
		rest := sigv4.StripQuery(query)
		if sigv4.QueryKeyID(rest) != "" || len(rest) > len(query) {
			t.Fatalf("%q is left of %q", rest, query)
		}
		s, err := sigv4.Parse(in)
		if err != nil {
			return
		}
		check := sigv4.Check{Now: at, Region: "r", Service: "s"}
		if err := s.Verify("secret", in, check); err != nil {
			return
		}
		if s.Verify("other secret", in, check) == nil {
			t.Fatal("accepted under two secrets")
		}
		in.BodyHash[0] ^= 1
		if s.Verify("secret", in, check) == nil {
			t.Fatal("accepted with two bodies")
		}
		if s.AccessKeyID == "" || s.Presigned && s.Expires <= 0 || s.ValidUntil().Before(at.Add(-sigv4.Skew)) {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzClaim: a request out of which our credential was taken holds none of ours any more, and all that was not ours.
func FuzzClaim(f *testing.F) {
	f.Add("Bearer the-token", "Basic x", "a=1&X-Amz-Credential=AKID%2F1&X-Amz-Signature=0")
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/service/aws4_request, SignedHeaders=host, Signature=00", "", "")
	f.Add("bearer  the-token ", "AWS4-X Credential=AKID", "X-Amz-Credential=OTHER&X-Amz-Credential=AKID")
	cfg := &config.Config{IAM: config.IAM{Users: []config.User{{
		Name: "u", AccessKeys: []config.AccessKey{{ID: "AKID", Secret: config.NewSecret("s")}}, Tokens: []config.Token{{Hash: sha256.Sum256([]byte("the-token"))}},
	}}}}
	dir := identity.New(cfg, identity.NewMemory(time.Unix(0, 0)))
	f.Fuzz(func(t *testing.T, one, two, query string) {
		header := http.Header{"Authorization": {one, two}, "X-Other": {"x"}}
		claim := dir.Claim(header, query)
		if claim == nil {
			return
		}
		rest := claim.Strip(header, query)
		if left := dir.Claim(header, rest); left != nil {
			t.Fatalf("still there: %q, %q", header["Authorization"], rest)
		}
		if header.Get("X-Other") != "x" {
			t.Fatal("another header is gone")
		}
	})
}
