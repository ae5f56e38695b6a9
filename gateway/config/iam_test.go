package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const good = `policy: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}`

func TestAdminListen(t *testing.T) {
	const users = "iam: {users: {d: {tokens: [{env: T}], " + good + "}}}\n"
	const noTLS = `"0.0.0.0:9901" can be reached from other machines, and has no TLS | set admin.tls, or listen on 127.0.0.1; admin.insecure: true allows it where something in front does TLS`
	const noUsers = `"0.0.0.0:9901" can be reached from other machines, and there are no users | name those who may administer under iam.users, or listen on 127.0.0.1`
	checkErrors(t, []errorCase{
		{"admin: {listen: 127.0.0.1:9901}\n", nil},
		{"admin: {listen: \"[::1]:9901\", hosts: [cache.example.com, 10.0.0.1]}\n", nil},
		{"admin: {listen: localhost:0}\n", nil},
		{"admin: {listen: 0.0.0.0:9901}\n", []string{"6: admin.listen: " + noTLS, "6: admin.listen: " + noUsers}},
		{"admin: {listen: 0.0.0.0:9901, insecure: true}\n", []string{"6: admin.listen: " + noUsers}},
		{"admin: {listen: 0.0.0.0:9901}\n" + users, []string{"6: admin.listen: " + noTLS}},
		{"admin: {listen: 0.0.0.0:9901, insecure: true}\n" + users, nil},
		{"admin: {listen: :9901, tls: {cert_file: a, key_file: b}}\n" + users, nil},
		{"admin: {listen: :9901, tls: {cert_file: a}}\n" + users, []string{"6: admin.tls: cert_file without key_file | set key_file too",
			`6: admin.listen: ":9901" can be reached from other machines, and has no TLS | set admin.tls, or listen on 127.0.0.1; admin.insecure: true allows it where something in front does TLS`}},
		{"admin: {tls: {cert_file: a, key_file: b}}\n", []string{"6: admin.tls: has no effect without admin.listen | set admin.listen, or leave it out"}},
		{"admin: {listen: 127.0.0.1:8080}\n", []string{"6: admin.listen: is the data plane's address: nothing administrative is reachable there | give it a port of its own"}},
		{"admin: {listen: nine}\n", []string{`6: admin.listen: "nine": must be host:port | write 127.0.0.1:9901`}},
		{"admin: {hosts: [\"a:1\"]}\n", []string{`6: admin.hosts[0]: "a:1" has a port; hosts are compared without it | write cache.example.com`}},
	})
}

func TestIAMErrors(t *testing.T) {
	user := func(text string) string { return "iam:\n  users:\n    d:\n      " + text + "\n      " + good + "\n" }
	const noSecret = " | no secret stands in this file: put it into an environment variable or a file of its own, and name that under "
	checkErrors(t, []errorCase{
		{"iam: {account: \"123456789012\", region: eu-west-1}\n", nil},
		{"iam: {account: \"1\"}\n", []string{`6: iam.account: "1" is not an account number | write the twelve digits in quotes`}},
		{"iam: {region: \"eu west\"}\n", []string{`6: iam.region: "eu west" is not a region | write eu-west-1`}},
		{"iam:\n  users:\n    \"a b\": {" + good + "}\n", []string{`8: iam.users["a b"]: a user's name is 1 to 128 letters, digits, -, _, . or @`}},
		{user("access_keys: [{id: A, secret: hunter2}]"), []string{
			`9: iam.users.d.access_keys[0]: unknown key "secret"` + noSecret + "secret_env or secret_file",
			"9: iam.users.d.access_keys[0]: names no secret | write secret_env: and the name of an environment variable, or secret_file: and the path of a file"}},
		{user("tokens: [{token: hunter2}]"), []string{
			`9: iam.users.d.tokens[0]: unknown key "token"` + noSecret + "env or file",
			"9: iam.users.d.tokens[0]: names no secret | write env: and the name of an environment variable, or file: and the path of a file"}},
		{user("tokens: [hunter2]"), []string{"9: iam.users.d.tokens[0]: must be a map, not a single value | its keys are env, file"}},
		{user("access_keys: [{secret_env: E}]"), []string{"9: iam.users.d.access_keys[0]: has no id | write id: and a name such as AKIADEPLOYER"}},
		{user("access_keys: [{id: \"A/B\", secret_env: E}]"), []string{`9: iam.users.d.access_keys[0].id: "A/B" is not an access key id: letters and digits`}},
		{user("access_keys: [{id: A, secret_env: E}, {id: A, secret_env: F}]"), []string{`9: iam.users.d.access_keys[1].id: "A" is the id of the key on line 9 | give each key an id of its own`}},
		{user("access_keys: [{id: A, secret_env: E, secret_file: F}]"), []string{"9: iam.users.d.access_keys[0]: has both secret_env and secret_file | keep one of them"}},
		{"iam:\n  users:\n    d:\n      policy:\n        Statement:\n        - Effect: Allow\n          Action: \"*\"\n          Resources: \"*\"\n", []string{
			"13: iam.users.d.policy.Statement[0].Resources: unknown element; known here: Sid, Effect, Action, NotAction, Resource, NotResource, Condition"}},
		{"iam: {users: {d: {policy_file: p.json, " + good + "}}}\n", []string{
			"6: iam.users.d.policy_file: policy (line 6) and policy_file (line 6) are both set | keep one of them"}},
	})
}

