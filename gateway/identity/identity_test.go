package identity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/config"
	"stagecache/gateway/iam"
	"stagecache/gateway/sigv4"
)

var now = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// testConfig has the access key of AWS's published examples, so that their signatures are good for it.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	p, err := iam.Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"execute-api:InvalidateCache","Resource":"arn:aws:execute-api:us-east-1:123456789012:shop/prod/GET/*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return &config.Config{
		API: config.API{ID: "shop"},
		IAM: config.IAM{Region: "us-east-1", Account: "123456789012", Users: []config.User{
			{Name: "deployer", Policy: p, AccessKeys: []config.AccessKey{{ID: "AKIDEXAMPLE", Secret: config.NewSecret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")}, {ID: "NOSECRET"}},
				Tokens: []config.Token{{Hash: sha256.Sum256([]byte("the-deployers-token"))}, {}}},
			{Name: "other", Tokens: []config.Token{{Hash: sha256.Sum256([]byte("another-token"))}}},
		}},
	}
}

const signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

func TestClaims(t *testing.T) {
	d := New(testConfig(t), NewMemory(now))
	type header = map[string][]string
	for _, c := range []struct {
		name      string
		header    header
		query     string
		ours      bool
		left      header
		leftQuery string
	}{
		{"nothing", header{"Accept": {"*/*"}}, "a=1", false, nil, ""},
		{"somebody else's token", header{"Authorization": {"Bearer x"}}, "", false, nil, ""},
		{"somebody else's key", header{"Authorization": {strings.Replace(signature, "AKIDEXAMPLE", "AKIDOTHER", 1)}}, "", false, nil, ""},
		{"a key without a secret", header{"Authorization": {strings.Replace(signature, "AKIDEXAMPLE", "NOSECRET", 1)}}, "", false, nil, ""},
		{"basic", header{"Authorization": {"Basic dGhlLWRlcGxveWVycy10b2tlbg=="}}, "", false, nil, ""},
		{"an empty token", header{"Authorization": {"Bearer "}}, "", false, nil, ""},
		{"our token", header{"Authorization": {"bearer  the-deployers-token"}, "X-Amz-Date": {"d"}}, "a=1&b", true, header{"X-Amz-Date": {"d"}}, "a=1&b"},
		{"our key, false", header{"Authorization": {signature + "0"}, "X-Amz-Date": {"d"}, "X-Amz-Content-Sha256": {"x"}, "Accept": {"*/*"}}, "", true, header{"Accept": {"*/*"}}, ""},
		{"our key in another version", header{"Authorization": {strings.Replace(signature, "HMAC", "ECDSA-P256", 1)}}, "", true, header{}, ""},
		{"ours and another", header{"Authorization": {"Bearer x", "Bearer another-token"}}, "", true, header{"Authorization": {"Bearer x"}}, ""},
		{"presigned", header{"Authorization": {"Basic x"}}, "a=1&X-Amz-Credential=AKIDEXAMPLE%2F2015&X-Amz-Signature=0&X-Amz-Foo=1&b=%zz", true, header{"Authorization": {"Basic x"}}, "a=1&X-Amz-Foo=1&b=%zz"},
		{"presigned twice", header{}, "X-Amz-Credential=AKIDOTHER%2F2015&a=1&X-Amz-Credential=AKIDEXAMPLE%2F2015", true, header{}, "a=1"},
		{"presigned, with names escaped", header{}, "a=1&X%2DAmz-Credential=AKIDEXAMPLE%2F2015&%58-Amz-Signature=0", true, header{}, "a=1"},
		{"presigned by another", header{}, "X-Amz-Credential=AKIDOTHER%2F2015", false, nil, ""},
	} {
		claim := d.Claim(c.header, c.query)
		if (claim != nil) != c.ours {
			t.Errorf("%s: %+v", c.name, claim)
		}
		if claim == nil {
			continue
		}
		left := maps.Clone(c.header)
		if query := claim.Strip(left, c.query); query != c.leftQuery || fmt.Sprint(left) != fmt.Sprint(c.left) {
			t.Errorf("%s: left %v %q", c.name, left, query)
		}
	}
	var nobody *Directory
	if !nobody.Empty() || nobody.Claim(header{"Authorization": {signature}}, "") != nil {
		t.Error("a claim without users")
	}
}

func vanilla() *sigv4.Request {
	return &sigv4.Request{Method: "GET", Path: "/", Host: "example.amazonaws.com", BodyHash: sha256.Sum256(nil),
		Header: map[string][]string{"X-Amz-Date": {"20150830T123600Z"}, "Authorization": {signature}}}
}

