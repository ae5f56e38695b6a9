package fuzz

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"stagecache/gateway/iam"
)

// FuzzIAMPolicy: a policy is read or refused with an *iam.Error; what is read decides the same way twice, says by which
// statement, and never allows what a statement for everything denies.
func FuzzIAMPolicy(f *testing.F) {
	for _, p := range []string{
		"", "{}", "[", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"a","Effect":"Deny","NotAction":["a:b"],"NotResource":"arn:aws:x:*:*:?","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]},"Bool":{"aws:SecureTransport":true}}}]}`,
		"Statement:\n- {Effect: Allow, Action: '*:*', Resource: 'arn:*', Condition: {DateLessThan: {aws:CurrentTime: 2030-01-01}, StringLike: {aws:SourceIp: '1*'}}}\n",
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"1.2.3.4"},"StringEquals":{"aws:CurrentTime":"x"}}}}`,
		"Statement: &a [*a]", `{"Statement":{"Effect":"Allow","Effect":"Deny"}}`,
	} {
		f.Add([]byte(p), "execute-api:InvalidateCache", "arn:aws:execute-api:r:1:a/s/GET/x")
	}
	f.Fuzz(func(t *testing.T, text []byte, action, resource string) {
		p, err := iam.Parse(text)
		if err != nil {
			var e *iam.Error
			if !errors.As(err, &e) || p != nil || e.Message == "" {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		if len(p.Statements) == 0 {
			t.Fatal("a policy without statements")
		}
		r := iam.Request{Actions: []string{action}, Resource: resource, SourceIP: netip.MustParseAddr("192.0.2.7"), Time: time.Unix(1e9, 0)}
		d := p.Decide(r)
		if again := p.Decide(r); again != d || d.Reason() == "" {
			t.Fatalf("%+v, then %+v", d, again)
		}
		if d.Allowed != (d.Statement != nil && d.Statement.Effect == iam.Allow) {
			t.Fatalf("%+v", d)
		}
		deny := iam.Statement{Effect: iam.Deny, Actions: []string{"*"}, Resources: []string{"*"}}
		p.Statements = append(p.Statements, deny)
		if p.Decide(r).Allowed {
			t.Fatal("allowed in spite of a denial of everything")
		}
	})
}
