package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

const (
	suiteID     = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// The signatures that AWS publishes with its test suite for version 4, and with its page on the signing process (the IAM one).
var vectors = []struct {
	name, method, path, query string
	header                    map[string][]string // beside X-Amz-Date
	signed, body, service     string
	host                      string
	signature                 string
}{
	{name: "get-vanilla", method: "GET", path: "/", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-vanilla-query-order-key-case", method: "GET", path: "/", query: "Param2=value2&Param1=value1", signed: "host;x-amz-date",
		signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{name: "get-vanilla-utf8-query", method: "GET", path: "/", query: "%E1%88%B4=bar", signed: "host;x-amz-date",
		signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{name: "get-utf8", method: "GET", path: "/\u1234", signed: "host;x-amz-date",
		signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{name: "get-space", method: "GET", path: "/example space/", signed: "host;x-amz-date",
		signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{name: "get-unreserved", method: "GET", path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", signed: "host;x-amz-date",
		signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{name: "get-relative", method: "GET", path: "/example/..", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-relative-relative", method: "GET", path: "/example1/example2/../..", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-slash", method: "GET", path: "//", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-slash-dot-slash", method: "GET", path: "/./", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-slashes", method: "GET", path: "//example//", signed: "host;x-amz-date",
		signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{name: "get-header-key-duplicate", method: "GET", path: "/", header: map[string][]string{"My-Header1": {"value2", "value2", "value1"}},
		signed:    "host;my-header1;x-amz-date",
		signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{name: "get-header-value-trim", method: "GET", path: "/", header: map[string][]string{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}},
		signed:    "host;my-header1;my-header2;x-amz-date",
		signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{name: "post-vanilla", method: "POST", path: "/", signed: "host;x-amz-date",
		signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{name: "post-vanilla-query", method: "POST", path: "/", query: "Param1=value1", signed: "host;x-amz-date",
		signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{name: "post-header-key-sort", method: "POST", path: "/", header: map[string][]string{"My-Header1": {"value1"}}, signed: "host;my-header1;x-amz-date",
		signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{name: "post-x-www-form-urlencoded", method: "POST", path: "/", header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}},
		signed: "content-type;host;x-amz-date", body: "Param1=value1",
		signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{name: "the IAM example", method: "GET", path: "/", query: "Action=ListUsers&Version=2010-05-08", host: "iam.amazonaws.com", service: "iam",
		header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, signed: "content-type;host;x-amz-date",
		signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
}

// vector makes the request of one, as a server gets it.
func vector(i int) (*Request, Check) {
	v := vectors[i]
	service, host := v.service, v.host
	if service == "" {
		service, host = "service", "example.amazonaws.com"
	}
	r := &Request{Method: v.method, Path: v.path, RawQuery: v.query, Host: host, Header: map[string][]string{}, BodyHash: sha256.Sum256([]byte(v.body))}
	for name, values := range v.header {
		r.Header[name] = values
	}
	r.Header["X-Amz-Date"] = []string{suiteTime.Format(timeFormat)}
	r.Header["Authorization"] = []string{algorithm + " Credential=" + suiteID + "/20150830/us-east-1/" + service + "/aws4_request, SignedHeaders=" + v.signed + ", Signature=" + v.signature}
	return r, Check{Now: suiteTime, Region: "us-east-1", Service: service}
}

func verify(secret string, r *Request, c Check) error {
	s, err := Parse(r)
	if err != nil {
		return err
	}
	return s.Verify(secret, r, c)
}

func TestPublishedSignatures(t *testing.T) {
	for i, v := range vectors {
		r, c := vector(i)
		if err := verify(suiteSecret, r, c); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if err := verify(suiteSecret+"x", r, c); err == nil {
			t.Errorf("%s: accepted under another secret", v.name)
		}
		r.BodyHash[0] ^= 1
		if err := verify(suiteSecret, r, c); err == nil {
			t.Errorf("%s: accepted with another body", v.name)
		}
	}
}

// The published example of a derived key (AWS, "Examples of how to derive a signing key").
func TestPublishedSigningKey(t *testing.T) {
	got := hex.EncodeToString(signingKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam"))
	if want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; got != want {
		t.Errorf("%s", got)
	}
}

func TestRefusals(t *testing.T) {
	auth := func(from, to string) func(*Request, *Check) {
		return func(r *Request, _ *Check) {
			r.Header["Authorization"][0] = strings.Replace(r.Header["Authorization"][0], from, to, 1)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Request, *Check)
		want   string
	}{
		{"another service", func(_ *Request, c *Check) { c.Service = "execute-api" }, `for the service "service", not "execute-api"`},
		{"another region", func(_ *Request, c *Check) { c.Region = "eu-west-1" }, `for the region "us-east-1"`},
		{"too old", func(_ *Request, c *Check) { c.Now = suiteTime.Add(Skew + time.Second) }, "older than 5m0s"},
		{"from the future", func(_ *Request, c *Check) { c.Now = suiteTime.Add(-Skew - time.Second) }, "from the future"},
		{"a header that must be signed", func(_ *Request, c *Check) { c.MustSign = []string{"cache-control"} }, "cache-control is not signed"},
		{"an unsigned payload", func(r *Request, _ *Check) {
			r.Header["X-Amz-Content-Sha256"] = []string{"UNSIGNED-PAYLOAD"}
		}, "x-amz-content-sha256 is not signed"},
		{"a hash of another body", func(r *Request, _ *Check) {
			r.Header["X-Amz-Content-Sha256"] = []string{hex.EncodeToString(make([]byte, 32))}
			r.Header["Authorization"][0] = strings.Replace(r.Header["Authorization"][0], "host;x-amz-date", "host;x-amz-content-sha256;x-amz-date", 1)
		}, "X-Amz-Content-Sha256 is not the hash of the body"},
		{"a session token", func(r *Request, _ *Check) { r.Header["X-Amz-Security-Token"] = []string{"t"} }, "temporary credentials"},
		{"two credentials", func(r *Request, _ *Check) {
			r.Header["Authorization"] = append(r.Header["Authorization"], "Bearer x")
		}, "more than one credential"},
		{"header and query", func(r *Request, _ *Check) { r.RawQuery = "X-Amz-Credential=AKID%2F1" }, "more than one credential"},
		{"two dates", func(r *Request, _ *Check) { r.Header["X-Amz-Date"] = append(r.Header["X-Amz-Date"], "x") }, "one X-Amz-Date"},
		{"no date", func(r *Request, _ *Check) { delete(r.Header, "X-Amz-Date") }, "one X-Amz-Date"},
		{"the scope of another day", auth("/20150830/", "/20150831/"), "date of the credential's scope"},
		{"half a scope", auth("/us-east-1/service", "/service"), "the credential is not"},
		{"unsorted headers", auth("host;x-amz-date", "x-amz-date;host"), "not sorted"},
		{"host is not signed", auth("host;x-amz-date", "x-amz-date"), "host is not signed"},
		{"a header that is not there", auth("host;x-amz-date", "host;range;x-amz-date"), `"range" is not there`},
		{"a short signature", auth("bf31", "bf3"), "64 hexadecimal"},
		{"capitals in the signature", auth("bf31", "BF31"), "64 hexadecimal"},
		{"another algorithm", auth(algorithm, "AWS4-ECDSA-P256-SHA256"), "the algorithm is not"},
		{"a field twice", auth("SignedHeaders=", "Credential=x, SignedHeaders="), "malformed"},
		{"a bad escape", func(r *Request, _ *Check) { r.RawQuery = "a=%4" }, "percent sign"},
		{"an empty parameter", func(r *Request, _ *Check) { r.RawQuery = "a=1&&b=2" }, "empty parameter"},
		{"another path", func(r *Request, _ *Check) { r.Path = "/x" }, "does not match"},
		{"another host", func(r *Request, _ *Check) { r.Host = "example.com" }, "does not match"},
	} {
		r, check := vector(0)
		c.change(r, &check)
		if err := verify(suiteSecret, r, check); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		} else if strings.Contains(err.Error(), "5fa00f") {
			t.Errorf("%s: the reason repeats the signature: %v", c.name, err)
		}
	}
	if err := verify(suiteSecret, &Request{Header: map[string][]string{"Authorization": {"Bearer x"}}}, Check{}); err != ErrNone {
		t.Errorf("a bearer token: %v", err)
	}
}

// sign is the signer's half, for requests that the published examples do not have.
func sign(r *Request, s *Signature) {
	query, err := canonicalQuery(r.RawQuery, s.Presigned)
	if err != nil {
		panic(err)
	}
	signQuery(r, s, query)
}

// signQuery signs with a form of the query.
func signQuery(r *Request, s *Signature, query string) {
	s.Date, s.Region, s.Service, s.stamp = s.Time.Format("20060102"), "us-east-1", "execute-api", s.Time.Format(timeFormat)
	text, err := s.canonical(r, canonicalPaths(r.Path)[0], query)
	if err != nil {
		panic(err)
	}
	copy(s.Value[:], mac(signingKey(suiteSecret, s.Date, s.Region, s.Service), s.stringToSign(text)))
}

func TestPresigned(t *testing.T) {
	const base = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=cache-control%3Bhost"
	check := Check{Now: suiteTime.Add(10 * time.Minute), Region: "us-east-1", Service: "execute-api", MustSign: []string{"cache-control"}}
	make := func(query string) *Request {
		r := &Request{Method: "GET", Path: "/prod/products/7", RawQuery: query, Host: "api.example.com",
			Header: map[string][]string{"Cache-Control": {"max-age=0"}}, BodyHash: sha256.Sum256(nil)}
		s := &Signature{Presigned: true, Time: suiteTime, SignedHeaders: []string{"cache-control", "host"}}
		sign(r, s)
		r.RawQuery += "&X-Amz-Signature=" + hex.EncodeToString(s.Value[:])
		return r
	}
	r := make("page=2&" + base + "&X-Amz-Expires=900")
	if err := verify(suiteSecret, r, check); err != nil {
		t.Error(err)
	}
	if id := QueryKeyID(r.RawQuery); id != suiteID {
		t.Errorf("id %q", id)
	}
	if left := StripQuery(r.RawQuery); left != "page=2" {
		t.Errorf("left %q", left)
	}
	late := check
	late.Now = suiteTime.Add(15*time.Minute + time.Second)
	if err := verify(suiteSecret, r, late); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("late: %v", err)
	}
	r.RawQuery = strings.Replace(r.RawQuery, "page=2", "page=3", 1)
	if err := verify(suiteSecret, r, check); err == nil {
		t.Error("another page was accepted")
	}
	for query, want := range map[string]string{
		base:                                  "expired", // five minutes where nothing is said
		base + "&X-Amz-Expires=604801":        "X-Amz-Expires",
		base + "&X-Amz-Expires=0":             "X-Amz-Expires",
		base + "&X-Amz-Expires=9&X-Amz-Date=": "X-Amz-Date is malformed",
		base + "&X-Amz-Security-Token=t":      "temporary",
		strings.Replace(base, "HMAC", "X", 1): "algorithm",
	} {
		if err := verify(suiteSecret, make(query), check); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}

// Not every signer brings a query into the form that it should have. curl before 8 signs it as it is, botocore orders what stands in a
// URL, and no more.
func TestQueriesAsSignersLeaveThem(t *testing.T) {
	check := Check{Now: suiteTime, Region: "us-east-1", Service: "execute-api"}
	for _, c := range []struct {
		sent, signed string
		want         bool
	}{
		{"b=2&a=1", "a=1&b=2", true},
		{"b=2&a=1", "b=2&a=1", true},
		{"flag&b=%7Ex&a=y+z", "a=y%20z&b=~x&flag=", true},
		{"flag&b=%7Ex&a=y+z", "a=y+z&b=%7Ex&flag", true},
		{"flag&b=%7Ex&a=y+z", "flag&b=%7Ex&a=y+z", true},
		{"x=1&x=2", "x=1&x=2", true},
		{"b=2&a=1", "b=2&a=2", false},
		{"b=2&a=1&c=3", "a=1&b=2", false},
		{"b=%2B&a=1", "b=+&a=1", false},
		{"b=%2B&a=1", "a=1&b=%20", false},
		{"c=3&b=2&a=1", "b=2&c=3&a=1", false}, // neither as it was sent nor in any order that has a reason
	} {
		r := &Request{Method: "GET", Path: "/a", RawQuery: c.sent, Host: "h", BodyHash: sha256.Sum256(nil)}
		s := &Signature{Time: suiteTime, SignedHeaders: []string{"host"}}
		signQuery(r, s, c.signed)
		if err := s.Verify(suiteSecret, r, check); (err == nil) != c.want {
			t.Errorf("%s, signed as %s: %v", c.sent, c.signed, err)
		}
	}
}

func TestQueryHasKey(t *testing.T) {
	known := func(id string) bool { return id == suiteID }
	for query, want := range map[string]bool{
		"": false, "a=1": false, "X-Amz-Credential=AKIDEXAMPLE%2F2015": true, "X-Amz-Credential=OTHER%2F2015": false,
		"X-Amz-Credential=OTHER%2F2015&X-Amz-Credential=AKIDEXAMPLE/2015": true,
		"%58-Amz-Credential=AKIDEXAMPLE%2F2015":                           true,
		"x=X-Amz-Credential=AKIDEXAMPLE":                                  false,
		"a=%zz&X%2DAmz%2DCredential=AKIDEXAMPLE":                          true,
	} {
		if got := QueryHasKey(query, known); got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	for text, want := range map[string]string{
		algorithm + " Credential=AKID/2015/r/s/aws4_request, SignedHeaders=host, Signature=0": "AKID",
		"AWS4-ECDSA-P256-SHA256 SignedHeaders=host,Credential=AKID/x":                         "AKID",
		"Bearer Credential=AKID/x": "",
		"Basic eA==":               "",
		"":                         "",
	} {
		if got := HeaderKeyID(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