func verify(d *Directory, r *sigv4.Request, at time.Time) (*User, error) {
	return d.Verify(d.Claim(r.Header, r.RawQuery), r, sigv4.Check{Now: at, Service: "service"})
}

func TestEachSignatureOnce(t *testing.T) {
	memory := NewMemory(now)
	d := New(testConfig(t), memory)
	bad := vanilla()
	bad.Path = "/x"
	if _, err := verify(d, bad, now); err == nil {
		t.Fatal("a false signature was accepted")
	}
	if u, err := verify(d, vanilla(), now); err != nil || u.Name != "deployer" {
		t.Fatal(u, err)
	}
	// Also by the next configuration, and until it is too old anyway.
	d = New(testConfig(t), memory)
	for _, at := range []time.Time{now, now.Add(-sigv4.Skew), now.Add(sigv4.Skew)} {
		if _, err := verify(d, vanilla(), at); !errors.Is(err, ErrReplayed) {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if _, err := verify(d, vanilla(), now.Add(sigv4.Skew+time.Second)); err == nil || errors.Is(err, ErrReplayed) {
		t.Errorf("too old: %v", err)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	m := NewMemory(now)
	at := func(i int) (s [32]byte) { copy(s[:], fmt.Sprint(i)); return s }
	for i := range maxUsed {
		if err := m.used.take(at(i), now.Add(time.Minute), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.used.take(at(maxUsed), now.Add(time.Minute), now); err == nil || errors.Is(err, ErrReplayed) {
		t.Errorf("one too many: %v", err)
	}
	if err := m.used.take(at(0), now.Add(time.Minute), now); !errors.Is(err, ErrReplayed) {
		t.Errorf("full, and a signature again: %v", err)
	}
	later := now.Add(61 * time.Second)
	if err := m.used.take(at(maxUsed), later.Add(time.Minute), later); err != nil || len(m.used.until) != 1 {
		t.Errorf("when they are too old: %v, %d left", err, len(m.used.until))
	}
}

func TestTokens(t *testing.T) {
	d := New(testConfig(t), NewMemory(now))
	for text, want := range map[string]string{"Bearer the-deployers-token": "deployer", "BEARER another-token ": "other"} {
		r := &sigv4.Request{Header: map[string][]string{"Authorization": {text}}}
		for range 2 { // as often as one likes
			if u, err := verify(d, r, now); err != nil || u.Name != want {
				t.Errorf("%s: %v, %v", text, u, err)
			}
		}
	}
	r := &sigv4.Request{Header: map[string][]string{"Authorization": {"Bearer another-token", "Bearer x"}}}
	if _, err := verify(d, r, now); !errors.Is(err, errSeveral) {
		t.Errorf("two credentials: %v", err)
	}
}

func TestPresignedBeforeTheStart(t *testing.T) {
	m := NewMemory(now)
	old := &sigv4.Signature{Presigned: true, Time: now.Add(-sigv4.Skew - time.Second), Expires: time.Hour}
	if err := m.once(old, now); !errors.Is(err, errBefore) {
		t.Errorf("%v", err)
	}
	old.Time = now.Add(-sigv4.Skew)
	if err := m.once(old, now); err != nil {
		t.Error(err)
	}
	if err := m.once(old, now.Add(time.Hour-sigv4.Skew)); !errors.Is(err, ErrReplayed) {
		t.Errorf("again, shortly before it expires: %v", err)
	}
}

func TestARNs(t *testing.T) {
	n := Names{"eu-west-1", "123456789012", "shop"}
	for got, want := range map[string]string{
		n.Method("prod", "GET", "/products/7"): "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/products/7",
		n.Method("prod", "GET", "/"):           "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/",
		n.CacheData("prod"):                    "arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod/cache/data",
		n.Stages():                             "arn:aws:apigateway:eu-west-1::/restapis/shop/stages",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	u := New(testConfig(t), NewMemory(now)).keys["AKIDEXAMPLE"].user
	here := Origin{netip.MustParseAddr("127.0.0.1"), false, now}
	if !u.May(InvalidateCache, Names{"us-east-1", "123456789012", "shop"}.Method("prod", "GET", "/products/7"), here).Allowed {
		t.Error("the deployer may not refresh")
	}
	if (*User)(nil).May(InvalidateCache, "", here).Allowed {
		t.Error("nobody may")
	}
}