// Secrets come from where the file says; no message, and no way of printing the configuration, shows one.
func TestSecrets(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "secret"), "from-a-file\n", 0o600)
	write(t, filepath.Join(dir, "p.json"), `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, 0o600)
	write(t, filepath.Join(dir, "bad.json"), "{\n\"Statement\":{}}", 0o600)
	env := map[string]string{"SECRET": "hunter2-hunter2", "TOKEN": "token-of-the-deployer", "BAD": "two words"}
	o := Options{LookupEnv: func(name string) (string, bool) { s, ok := env[name]; return s, ok }}
	users := func(text string) []byte { return []byte(head + "iam: {users: {d: {" + text + "}}}\n") }

	c, err := Parse(filepath.Join(dir, "s.yaml"), users("access_keys: [{id: A, secret_env: SECRET}, {id: B, secret_file: secret}], tokens: [{env: TOKEN}], policy_file: p.json"), o)
	if err != nil {
		t.Fatal(err)
	}
	u := c.IAM.Users[0]
	if u.AccessKeys[0].Secret.Reveal() != env["SECRET"] || u.AccessKeys[1].Secret.Reveal() != "from-a-file" || u.Tokens[0].Hash != sha256.Sum256([]byte(env["TOKEN"])) {
		t.Errorf("%+v", u)
	}
	if u.Policy == nil || u.Policy.Statements[0].Effect != "Deny" {
		t.Errorf("policy %+v", u.Policy)
	}
	printed, _ := json.Marshal(c.IAM)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", c.IAM, c.IAM, c.IAM), string(printed)} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "from-a-file") || strings.Contains(text, "token-of") {
			t.Errorf("shows a secret: %s", text)
		}
	}
	for text, want := range map[string]string{
		"access_keys: [{id: A, secret_env: hunter2}]":                "6: iam.users.d.access_keys[0].secret_env: the environment variable that it names is not set, or empty",
		"tokens: [{file: hunter2}]":                                  "6: iam.users.d.tokens[0].file: the file that it names cannot be read: no such file or directory",
		"tokens: [{env: BAD}]":                                       "6: iam.users.d.tokens[0].env: the secret holds a space, or what cannot stand in a header | take letters, digits and signs",
		"tokens: [{env: TOKEN}]}, e: {tokens: [{env: TOKEN}]":        "6: iam.users.e.tokens[0]: is the same token as on line 6 | give each user a token of its own",
		"policy_file: bad.json":                                      "6: iam.users.d.policy_file: " + filepath.Join(dir, "bad.json") + ": line 2: Statement: has no Effect",
		"access_keys: [{id: A, secret_file: secret, secret_env: X}]": "6: iam.users.d.access_keys[0]: has both secret_env and secret_file | keep one of them",
	} {
		list := parseErrorsIn(t, filepath.Join(dir, "s.yaml"), string(users(text)), o)
		if len(list) != 1 || render(list[0]) != want {
			t.Errorf("%s\n got %v\nwant %s", text, list, want)
		} else if strings.Contains(list.Error(), "hunter2") {
			t.Errorf("%s: shows the secret: %v", text, list)
		}
	}
	// A command that needs the policies alone sees those, and no secret.
	c, err = Parse(filepath.Join(dir, "s.yaml"), users("tokens: [{env: NONE}], policy_file: p.json"), Options{SkipFiles: true, Policies: true, LookupEnv: noEnv})
	if err != nil || c.IAM.Users[0].Policy == nil {
		t.Errorf("%v", err)
	}
}
