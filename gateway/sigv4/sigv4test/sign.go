// Package sigv4test signs requests for tests, by AWS Signature Version 4. It is written apart from the verifier, and simply, so
// that the two do not share a mistake.
package sigv4test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Signer is a credential and what it signs for.
type Signer struct{ ID, Secret, Region, Service string }

// Header signs a request with its host, its X-Amz-Date and the headers named, and adds the Authorization header. The body is
// read, and put back.
func (s Signer) Header(r *http.Request, at time.Time, headers ...string) {
	stamp := at.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	names := append([]string{"host", "x-amz-date"}, headers...)
	sort.Strings(names)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.ID+"/"+s.scope(stamp)+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+s.signature(r, stamp, names))
}

// Query signs a request in its query.
func (s Signer) Query(r *http.Request, at time.Time, seconds string, headers ...string) {
	stamp := at.UTC().Format("20060102T150405Z")
	names := append([]string{"host"}, headers...)
	sort.Strings(names)
	q := r.URL.Query()
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", s.ID+"/"+s.scope(stamp))
	q.Set("X-Amz-Date", stamp)
	q.Set("X-Amz-Expires", seconds)
	q.Set("X-Amz-SignedHeaders", strings.Join(names, ";"))
	r.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	r.URL.RawQuery += "&X-Amz-Signature=" + s.signature(r, stamp, names)
}

func (s Signer) scope(stamp string) string {
	return stamp[:8] + "/" + s.Region + "/" + s.Service + "/aws4_request"
}

func (s Signer) signature(r *http.Request, stamp string, names []string) string {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // a test's body is in memory
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	segments := strings.Split(path, "/")
	for i, p := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	lines := []string{r.Method, strings.Join(segments, "/"), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")}
	for _, n := range names {
		v := host
		if n != "host" {
			v = strings.Join(r.Header.Values(n), ",")
		}
		lines = append(lines, n+":"+v)
	}
	lines = append(lines, "", strings.Join(names, ";"), sum(body))
	key := []byte("AWS4" + s.Secret)
	for _, part := range append(strings.Split(s.scope(stamp), "/"), "AWS4-HMAC-SHA256\n"+stamp+"\n"+s.scope(stamp)+"\n"+sum([]byte(strings.Join(lines, "\n")))) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
