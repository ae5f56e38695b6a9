package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stagecache/crypto"
)

// A store's place below the data directory, and the file in it that names the root key it was written with.
const (
	stagesFolder = "stages"
	stageKeyFile = "stage.key"
)

// sealedStage names a stage on the disk that needs a root key which is none of the former ones: a new key, or a passphrase with
// a new salt, would not open it. "" if there is none.
func sealedStage(dataDir string, former []string) string {
	folder := filepath.Join(dataDir, stagesFolder)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "" // whoever opens the stores will say what is wrong
	}
	var old []*crypto.RootKey
	for _, path := range former {
		if k, err := crypto.ReadKeyFile(path); err == nil {
			old = append(old, k)
		}
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name(), stageKeyFile))
		if err != nil {
			continue
		}
		_, _, err = crypto.OpenStageKey(data, e.Name(), old...)
		if _, wrong := errors.AsType[*crypto.WrongKeyError](err); wrong {
			return e.Name()
		}
	}
	return ""
}

// lostError is a key file, or a salt, that is gone while there is data that nothing else opens.
type lostError struct{ text, hint string }

func (e *lostError) Error() string { return e.text }

// Hint is what to do about it.
func (e *lostError) Hint() string { return e.hint }

// lost gives a *lostError if the file (what says which) is not there, but data that needs one is.
func lost(what, path, dataDir string, former []string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whoever reads it says what is wrong with it
	}
	stage := sealedStage(dataDir, former)
	if stage == "" {
		return nil
	}
	return &lostError{
		text: fmt.Sprintf("the %s %s does not exist, but %s holds stage %s, which cannot be read without a key", what, path, dataDir, shown(stage)),
		hint: "put back a copy of it: a new one cannot read what is there; only when " + filepath.Join(dataDir, stagesFolder) + " is removed does the cache begin anew",
	}
}

// checkLost reports what lost finds.
func (b *builder) checkLost(x *value, what, path, dataDir string, former []string) bool {
	gone, ok := lost(what, path, dataDir, former).(*lostError)
	if ok {
		b.add(x.line, x.field, gone.hint, "%s", gone)
	}
	return ok
}
