// Package config reads and checks stagecache.yaml.
//
// Most callers need two functions:
//
//	path, err := config.Find(flag, nil)            // --config, $CACHECTL_CONFIG, ./stagecache.yaml, /etc/stagecache/...
//	cfg, err := config.Load(path, config.Options{})
//
// What Load returns is complete: defaults are filled in, an entry of methods holds its stage's settings beside its own,
// relative paths are resolved against the file's folder, and every reference leads somewhere. Where anything is wrong,
// the error is Errors: everything that is wrong, each with file, line, field, message and, where there is one, a hint.
// Config.Warnings lists what is accepted but deserves a look.
//
// A caller that needs only the admin socket's place sets Options.SkipFiles: keys and certificates may be closed to
// the user that asks a running gateway to flush.
//
// The root key is not part of a Config. Encryption.RootKeys reads it when it is needed; no error of this package
// repeats a key, a passphrase or a backend's URL.
//
// How it works: the text is parsed into YAML nodes, which know their lines; the reader checks the nodes against one
// table of keys (schema.go), which also holds docs/configuration.md to what there is; the builder makes the
// Config out of the values that passed and checks what a value alone does not show. A new key is a row in the table, a
// few lines in the builder, and a line in the document.
package config
