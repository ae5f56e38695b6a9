package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stagecache/crypto"
)

const stagesOnly = "backends: {shop: {url: http://a}}\nstages: {prod: {routes: [{path: /, backend: shop}]}}\n"

// checkFolder checks a file in dir, with DIR in want standing for dir.
func checkFolder(t *testing.T, dir, text string, env map[string]string, want ...string) {
	t.Helper()
	file := filepath.Join(dir, "stagecache.yaml")
	write(t, file, text, 0o644)
	_, err := Load(file, Options{LookupEnv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
	var got []string
	if err != nil {
		for _, e := range err.(Errors) {
			if e.File != file {
				t.Errorf("file %q", e.File)
			}
			got = append(got, strings.ReplaceAll(render(e), dir, "DIR"))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", numbered(text), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func loadErrors(t *testing.T, dir, text string, env map[string]string) Errors {
	t.Helper()
	return parseErrorsIn(t, filepath.Join(dir, "stagecache.yaml"), text, Options{LookupEnv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
}

func TestKeyNeeded(t *testing.T) {
	const hint = " | cachectl key generate --out root.key"
	checkText(t, stagesOnly, []string{"2: encryption: stage prod is to be encrypted, but no key is configured" + hint})
	checkText(t, "encryption: {}\n"+stagesOnly, []string{"1: encryption: stage prod is to be encrypted, but no key is configured" + hint})
	stage := func(s string) string {
		return "backends: {shop: {url: http://a}}\nstages:\n  prod:\n    routes: [{path: /, backend: shop}]\n    " + s + "\n"
	}
	checkText(t, stage("cache: {encrypt: false}"), nil)
	checkText(t, stage("methods: {\"*\": {cacheDataEncrypted: false}}"), nil)
	checkText(t, stage("cache: {enabled: false}"), nil)
	checkText(t, stage("cache: {encrypt: false}\n    methods: {GET /a: {encrypt: true}}"), []string{"3: encryption: GET /a of stage prod is to be encrypted, but no key is configured" + hint})
	checkText(t, "encryption: 5\n"+stagesOnly, []string{`1: encryption: must be a map, not "5" | its keys are key_file, key_env, passphrase_env, old_key_files`})
	checkText(t, "encryption:\n  key_file: a\n  passphrase_env: B\n"+stagesOnly, []string{"3: encryption: two sources of the root key (lines 2 and 3) | keep one of key_file, key_env and passphrase_env"})
	checkText(t, "encryption: {old_key_files: [a]}\n"+stagesOnly, []string{
		"1: encryption.old_key_files: former keys without a present one | set key_file, key_env or passphrase_env",
		"1: encryption: stage prod is to be encrypted, but no key is configured" + hint})
}

func TestKeyFiles(t *testing.T) {
	dir := folder(t)
	text := func(line string) string { return "encryption:\n  " + line + "\n" + stagesOnly }
	checkFolder(t, dir, text("key_file: root.key"), nil)
	checkFolder(t, dir, text("key_file: none.key"), nil, "2: encryption.key_file: the key file DIR/none.key does not exist | cachectl key generate --out DIR/none.key")
	good, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "open.key"), string(good), 0o644)
	checkFolder(t, dir, text("key_file: open.key"), nil, "2: encryption.key_file: key file DIR/open.key can be read or written by other users (mode 0644): run: chmod 600 DIR/open.key")
	write(t, filepath.Join(dir, "bad.key"), "hunter2\n", 0o600)
	for _, line := range []string{"key_file: bad.key", "key_file: root.key\n  old_key_files: [root.key, bad.key]"} {
		list := loadErrors(t, dir, text(line), nil)
		if len(list) != 1 || !strings.Contains(list[0].Message, "bad.key") || strings.Contains(list[0].Error(), "hunter2") || list[0].Line != 2+strings.Count(line, "\n") {
			t.Errorf("%v", list)
		}
	}
	checkFolder(t, dir, text("{key_file: root.key, old_key_files: [gone.key]}"), nil, "2: encryption.old_key_files[0]: the key file DIR/gone.key does not exist | put it back, or leave it out if no stage is wrapped with it any more")
	if os.Geteuid() != 0 { // root reads every file
		write(t, filepath.Join(dir, "closed.key"), string(good), 0)
		if list := loadErrors(t, dir, text("key_file: closed.key"), nil); len(list) != 1 || !strings.Contains(list[0].Message, "cannot be read") {
			t.Errorf("%v", list)
		}
	}
	// With SkipFiles none of it is looked at.
	if _, err := Parse(filepath.Join(dir, "x.yaml"), []byte(text("key_file: none.key")), skipping); err != nil {
		t.Error(err)
	}
}

func TestKeyEnvironment(t *testing.T) {
	dir := t.TempDir()
	key := crypto.NewRootKey().Text()
	text := func(line string) string { return "encryption:\n  " + line + "\n" + stagesOnly }
	const setKey = " | set it to the text of a key file (cachectl key generate)"
	checkFolder(t, dir, text("key_env: K"), map[string]string{"K": key})
	checkFolder(t, dir, text("key_env: K"), nil, "2: encryption.key_env: the environment variable that it names is not set, or empty"+setKey)
	checkFolder(t, dir, text("passphrase_env: P"), nil, "2: encryption.passphrase_env: the environment variable that it names is not set, or empty | set it to the passphrase")
	list := loadErrors(t, dir, text("key_env: K"), map[string]string{"K": "hunter2"})
	if len(list) != 1 || strings.Contains(list[0].Error(), "hunter2") || !strings.HasPrefix(list[0].Message, "the environment variable that it names holds no root key: ") {
		t.Errorf("%v", list)
	}
	if fips140.Enforced() {
		checkFolder(t, dir, text("passphrase_env: P"), map[string]string{"P": "correct horse battery"}, "2: encryption.passphrase_env: a passphrase needs Argon2id, which GODEBUG=fips140=only does not allow | use key_file or key_env")
		return
	}
	checkFolder(t, dir, text("passphrase_env: P"), map[string]string{"P": "correct horse battery"})
	checkFolder(t, dir, text("passphrase_env: P"), map[string]string{"P": "hunter2"}, "2: encryption.passphrase_env: the passphrase has 7 bytes, fewer than 12 | take a longer one, or a key file (cachectl key generate)")
}

// A secret in the wrong place is reported without being shown.
func TestSecretsAreNotShown(t *testing.T) {
	dir := t.TempDir()
	var secret string
	for line := range strings.Lines(crypto.NewRootKey().Text()) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			secret = strings.TrimSpace(line)
		}
	}
	for _, line := range []string{"key_file: X", "key_env: X", "passphrase_env: X", "key_file: [X]", "key_env: {a: X}", "old_key_files: X", "old_key_files: [X]", "{key_env: A, old_key_files: [[X]]}"} {
		list := loadErrors(t, dir, "encryption:\n  "+strings.ReplaceAll(line, "X", "\""+secret+"\"")+"\n"+stagesOnly, nil)
		if len(list) == 0 {
			t.Errorf("%s: no error", line)
		}
		for _, e := range list {
			if strings.Contains(e.Error()+e.Hint, secret[len(secret)-20:]) {
				t.Errorf("%s: shown in %q", line, e.Error()+e.Hint)
			}
		}
	}
}

func TestRootKeys(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "root.key")
	want, err := crypto.ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := func(n string) (string, bool) {
		v, ok := map[string]string{"K": want.Text(), "BAD": "hunter2"}[n]
		return v, ok
	}
	for _, e := range []Encryption{{KeyFile: path, OldKeyFiles: []string{path}}, {KeyEnv: "K"}} {
		root, old, err := e.RootKeys(dir, env)
		if err != nil || root.ID() != want.ID() || len(old) != len(e.OldKeyFiles) {
			t.Errorf("%+v: %v %v %v", e, root, old, err)
		}
	}
	if root, old, err := (Encryption{}).RootKeys(dir, env); root != nil || old != nil || err != nil {
		t.Errorf("without a key: %v %v %v", root, old, err)
	}
	for e, want := range map[*Encryption]string{
		{KeyFile: filepath.Join(dir, "none")}: "encryption.key_file: ",
		{KeyEnv: "NONE"}:                      "encryption.key_env: the environment variable that it names is not set, or empty",
		{KeyEnv: "BAD"}:                       "encryption.key_env: ",
		{PassphraseEnv: "NONE"}:               "encryption.passphrase_env: the environment",
		{PassphraseEnv: "BAD"}:                "encryption.passphrase_env: ",
		{KeyFile: path, OldKeyFiles: []string{path + "s-former"}}: "encryption.old_key_files: ",
	} {
		root, old, err := e.RootKeys(dir, env)
		if err == nil || root != nil || old != nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v; want %s", e, err, want)
		}
	}
}

