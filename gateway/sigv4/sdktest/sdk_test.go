package sdktest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"stagecache/gateway/sigv4"
)

var (
	credentials = aws.Credentials{AccessKeyID: "AKIADEPLOYER", SecretAccessKey: "a secret/with+signs="}
	signedAt    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	check       = sigv4.Check{Now: signedAt, Region: "eu-west-1", Service: "execute-api"}
)

func draw(t *rapid.T) (*http.Request, []byte) {
	part := rapid.StringOfN(rapid.RuneFrom([]rune("ab.~-_ %/+=&é中*:@!$'(),;")), 0, 6, -1)
	path := "/"
	for _, p := range rapid.SliceOfN(part, 0, 4).Draw(t, "path") {
		path += url.PathEscape(p) + "/"
	}
	query := make(url.Values)
	for _, p := range rapid.SliceOfN(part, 0, 5).Draw(t, "query") {
		query.Add(rapid.SampledFrom([]string{"a", "b", "A", "ä", "a b", "page[]"}).Draw(t, "name"), p)
	}
	body := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
	target := "https://api.example.com:8443" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequest(rapid.SampledFrom([]string{"GET", "POST", "DELETE", "PATCH"}).Draw(t, "method"), target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cache-Control", "max-age=0")
	for _, v := range rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab  c,\"")), 0, 10, -1), 0, 3).Draw(t, "values") {
		r.Header.Add("X-Custom", v)
	}
	return r, body
}

// received is the request as a server gets it over the wire.
func received(t *rapid.T, r *http.Request, body []byte) *http.Request {
	r.Body = io.NopCloser(bytes.NewReader(body))
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func verify(r *http.Request, body []byte, c sigv4.Check) error {
	in := &sigv4.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header,
		Length: int64(len(body)), BodyHash: sha256.Sum256(body),
	}
	s, err := sigv4.Parse(in)
	if err != nil {
		return err
	}
	return s.Verify(credentials.SecretAccessKey, in, c)
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func signedByHeader(t *rapid.T) (*http.Request, []byte) {
	r, body := draw(t)
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hash(body), check.Service, check.Region, signedAt); err != nil {
		t.Fatal(err)
	}
	return received(t, r, body), body
}

func signedByQuery(t *rapid.T) (*http.Request, []byte) {
	r, body := draw(t)
	q := r.URL.Query()
	q.Set("X-Amz-Expires", strconv.Itoa(rapid.IntRange(1, 604800).Draw(t, "expires")))
	r.URL.RawQuery = q.Encode()
	target, header, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, hash(body), check.Service, check.Region, signedAt)
	if err != nil {
		t.Fatal(err)
	}
	out, err := http.NewRequest(r.Method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if name != "Host" && name != "Content-Length" {
			out.Header[name] = values
		}
	}
	return received(t, out, body), body
}

func TestWhatTheSDKSignsIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, body := signedByHeader(t)
		c := check
		c.MustSign = []string{"cache-control"}
		if err := verify(r, body, c); err != nil {
			t.Fatalf("%s %s %v: %v", r.Method, r.RequestURI, r.Header, err)
		}
	})
}

func TestWhatTheSDKPresignsIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, body := signedByQuery(t)
		if err := verify(r, body, check); err != nil {
			t.Fatalf("%s %s %v: %v", r.Method, r.RequestURI, r.Header, err)
		}
	})
}

// Any byte of what is signed, altered, makes the signature false: in method, path, query, host, headers, body and in the
// signature itself.
func TestWhatWasAlteredIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sign := rapid.SampledFrom([]func(*rapid.T) (*http.Request, []byte){signedByHeader, signedByQuery}).Draw(t, "form")
		r, body := sign(t)
		if err := verify(r, body, check); err != nil {
			t.Fatal(err)
		}
		places := map[string]*string{"method": &r.Method, "host": &r.Host, "query": &r.URL.RawQuery}
		path := r.URL.EscapedPath()
		places["path"] = &path
		for name, values := range r.Header {
			if name == "User-Agent" || name == "Content-Length" { // not signed, or made anew from the body
				continue
			}
			for i := range values {
				places["header "+name+strconv.Itoa(i)] = &values[i]
			}
		}
		text := string(body)
		places["body"] = &text
		maps.DeleteFunc(places, func(_ string, p *string) bool { return *p == "" })
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(places))).Draw(t, "place")
		at := places[name]
		i := rapid.IntRange(0, len(*at)-1).Draw(t, "at")
		old := (*at)[i]
		other := rapid.ByteRange('!', '~').Filter(func(b byte) bool { return b != old }).Draw(t, "byte")
		altered := (*at)[:i] + string(rune(other)) + (*at)[i+1:]
		if same(*at, altered) {
			t.Skip("the same by another spelling")
		}
		*at = altered
		r.URL.RawPath, r.URL.Opaque = "", ""
		in := &sigv4.Request{Method: r.Method, Path: path, RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header, Length: int64(len(text)), BodyHash: sha256.Sum256([]byte(text))}
		s, err := sigv4.Parse(in)
		if err == nil && s.AccessKeyID == credentials.AccessKeyID {
			err = s.Verify(credentials.SecretAccessKey, in, check)
		} else if err == nil {
			return // another's key: it is not accepted as this one's
		}
		if err == nil {
			t.Fatalf("%s: byte %d, %q for %q, in %q is accepted", name, i, other, old, *at)
		}
	})
}

// same tells texts that differ in the case of an escape's digits alone.
func same(a, b string) bool {
	return strings.EqualFold(a, b) && strings.Contains(a, "%") && unescaped(a) == unescaped(b)
}

func unescaped(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return u
}
