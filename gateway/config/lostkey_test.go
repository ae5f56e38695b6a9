package config

import (
	"crypto/fips140"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stagecache/crypto"
)

// stageOnDisk makes the stage-key file of a stage.
func stageOnDisk(t *testing.T, dataDir string, root *crypto.RootKey) {
	t.Helper()
	data, err := crypto.SealStageKey(root, crypto.NewStageKey("prod"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(dataDir, "stages", "prod")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "stage.key"), string(data), 0o600)
}

const lostHint = " | put back a copy of it: a new one cannot read what is there; only when DIR/data/stages is removed does the cache begin anew"

// A key that is gone is not to be made anew as long as there is data that needs it.
func TestALostKeyFile(t *testing.T) {
	dir := folder(t)
	key, err := crypto.ReadKeyFile(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	text := "encryption: {key_file: gone.key}\n" + stagesOnly
	const usual = "1: encryption.key_file: the key file DIR/gone.key does not exist | cachectl key generate --out DIR/gone.key"
	checkFolder(t, dir, text, nil, usual)
	stageOnDisk(t, filepath.Join(dir, "data"), nil) // without encryption: nobody needs a key for it
	checkFolder(t, dir, text, nil, usual)
	stageOnDisk(t, filepath.Join(dir, "data"), key)
	const gone = "encryption.key_file: the key file DIR/gone.key does not exist, but DIR/data holds stage prod, which cannot be read without a key"
	checkFolder(t, dir, text, nil, "1: "+gone+lostHint)
	// With the former key at hand, a new one is what is wanted.
	checkFolder(t, dir, "encryption: {key_file: gone.key, old_key_files: [root.key]}\n"+stagesOnly, nil, usual)

	_, _, err = Encryption{KeyFile: filepath.Join(dir, "gone.key")}.RootKeys(filepath.Join(dir, "data"), noEnv)
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || strings.ReplaceAll(err.Error()+" | "+hinted.Hint(), dir, "DIR") != gone+lostHint {
		t.Errorf("%v", err)
	}
}

func TestALostSalt(t *testing.T) {
	if fips140.Enforced() {
		return // there are no passphrases then, as TestPassphraseRootKey shows
	}
	dir := folder(t)
	data := filepath.Join(dir, "data")
	env := map[string]string{"P": "correct horse battery"}
	lookup := func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	salt := filepath.Join(data, "passphrase.salt")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	e := Encryption{PassphraseEnv: "P"}
	root, _, err := e.RootKeys(data, lookup)
	if err != nil {
		t.Fatal(err)
	}
	stageOnDisk(t, data, root)
	text := "encryption: {passphrase_env: P}\n" + stagesOnly
	checkFolder(t, dir, text, env)
	if err := os.Rename(salt, salt+".bak"); err != nil {
		t.Fatal(err)
	}
	const gone = "encryption.passphrase_env: the salt file DIR/data/passphrase.salt does not exist, but DIR/data holds stage prod, which cannot be read without a key"
	checkFolder(t, dir, text, env, "1: "+gone+lostHint)
	if _, _, err := e.RootKeys(data, lookup); err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != gone {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(salt); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a new salt was made: %v", err)
	}
	if err := os.Rename(salt+".bak", salt); err != nil {
		t.Fatal(err)
	}
	if again, _, err := e.RootKeys(data, lookup); err != nil || again.ID() != root.ID() {
		t.Errorf("with the salt put back: %v", err)
	}

	// A key file is replaced by a passphrase: the data is the former key's, and the salt is new.
	if err := os.Remove(salt); err != nil {
		t.Fatal(err)
	}
	key, err := crypto.ReadKeyFile(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	stageOnDisk(t, data, key)
	checkFolder(t, dir, "encryption: {passphrase_env: P, old_key_files: [root.key]}\n"+stagesOnly, env)
	if _, _, err := (Encryption{PassphraseEnv: "P", OldKeyFiles: []string{filepath.Join(dir, "root.key")}}).RootKeys(data, lookup); err != nil {
		t.Error(err)
	}
}
