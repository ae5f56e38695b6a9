package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"stagecache/gateway/iam"
)

// Defaults of iam: what ARNs say where the file does not.
const (
	defaultAccount = "000000000000"
	defaultRegion  = "us-east-1"
)

const (
	maxUsers  = 1000
	maxSecret = 4096 // bytes
	maxPolicy = 64 << 10
)

func (b *builder) iam(v *value) IAM {
	out := IAM{Account: str(v.get("account"), defaultAccount), Region: str(v.get("region"), defaultRegion)}
	if len(out.Account) != 12 || !digits(out.Account) {
		a := v.get("account")
		b.add(a.line, a.field, "write the twelve digits in quotes", "%s is not an account number", quote(out.Account))
	}
	if strings.Trim(out.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		r := v.get("region")
		b.add(r.line, r.field, "write eu-west-1", "%s is not a region", quote(out.Region))
	}
	users := v.get("users")
	if users == nil {
		return out
	}
	if len(users.names) > maxUsers {
		b.add(users.line, users.field, "", "has more than %d users", maxUsers)
		return out
	}
	seen := make(map[string]int)     // access key id -> line
	tokens := make(map[[32]byte]int) // hash -> line
	for _, name := range users.names {
		e := users.keys[name]
		if !validName(strings.ReplaceAll(strings.ReplaceAll(name, ".", "-"), "@", "-")) {
			b.add(e.line, e.field, "", "a user's name is 1 to 128 letters, digits, -, _, . or @")
		}
		if e.bad {
			continue
		}
		u := User{Name: name, Line: e.line}
		for _, k := range itemsOf(e.get("access_keys")) {
			u.AccessKeys = append(u.AccessKeys, b.accessKey(k, seen))
		}
		for _, t := range itemsOf(e.get("tokens")) {
			u.Tokens = append(u.Tokens, b.token(t, tokens))
		}
		u.Policy, u.PolicyFile = b.policy(e)
		out.Users = append(out.Users, u)
	}
	slices.SortFunc(out.Users, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (b *builder) accessKey(v *value, seen map[string]int) AccessKey {
	k := AccessKey{ID: str(v.get("id"), ""), Line: v.line}
	id := v.get("id")
	switch line, twice := seen[k.ID]; {
	case k.ID == "" && !wrong(id):
		b.add(v.line, v.field, "write id: and a name such as AKIADEPLOYER", "has no id")
	case k.ID == "":
	case strings.Trim(k.ID, nameChars) != "" || len(k.ID) > 128:
		b.add(id.line, id.field, "", "%s is not an access key id: letters and digits", quote(k.ID))
	case twice:
		b.add(id.line, id.field, "give each key an id of its own", "%s is the id of the key on line %d", quote(k.ID), line)
	default:
		seen[k.ID] = v.line
	}
	env, file := v.get("secret_env"), v.get("secret_file")
	text, ok := b.secret(v, env, file, "secret_env", "secret_file")
	k.SecretEnv, k.SecretFile = str(env, ""), b.pathOf(file)
	if ok {
		k.Secret = NewSecret(text)
	}
	return k
}

func (b *builder) token(v *value, seen map[[32]byte]int) Token {
	env, file := v.get("env"), v.get("file")
	t := Token{Line: v.line, Env: str(env, ""), File: b.pathOf(file)}
	text, ok := b.secret(v, env, file, "env", "file")
	if !ok {
		return t
	}
	// A token is long and random, so a plain hash of it gives nothing away.
	t.Hash = sha256.Sum256([]byte(text))
	if line, twice := seen[t.Hash]; twice {
		b.add(v.line, v.field, "give each user a token of its own", "is the same token as on line %d", line)
	}
	seen[t.Hash] = v.line
	return t
}

func (b *builder) pathOf(v *value) string {
	if p := str(v, ""); p != "" {
		return b.path(p)
	}
	return ""
}

// secret reads a secret from where exactly one of two keys says. No message repeats what those keys hold: somebody may have
// written the secret itself there. It reports false where there is none, which it has then said, and with SkipFiles.
func (b *builder) secret(v, env, file *value, envKey, fileKey string) (string, bool) {
	switch {
	case wrong(env) || wrong(file):
		return "", false
	case str(env, "") == "" && str(file, "") == "":
		b.add(v.line, v.field, fmt.Sprintf("write %s: and the name of an environment variable, or %s: and the path of a file", envKey, fileKey), "names no secret")
		return "", false
	case str(env, "") != "" && str(file, "") != "":
		b.add(v.line, v.field, "keep one of them", "has both %s and %s", envKey, fileKey)
		return "", false
	case b.o.SkipFiles:
		return "", false
	}
	at, text, err := env, "", error(nil)
	if str(env, "") != "" {
		text, err = environment(env.text, b.o.LookupEnv)
	} else {
		at = file
		text, err = readSecret(b.path(file.text))
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case err != nil:
		b.add(at.line, at.field, "", "%s", err)
	case text == "":
		b.add(at.line, at.field, "", "the secret is empty")
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		b.add(at.line, at.field, "take letters, digits and signs", "the secret holds a space, or what cannot stand in a header")
	default:
		return text, true
	}
	return "", false
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err // without the path: it may be the secret
		}
		return "", fmt.Errorf("the file that it names cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("the file that it names is larger than %d bytes", maxSecret)
	}
	return string(text), err
}

// policy reads a user's policy, from the file itself or from the one that it names.
func (b *builder) policy(user *value) (*iam.Policy, string) {
	inline, file := user.get("policy"), user.get("policy_file")
	switch path := b.pathOf(file); {
	case inline.ok() && path != "":
		b.add(file.line, file.field, "keep one of them", "policy (line %d) and policy_file (line %d) are both set", inline.line, file.line)
	case inline.ok():
		p, err := iam.ParseNode(inline.node)
		b.policyError(inline, err)
		return p, ""
	case path != "":
		if b.o.SkipFiles && !b.o.Policies {
			return nil, path
		}
		text, err := readPolicy(path)
		var p *iam.Policy
		if err == nil {
			p, err = iam.Parse(text)
		}
		if err != nil {
			b.add(file.line, file.field, "", "%s: %s", shown(path), shown(err.Error()))
		}
		return p, path
	}
	return nil, ""
}

func (b *builder) policyError(v *value, err error) {
	var e *iam.Error
	if !errors.As(err, &e) {
		return
	}
	line, field := v.line, v.field
	if e.Line > 0 {
		line = e.Line
	}
	if e.Element != "" {
		field += "." + shown(e.Element)
	}
	b.add(line, field, "", "%s", e.Message)
}

func readPolicy(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicy+1))
	if err == nil && len(text) > maxPolicy {
		err = fmt.Errorf("is larger than %d bytes", maxPolicy)
	}
	return text, err
}