func TestPassphraseRootKey(t *testing.T) {
	dir := t.TempDir()
	env := func(n string) (string, bool) { return "correct horse battery", n == "P" }
	p := Encryption{PassphraseEnv: "P"}
	first, _, err := p.RootKeys(dir, env)
	if fips140.Enforced() {
		if !errors.Is(err, crypto.ErrNotFIPS) {
			t.Errorf("%v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "passphrase.salt")); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("salt: %v %v", info, err)
	}
	if again, _, err := p.RootKeys(dir, env); err != nil || again.ID() != first.ID() {
		t.Errorf("the same passphrase gives another key: %v", err)
	}
	if other, _, err := p.RootKeys(t.TempDir(), env); err != nil || other.ID() == first.ID() {
		t.Errorf("another salt gives the same key: %v", err)
	}
	if _, _, err := p.RootKeys(filepath.Join(dir, "no/such"), env); err == nil {
		t.Error("no error without a data directory")
	}
}

func TestCertificates(t *testing.T) {
	dir := folder(t)
	makeCert := func(name string) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tpl := &x509.Certificate{SerialNumber: big.NewInt(1)}
		der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		k, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
		write(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})), 0o600)
	}
	makeCert("a")
	makeCert("b")
	checkFolder(t, dir, head+"tls: {cert_file: a.pem, key_file: a.key}\n", nil)
	checkFolder(t, dir, head+"tls: {cert_file: a.pem, key_file: b.key}\n", nil, "6: tls: tls: private key does not match public key")
	checkFolder(t, dir, head+"tls: {cert_file: none.pem, key_file: b.key}\n", nil, "6: tls: open DIR/none.pem: no such file or directory")
	backend := func(tls string) string {
		return strings.Replace(head, "{url: http://127.0.0.1:9000}", "{url: https://a, tls: "+tls+"}", 1)
	}
	checkFolder(t, dir, backend("{ca: a.pem, cert: b.pem, key: b.key}"), nil)
	checkFolder(t, dir, backend("{ca: none.pem}"), nil, "2: backends.shop.tls.ca: open DIR/none.pem: no such file or directory")
	checkFolder(t, dir, backend("{ca: a.key}"), nil, `2: backends.shop.tls.ca: "DIR/a.key" holds no PEM certificate`)
	checkFolder(t, dir, backend("{cert: b.pem, key: a.key}"), nil, "2: backends.shop.tls: tls: private key does not match public key")
}

