package iam

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"
)

const arn = "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/products/7"

func request() Request {
	return Request{
		Actions: []string{"execute-api:InvalidateCache", "apigateway:InvalidateCache"}, Resource: arn,
		SourceIP: netip.MustParseAddr("192.0.2.7"), Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Secure: true,
	}
}

func statement(s string) string { return `{"Version":"2012-10-17","Statement":` + s + `}` }

func TestDecide(t *testing.T) {
	allow := func(rest string) string {
		return statement(`{"Effect":"Allow","Action":"*","Resource":"*"` + rest + `}`)
	}
	for _, c := range []struct {
		name, policy string
		want         string // "" for no statement
		allowed      bool
	}{
		{"exact", statement(`{"Effect":"Allow","Action":"execute-api:InvalidateCache","Resource":"` + arn + `"}`), "statement 1", true},
		{"the alias", statement(`[{"Effect":"Allow","Action":["apigateway:invalidatecache"],"Resource":"` + arn + `"}]`), "statement 1", true},
		{"case of the action", statement(`{"Effect":"Allow","Action":"EXECUTE-API:Invalidate*","Resource":"*"}`), "statement 1", true},
		{"case of the resource", statement(`{"Effect":"Allow","Action":"*","Resource":"` + strings.ReplaceAll(arn, "GET", "get") + `"}`), "", false},
		{"wildcards", statement(`{"Effect":"Allow","Action":"execute-api:*","Resource":"arn:aws:execute-api:*:123456789012:shop/prod/GET/products/?"}`), "statement 1", true},
		{"another method", statement(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:eu-west-1:123456789012:shop/prod/POST/*"}`), "", false},
		{"another action", statement(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`), "", false},
		{"deny first", statement(`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"no","Effect":"Deny","Action":"*:InvalidateCache","Resource":"arn:*/products/*"}]`), "statement 2 (no)", false},
		{"deny elsewhere", statement(`[{"Effect":"Deny","Action":"*","Resource":"arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/private/*"},{"Effect":"Allow","Action":"*","Resource":"*"}]`), "statement 2", true},
		{"all actions but", statement(`{"Effect":"Allow","NotAction":"execute-api:Invoke","Resource":"*"}`), "statement 1", true},
		{"all actions but this, under its alias", statement(`{"Effect":"Allow","NotAction":"apigateway:InvalidateCache","Resource":"*"}`), "", false},
		{"all resources but", statement(`{"Effect":"Allow","Action":"*","NotResource":["arn:aws:execute-api:*:*:shop/prod/GET/cart"]}`), "statement 1", true},
		{"all resources but this", statement(`{"Effect":"Allow","Action":"*","NotResource":"*"}`), "", false},

		{"network", allow(`,"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}`), "statement 1", true},
		{"another network", allow(`,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), "", false},
		{"not in a network", allow(`,"Condition":{"NotIpAddress":{"AWS:sourceip":"10.0.0.0/8"}}`), "statement 1", true},
		{"in a network that is excluded", allow(`,"Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.7"}}`), "", false},
		{"an IPv6 network", allow(`,"Condition":{"IpAddress":{"aws:SourceIp":"::/0"}}`), "", false},
		{"before a time", allow(`,"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:06Z"}}`), "statement 1", true},
		{"at that time", allow(`,"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`), "", false},
		{"before a number of seconds", allow(`,"Condition":{"DateLessThan":{"aws:CurrentTime":4102444800}}`), "statement 1", true},
		{"secure", allow(`,"Condition":{"Bool":{"aws:SecureTransport":true}}`), "statement 1", true},
		{"insecure alone", allow(`,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`), "", false},
		{"text", allow(`,"Condition":{"StringEquals":{"aws:SourceIp":"192.0.2.7"}}`), "statement 1", true},
		{"text with a star that is one", allow(`,"Condition":{"StringEquals":{"aws:SourceIp":"192.0.2.*"}}`), "", false},
		{"text like", allow(`,"Condition":{"StringLike":{"aws:CurrentTime":"2026-01-*"}}`), "statement 1", true},
		{"both must hold", allow(`,"Condition":{"Bool":{"aws:SecureTransport":true},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), "", false},
	} {
		p, err := Parse([]byte(c.policy))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		d := p.Decide(request())
		got := ""
		if d.Statement != nil {
			got = d.Statement.Name()
		}
		if d.Allowed != c.allowed || got != c.want {
			t.Errorf("%s: %v by %q, want %v by %q (%s)", c.name, d.Allowed, got, c.allowed, c.want, d.Reason())
		}
	}
	if d := (*Policy)(nil).Decide(request()); d.Allowed || d.Reason() != "no statement allows it" {
		t.Errorf("no policy: %+v", d)
	}
}

// What is not known of a request fits no condition, and a negated one only.
func TestWhatIsNotKnown(t *testing.T) {
	for condition, want := range map[string]bool{
		`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`:        false,
		`"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}`:    true,
		`"StringLike":{"aws:SourceIp":"*"}`:               false,
		`"DateLessThan":{"aws:CurrentTime":"2099-01-01"}`: false,
		`"StringLike":{"aws:CurrentTime":"*"}`:            false,
	} {
		p, err := Parse([]byte(statement(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}`)))
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Decide(Request{Actions: []string{"a:b"}, Resource: arn}); d.Allowed != want {
			t.Errorf("%s: %v", condition, d.Allowed)
		}
	}
}

// An address that came in its IPv6 form is the IPv4 address that it stands for.
func TestMappedAddresses(t *testing.T) {
	p, err := Parse([]byte(statement(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`)))
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	r.SourceIP = netip.MustParseAddr("::ffff:192.0.2.7")
	if d := p.Decide(r); d.Statement == nil {
		t.Error("the mapped form is not recognised")
	}
}

func TestParseErrors(t *testing.T) {
	in := func(s string) string { return "{\n\"Statement\": [\n{" + s + "}\n]}" }
	const rest = `"Effect":"Allow","Action":"*","Resource":"*"`
	for _, c := range []struct{ policy, want string }{
		{"", "line 1: the policy is empty"},
		{"{", "line 1: not valid JSON: it ends in the middle"},
		{"{\n}\n{}", "line 3: there is more after the policy"},
		{`"x"`, "line 1: the policy must be an object"},
		{"[]", "line 1: must be an object, not a list"},
		{"{}", "line 1: Statement: is missing"},
		{`{"Statement":[]}`, "line 1: Statement: is empty"},
		{`{"Version":"2013-01-01","Statement":{}}`, `line 1: Version: must be "2012-10-17"`},
		{"{\n\"Principal\":\"*\"}", "line 2: Principal: unknown element; known here: Version, Id, Statement"},
		{in(rest + ",\n\"Principal\":\"*\""), "line 4: Statement[0].Principal: unknown element; known here: Sid, Effect, Action, NotAction, Resource, NotResource, Condition"},
		{in(`"Effect":"allow","Action":"*","Resource":"*"`), "line 3: Statement[0].Effect: must be Allow or Deny"},
		{in(`"Action":"*","Resource":"*"`), "line 3: Statement[0]: has no Effect"},
		{in(`"Effect":"Deny","Resource":"*"`), "line 3: Statement[0]: has no Action"},
		{in(`"Effect":"Deny","Action":"*"`), "line 3: Statement[0]: has no Resource"},
		{in(rest + `,"NotAction":"*"`), "line 3: Statement[0]: has both Action and NotAction"},
		{in(rest + ",\n\"Effect\":\"Deny\""), `line 4: "Effect" is there twice`},
		{in(`"Effect":"Deny","Action":[],"Resource":"*"`), "line 3: Statement[0].Action: is empty"},
		{in(`"Effect":"Deny","Action":"Invoke","Resource":"*"`), `line 3: Statement[0].Action: "Invoke" is not an action: write "execute-api:InvalidateCache", or "*"`},
		{in(`"Effect":"Deny","Action":"*","Resource":"shop/*"`), `line 3: Statement[0].Resource: "shop/*" is not an ARN: write "arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/path", or "*"`},
		{in(`"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::${aws:username}"`), `line 3: Statement[0].Resource: "arn:aws:s3:::${aws:username}" has a policy variable, which is not supported`},
		{in(rest + `,"Condition":{"StringNotEquals":{"aws:SourceIp":"x"}}`), "line 3: Statement[0].Condition.StringNotEquals: unknown operator; known are IpAddress, NotIpAddress, StringEquals, StringLike, DateLessThan and Bool"},
		{in(rest + `,"Condition":{"IpAddress":{"aws:VpcSourceIp":"x"}}`), "line 3: Statement[0].Condition.IpAddress.aws:VpcSourceIp: unknown key; known are aws:SourceIp, aws:CurrentTime, aws:SecureTransport"},
		{in(rest + `,"Condition":{"Bool":{"aws:SourceIp":"true"}}`), "line 3: Statement[0].Condition.Bool.aws:SourceIp: Bool works on aws:SecureTransport alone"},
		{in(rest + `,"Condition":{"Bool":{"aws:SecureTransport":"yes"}}`), `line 3: Statement[0].Condition.Bool.aws:SecureTransport: "yes" is not true or false`},
		{in(rest + `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`), `line 3: Statement[0].Condition.IpAddress.aws:SourceIp: "10.0.0.0/33" is not an address or a network such as 10.0.0.0/8`},
		{in(rest + `,"Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}`), `line 3: Statement[0].Condition.DateLessThan.aws:CurrentTime: "soon" is not a time such as 2030-01-31T12:00:00Z`},
		{in(rest + `,"Condition":{"Bool":{}}`), "line 3: Statement[0].Condition.Bool: must be an object with a key such as aws:SecureTransport"},
		{in(rest + `,"Sid":null`), "line 3: an empty value"},
		{"Statement:\n- Effect: Allow\n  Action: '*'\n  Resource: '*'\n  Condtion: {}\n", "line 5: Statement[0].Condtion: unknown element; known here: Sid, Effect, Action, NotAction, Resource, NotResource, Condition"},
		{"Statement: &s [*s]", "line 1: aliases are not supported in a policy: write the values out"},
		{strings.Repeat(" ", maxText+1), "the policy is larger than 65536 bytes"},
		{`{"Statement":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "}", "line 1: the policy is nested too deeply, or too large"},
	} {
		_, err := Parse([]byte(c.policy))
		var e *Error
		if !errors.As(err, &e) || err.Error() != c.want {
			t.Errorf("%.80s\n got %v\nwant %s", c.policy, err, c.want)
		}
	}
}

// A policy in a YAML file, as a map or as text, is the same policy; errors have the file's lines.
func TestParseNode(t *testing.T) {
	for file, line := range map[string]int{
		"a: 1\npolicy:\n  Statement:\n  - {Effect: Allow, Action: \"*\",\n     Resource: \"*\", Extra: 1}\n":                                    5,
		"a: 1\npolicy: |\n  {\"Statement\":\n    {\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\n     \"Extra\":1}}\n":              5,
		"a: 1\npolicy: '{\"Statement\": {\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Extra\":1}}'\n":                             2,
		"a: 1\npolicy:\n  Statement: {Effect: Allow, Action: \"*\", Resource: \"*\"}\n":                                                         0,
		"a: 1\npolicy: '{\"Statement\": {\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}'\n":                                         0,
		"a: 1\npolicy: {\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": [\"a:b\"], \"Resource\": [\"*\"]}]}\n": 0,
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(file), &doc); err != nil {
			t.Fatal(err)
		}
		p, err := ParseNode(doc.Content[0].Content[3])
		var e *Error
		switch {
		case line == 0 && (err != nil || len(p.Statements) != 1 || p.Statements[0].Effect != Allow):
			t.Errorf("%s: %v", file, err)
		case line > 0 && (!errors.As(err, &e) || e.Line != line):
			t.Errorf("%s: %v, want line %d", file, err, line)
		}
	}
}

// Match agrees with the definition, and takes no longer on what makes a naive one explode.
func TestMatch(t *testing.T) {
	var define func(p, s []rune) bool
	define = func(p, s []rune) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0] == '*':
			return define(p[1:], s) || len(s) > 0 && define(p, s[1:])
		}
		return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && define(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.RuneFrom([]rune("a*?\u00e9")), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("ab\u00e9")), 0, 8, -1).Draw(t, "text")
		if got, want := Match(p, s), define([]rune(p), []rune(s)); got != want {
			t.Fatalf("Match(%q, %q) is %v", p, s, got)
		}
	})
	if Match(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 4000)) {
		t.Error("matched")
	}
}
