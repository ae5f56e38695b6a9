package config

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stagecache/crypto"
)

// saltFile is the salt of a passphrase, in the data directory.
const saltFile = "passphrase.salt"

// RootKeys reads the root key and the former ones. The root key is nil where none is configured. With a passphrase it
// makes the salt file in dataDir at the first call: the directory must exist, and losing the file is losing the cache. A key
// file or a salt that is gone while there is data that needs it is an error, with a hint, that says so.
// Errors name the field and the file, never any text of a key. A nil lookup is os.LookupEnv.
func (e Encryption) RootKeys(dataDir string, lookup func(string) (string, bool)) (root *crypto.RootKey, old []*crypto.RootKey, err error) {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	switch {
	case e.KeyFile != "":
		if err = lost("key file", e.KeyFile, dataDir, e.OldKeyFiles); err == nil {
			root, err = crypto.ReadKeyFile(e.KeyFile)
		}
		err = in("encryption.key_file", err)
	case e.KeyEnv != "":
		var text string
		if text, err = environment(e.KeyEnv, lookup); err == nil {
			root, err = crypto.ParseRootKey(text)
		}
		err = in("encryption.key_env", err)
	case e.PassphraseEnv != "":
		root, err = e.passphraseKey(dataDir, lookup)
		err = in("encryption.passphrase_env", err)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, path := range e.OldKeyFiles {
		k, err := crypto.ReadKeyFile(path)
		if err != nil {
			return nil, nil, in("encryption.old_key_files", err)
		}
		old = append(old, k)
	}
	return root, old, nil
}

func in(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}

var errNotSet = errors.New("the environment variable that it names is not set, or empty")

// environment reads a variable. Its error does not repeat the name: somebody may have put the secret itself there.
func environment(name string, lookup func(string) (string, bool)) (string, error) {
	if s, ok := lookup(name); ok && s != "" {
		return s, nil
	}
	return "", errNotSet
}

func (e Encryption) passphraseKey(dataDir string, lookup func(string) (string, bool)) (*crypto.RootKey, error) {
	passphrase, err := environment(e.PassphraseEnv, lookup)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dataDir, saltFile)
	// A new salt would only make the passphrase look wrong.
	if err := lost("salt file", path, dataDir, e.OldKeyFiles); err != nil {
		return nil, err
	}
	salt, err := crypto.LoadOrCreateSalt(path)
	if err != nil {
		return nil, err
	}
	return crypto.DeriveRootKey([]byte(passphrase), salt)
}

// encryption reads where the root key comes from and, unless SkipFiles, whether it is there and good.
func (b *builder) encryption(v *value, dataDir string) Encryption {
	file, env, pass := v.get("key_file"), v.get("key_env"), v.get("passphrase_env")
	e := Encryption{KeyEnv: str(env, ""), PassphraseEnv: str(pass, "")}
	var first *value
	for _, x := range []*value{file, env, pass} {
		if str(x, "") == "" {
			continue
		}
		if first != nil {
			b.add(x.line, "encryption", "keep one of key_file, key_env and passphrase_env", "two sources of the root key (lines %d and %d)", first.line, x.line)
		}
		if first == nil {
			first = x
		}
	}
	e.KeyFile = b.keyFile(file)
	for _, x := range itemsOf(v.get("old_key_files")) {
		if path := b.keyFile(x); path != "" {
			e.OldKeyFiles = append(e.OldKeyFiles, path)
			if !b.o.SkipFiles {
				b.checkKeyFile(x, path, "put it back, or leave it out if no stage is wrapped with it any more")
			}
		}
	}
	if !b.o.SkipFiles {
		b.checkSource(e, dataDir, file, env, pass)
	}
	if o := v.get("old_key_files"); len(e.OldKeyFiles) > 0 && first == nil && !wrong(file) && !wrong(env) && !wrong(pass) {
		b.add(o.line, o.field, "set key_file, key_env or passphrase_env", "former keys without a present one")
	}
	return e
}

// keyFile resolves the path of a key file, unless the key itself stands there: then no message may show it.
func (b *builder) keyFile(x *value) string {
	p := str(x, "")
	if p == "" {
		return ""
	}
	if _, err := crypto.ParseRootKey(p); err == nil {
		b.add(x.line, x.field, "put the key into a file of mode 0600 and write its path here", "holds a key, not the path of a file")
		return ""
	}
	return b.path(p)
}

// checkSource looks at the source of the root key. Where there is data that a new key cannot read, it does not advise to make
// one.
func (b *builder) checkSource(e Encryption, dataDir string, file, env, pass *value) {
	if e.KeyFile != "" {
		if !b.checkLost(file, "key file", e.KeyFile, dataDir, e.OldKeyFiles) {
			b.checkKeyFile(file, e.KeyFile, "cachectl key generate --out "+e.KeyFile)
		}
	}
	if e.KeyEnv != "" {
		const hint = "set it to the text of a key file (cachectl key generate)"
		if text, err := environment(e.KeyEnv, b.o.LookupEnv); err != nil {
			b.add(env.line, env.field, hint, "%s", err)
		} else if _, err := crypto.ParseRootKey(text); err != nil {
			b.add(env.line, env.field, hint, "the environment variable that it names holds no root key: %s", err)
		}
	}
	if e.PassphraseEnv != "" {
		b.checkPassphrase(pass, e.PassphraseEnv)
		b.checkLost(pass, "salt file", filepath.Join(dataDir, saltFile), dataDir, e.OldKeyFiles)
	}
}

func (b *builder) checkKeyFile(x *value, path, missing string) {
	_, err := crypto.ReadKeyFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.add(x.line, x.field, missing, "the key file %s does not exist", path)
	case err != nil:
		b.add(x.line, x.field, "", "%s", err)
	}
}

// checkPassphrase foretells what DeriveRootKey would say, without its cost in time and memory.
func (b *builder) checkPassphrase(x *value, name string) {
	text, err := environment(name, b.o.LookupEnv)
	switch {
	case err != nil:
		b.add(x.line, x.field, "set it to the passphrase", "%s", err)
	case fips140.Enforced():
		b.add(x.line, x.field, "use key_file or key_env", "a passphrase needs Argon2id, which GODEBUG=fips140=only does not allow")
	case len(text) < crypto.MinPassphrase:
		b.add(x.line, x.field, "take a longer one, or a key file (cachectl key generate)", "the passphrase has %d bytes, fewer than %d", len(text), crypto.MinPassphrase)
	}
}

// keyNeeded reports a store that shall be encrypted where there is no key to do it with.
func (b *builder) keyNeeded(c *Config, top *value) {
	v := top.get("encryption")
	for _, name := range []string{"key_file", "key_env", "passphrase_env"} {
		if x := v.get(name); wrong(x) || str(x, "") != "" {
			return // there is one, or what is wrong with it was said
		}
	}
	if wrong(v) {
		return
	}
	for _, s := range c.Stages {
		entry := ""
		switch {
		case !s.Cache.Enabled:
			continue
		case s.Default.Encrypt:
			entry = "stage " + s.Name
		default:
			for _, m := range s.Methods {
				if m.Settings.Encrypt {
					entry = m.Verb + " " + m.Template + " of stage " + s.Name
					break
				}
			}
		}
		if entry == "" {
			continue
		}
		line := s.Line
		if v != nil {
			line = v.line
		}
		b.add(line, "encryption", "cachectl key generate --out root.key", "%s is to be encrypted, but no key is configured", shown(entry))
		return
	}
}
