package sigv4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is what a signature covers, as it came over the wire.
type Request struct {
	Method   string
	Path     string // escaped, as on the request line; empty is "/"
	RawQuery string
	Host     string              // as the client sent it
	Header   map[string][]string // by canonical name, as net/http keeps them
	Length   int64               // of the body: for a signed Content-Length that is not in Header
	BodyHash [32]byte            // SHA-256 of the body; of nothing, where there is none
}

// Signature is what a request says about its signature. Nothing of it is proven before Verify.
type Signature struct {
	AccessKeyID   string
	Date          string // of the scope, YYYYMMDD
	Region        string
	Service       string
	Time          time.Time
	Presigned     bool
	Expires       time.Duration // presigned: how long after Time it may be used
	SignedHeaders []string      // lower case, sorted
	Value         [32]byte

	stamp string // Time as it was written
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"

	maxSignedHeaders = 100
	// maxExpires is AWS's own limit of a presigned request.
	maxExpires = 7 * 24 * time.Hour
	// usualExpires is for a presigned request that does not say.
	usualExpires = 5 * time.Minute
)

// ErrNone: the request is not signed at all.
var ErrNone = errors.New("the request has no signature")

// Error says why a signature is not accepted. Its text is for operators; it holds no secret, and no signature that would be right.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// HeaderKeyID gives the access key id that an Authorization header claims; empty if it is of another scheme.
func HeaderKeyID(authorization string) string {
	scheme, rest, _ := strings.Cut(strings.TrimLeft(authorization, " "), " ")
	if !strings.HasPrefix(scheme, "AWS4-") {
		return ""
	}
	for part := range strings.SplitSeq(rest, ",") {
		if scope, ok := strings.CutPrefix(strings.Trim(part, " "), "Credential="); ok {
			id, _, _ := strings.Cut(scope, "/")
			return id
		}
	}
	return ""
}

// QueryKeyID gives the access key id that a presigned query claims; empty if it is none.
func QueryKeyID(rawQuery string) string {
	if !strings.Contains(rawQuery, "X-Amz-Credential=") {
		return ""
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if value, ok := strings.CutPrefix(pair, "X-Amz-Credential="); ok {
			scope, _ := url.QueryUnescape(value)
			id, _, _ := strings.Cut(scope, "/")
			return id
		}
	}
	return ""
}

// QueryHasKey tells whether a query claims a key that is known, in whatever way its parameters are written and however many
// there are: what of it is valid is another question.
func QueryHasKey(rawQuery string, known func(id string) bool) bool {
	if !strings.Contains(rawQuery, "X-Amz-Credential=") && !strings.Contains(rawQuery, "%") {
		return false
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "X-Amz-Credential" {
			if name, _ = url.QueryUnescape(name); name != "X-Amz-Credential" {
				continue
			}
		}
		scope, _ := url.QueryUnescape(value)
		if id, _, _ := strings.Cut(scope, "/"); known(id) {
			return true
		}
	}
	return false
}

// queryNames are the parameters that carry a presigned request's signature.
var queryNames = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token",
}

// StripQuery removes what belongs to a signature from a query, and leaves the rest as it was.
func StripQuery(rawQuery string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && slices.Contains(queryNames, name) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// Parse reads what a request says of its signature: ErrNone where it has none, an *Error where it makes no sense.
func Parse(r *Request) (*Signature, error) {
	headers := r.Header["Authorization"]
	presigned := QueryKeyID(r.RawQuery) != ""
	switch {
	case len(headers) > 1 || len(headers) == 1 && presigned:
		return nil, refuse("the request carries more than one credential")
	case len(r.Header["X-Amz-Security-Token"]) > 0:
		return nil, refuse("temporary credentials (X-Amz-Security-Token) are not supported")
	case presigned:
		return parseQuery(r)
	case len(headers) == 1 && strings.HasPrefix(headers[0], "AWS4-"):
		return parseHeader(r, headers[0])
	}
	return nil, ErrNone
}

func parseHeader(r *Request, header string) (*Signature, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		return nil, refuse("the algorithm is not %s", algorithm)
	}
	fields := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		if _, twice := fields[name]; !ok || twice {
			return nil, refuse("the Authorization header is malformed")
		}
		fields[name] = value
	}
	if len(fields) != 3 {
		return nil, refuse("the Authorization header needs Credential, SignedHeaders and Signature, and nothing else")
	}
	s := &Signature{}
	if err := s.fill(fields["Credential"], fields["SignedHeaders"], fields["Signature"]); err != nil {
		return nil, err
	}
	stamps := r.Header["X-Amz-Date"]
	if len(stamps) == 0 {
		stamps = r.Header["Date"]
	}
	if len(stamps) != 1 {
		return nil, refuse("the request needs one X-Amz-Date")
	}
	return s, s.at(stamps[0])
}

func parseQuery(r *Request) (*Signature, error) {
	fields := make(map[string]string, len(queryNames))
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !slices.Contains(queryNames, name) {
			continue
		}
		text, err := url.QueryUnescape(value)
		if _, twice := fields[name]; err != nil || twice {
			return nil, refuse("the parameter %s is malformed", name)
		}
		fields[name] = text
	}
	if fields["X-Amz-Algorithm"] != algorithm {
		return nil, refuse("the algorithm is not %s", algorithm)
	}
	if fields["X-Amz-Security-Token"] != "" {
		return nil, refuse("temporary credentials (X-Amz-Security-Token) are not supported")
	}
	s := &Signature{Presigned: true, Expires: usualExpires}
	if err := s.fill(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"], fields["X-Amz-Signature"]); err != nil {
		return nil, err
	}
	if text, given := fields["X-Amz-Expires"]; given {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n < 1 || time.Duration(n)*time.Second > maxExpires {
			return nil, refuse("X-Amz-Expires is not between 1 and %d seconds", int(maxExpires/time.Second))
		}
		s.Expires = time.Duration(n) * time.Second
	}
	return s, s.at(fields["X-Amz-Date"])
}

// fill takes what both forms have in common.
func (s *Signature) fill(scope, signed, value string) error {
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || slices.Contains(parts, "") || parts[4] != "aws4_request" {
		return refuse("the credential is not ID/DATE/REGION/SERVICE/aws4_request")
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	s.SignedHeaders = strings.Split(signed, ";")
	if len(s.SignedHeaders) > maxSignedHeaders {
		return refuse("more than %d headers are signed", maxSignedHeaders)
	}
	for i, name := range s.SignedHeaders {
		if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, " \t\r\n:") || i > 0 && name <= s.SignedHeaders[i-1] {
			return refuse("the list of signed headers is not sorted, or not in lower case")
		}
	}
	if n, err := hex.Decode(s.Value[:], padded(value)); err != nil || n != len(s.Value) || value != strings.ToLower(value) {
		return refuse("the signature is not 64 hexadecimal digits")
	}
	return nil
}

// padded keeps hex.Decode from writing past the signature.
func padded(value string) []byte {
	if len(value) != 64 {
		return []byte("-")
	}
	return []byte(value)
}

func (s *Signature) at(stamp string) (err error) {
	if s.Time, err = time.Parse(timeFormat, stamp); err != nil {
		return refuse("the date of the signature is not of the form 20060102T150405Z")
	}
	s.stamp = stamp
	if !strings.HasPrefix(stamp, s.Date) || len(s.Date) != 8 {
		return refuse("the date of the credential's scope is not that of the request")
	}
	return nil
}
