package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Skew is how far a signer's clock may be from ours, in both directions.
const Skew = 5 * time.Minute

// Check is what a signature has to be good for.
type Check struct {
	Now      time.Time
	Region   string
	Service  string   // "execute-api", "apigateway"
	MustSign []string // headers that must be among the signed ones beside host, in lower case
}

// Verify checks the signature under a secret. The error is an *Error.
func (s *Signature) Verify(secret string, r *Request, c Check) error {
	if err := s.plausible(r, c); err != nil {
		return err
	}
	key := signingKey(secret, s.Date, s.Region, s.Service)
	queries, err := canonicalQueries(r.RawQuery, s.Presigned)
	if err != nil {
		return err
	}
	for _, path := range canonicalPaths(r.Path) {
		for _, query := range queries {
			text, err := s.canonical(r, path, query)
			if err != nil {
				return err
			}
			// hmac.Equal compares in constant time: how much of a guess is right does not show.
			if hmac.Equal(mac(key, s.stringToSign(text)), s.Value[:]) {
				return nil
			}
		}
	}
	return refuse("the signature does not match the request")
}

// plausible checks what needs no secret.
func (s *Signature) plausible(r *Request, c Check) error {
	switch {
	case s.Service != c.Service:
		return refuse("the signature is for the service %q, not %q", s.Service, c.Service)
	case s.Region != c.Region:
		return refuse("the signature is for the region %q, not %q", s.Region, c.Region)
	case s.Time.After(c.Now.Add(Skew)):
		return refuse("the signature is from the future: the clocks differ by more than %v", Skew)
	case !s.Presigned && s.Time.Before(c.Now.Add(-Skew)):
		return refuse("the signature is older than %v, or the clocks differ", Skew)
	case s.Presigned && c.Now.After(s.Time.Add(s.Expires)):
		return refuse("the presigned request has expired")
	}
	must := append([]string{"host"}, c.MustSign...)
	for name := range r.Header {
		// What says how the signature is to be read must not be added by somebody on the way.
		switch name {
		case "X-Amz-Date", "X-Amz-Content-Sha256":
			must = append(must, strings.ToLower(name))
		}
	}
	for _, name := range must {
		if !slices.Contains(s.SignedHeaders, name) {
			return refuse("the header %s is not signed", name)
		}
	}
	for _, claimed := range r.Header["X-Amz-Content-Sha256"] {
		if claimed != hex.EncodeToString(r.BodyHash[:]) {
			return refuse("X-Amz-Content-Sha256 is not the hash of the body; unsigned payloads are not supported")
		}
	}
	return nil
}

// ValidUntil is when the signature is refused for its age at the latest: until then it has to be remembered.
func (s *Signature) ValidUntil() time.Time {
	if s.Presigned {
		return s.Time.Add(s.Expires)
	}
	return s.Time.Add(Skew)
}

func (s *Signature) stringToSign(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return algorithm + "\n" + s.stamp + "\n" + s.Date + "/" + s.Region + "/" + s.Service + "/aws4_request\n" + hex.EncodeToString(sum[:])
}

// signingKey derives the key of one day, region and service. A chain of HMACs under one secret with distinct messages gives
// independent keys.
func signingKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