// adminReachable holds admin.listen to what may be reached from elsewhere: only what is encrypted, and only by somebody known.
func (b *builder) adminReachable(top *value, c *Config) {
	v := top.get("admin")
	l := v.get("listen")
	if c.Admin.Listen == "" {
		if t := v.get("tls"); c.Admin.TLS.CertFile != "" {
			b.add(t.line, t.field, "set admin.listen, or leave it out", "has no effect without admin.listen")
		}
		return
	}
	if err := checkListen(c.Admin.Listen); err != nil {
		b.add(l.line, l.field, "write 127.0.0.1:9901", "%s: %s", quote(c.Admin.Listen), err)
		return
	}
	if c.Admin.Listen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		b.add(l.line, l.field, "give it a port of its own", "is the data plane's address: nothing administrative is reachable there")
	}
	if isLoopback(c.Admin.Listen) {
		return
	}
	if t := v.get("tls"); c.Admin.TLS.CertFile == "" && !c.Admin.Insecure && !wrong(t) && !wrong(t.get("cert_file")) && !wrong(t.get("key_file")) {
		b.add(l.line, l.field, "set admin.tls, or listen on 127.0.0.1; admin.insecure: true allows it where something in front does TLS",
			"%s can be reached from other machines, and has no TLS", quote(c.Admin.Listen))
	}
	if u := top.get("iam").get("users"); len(c.IAM.Users) == 0 && !wrong(top.get("iam")) && !wrong(u) {
		b.add(l.line, l.field, "name those who may administer under iam.users, or listen on 127.0.0.1",
			"%s can be reached from other machines, and there are no users", quote(c.Admin.Listen))
	}
}

// isLoopback tells an address that only this machine reaches.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