func TestLoad(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), skipping); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Load(t.TempDir(), skipping); err == nil {
		t.Error("a folder is read as a file")
	}
}

func TestFind(t *testing.T) {
	env := func(v string) func(string) (string, bool) {
		return func(n string) (string, bool) { return v, n == "CACHECTL_CONFIG" && v != "" }
	}
	dir := t.TempDir()
	t.Chdir(dir)
	system := filepath.Join(dir, "etc.yaml")
	check := func(explicit, variable, want string) {
		t.Helper()
		if got, err := find(explicit, env(variable), "stagecache.yaml", system); err != nil || got != want {
			t.Errorf("%q %q: %q, %v; want %q", explicit, variable, got, err, want)
		}
	}
	_, err := find("", env(""), "stagecache.yaml", system)
	for _, place := range []string{"--config", "$CACHECTL_CONFIG", "./stagecache.yaml", "etc.yaml"} {
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%v does not name %s", err, place)
		}
	}
	check("a.yaml", "b.yaml", "a.yaml")
	check("", "b.yaml", "b.yaml")
	write(t, system, "", 0o644)
	check("", "", system)
	write(t, "stagecache.yaml", "", 0o644)
	check("", "", "stagecache.yaml")
	if got, err := Find("", env("")); err != nil || got != "stagecache.yaml" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Remove("stagecache.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/etc/stagecache/stagecache.yaml"); errors.Is(err, fs.ErrNotExist) {
		if _, err := Find("", env("")); err == nil || !strings.Contains(err.Error(), "/etc/stagecache/stagecache.yaml") {
			t.Errorf("%v", err)
		}
	}
}
