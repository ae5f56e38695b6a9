package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Options say how far a check goes.
type Options struct {
	// LookupEnv reads the environment; nil: os.LookupEnv.
	LookupEnv func(string) (string, bool)
	// SkipFiles leaves out whatever only the gateway's own user can see: key and certificate files, and the environment
	// variables that hold keys. For commands that need no more than the admin socket's place.
	SkipFiles bool
	// Policies reads policy files although SkipFiles is set.
	Policies bool
}

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Load reads and checks a configuration file. Its error is Errors where the file could be read.
func Load(path string, o Options) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, o)
}

// Parse checks a configuration. The name is for messages, and paths in the file are relative to its folder.
// The error, if any, is Errors with everything that is wrong.
func Parse(file string, data []byte, o Options) (*Config, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	p := &problems{file: file, lines: countLines(data)}
	top := p.document(data)
	if top == nil {
		return nil, p.err()
	}
	r := &reader{problems: p}
	v := r.node(top, &root, top.Line, "")
	if r.seen > maxValues || v.bad {
		return nil, p.err()
	}
	b := &builder{problems: p, o: o, dir: filepath.Dir(file)}
	c := b.config(v)
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// document parses the text into the one document that it must hold, or reports why not and returns nil.
func (p *problems) document(data []byte) *yaml.Node {
	if len(data) > maxFile {
		p.add(0, "", "", "the file is larger than %d bytes", maxFile)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := decode(dec)
	switch {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null"):
		p.add(1, "", "see docs/configuration.md for a file to start from", "the file is empty")
		return nil
	case err != nil:
		p.syntax(data, err)
		return nil
	}
	next, err := decode(dec)
	switch {
	case err == nil:
		p.add(next.Line, "", "put everything into one document", "a second document begins here")
	case !errors.Is(err, io.EOF):
		p.syntax(data, err)
	}
	if len(p.list) > 0 {
		return nil
	}
	return doc.Content[0]
}

// decode reads the next document. The parser is not ours and its input is anyone's: a panic in it is an error like another.
func decode(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser failed: %v", r)
		}
	}()
	doc = new(yaml.Node)
	err = dec.Decode(doc)
	return doc, err
}

// syntax reports what the YAML parser said.
func (p *problems) syntax(data []byte, err error) {
	line, message := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	var le *yaml.LoadError
	if errors.As(err, &le) {
		line, message = max(1, le.Mark.Line), le.Message
	}
	lines := bytes.Split(data, []byte("\n"))
	if line > 0 && line <= len(lines) && tabIndented(lines[line-1]) {
		p.add(line, "", "indent with spaces", "a tab is used for indentation")
		return
	}
	p.add(line, "", "", "not valid YAML: %s", shown(message))
}

func tabIndented(line []byte) bool {
	return bytes.ContainsRune(line[:len(line)-len(bytes.TrimLeft(line, " \t"))], '\t')
}

// Find says which configuration file to read: the one named (--config), else $CACHECTL_CONFIG, else the first that exists
// of ./stagecache.yaml and /etc/stagecache/stagecache.yaml. A named file need not exist: reading it tells why not.
// A nil lookup is os.LookupEnv.
func Find(explicit string, lookup func(string) (string, bool)) (string, error) {
	return find(explicit, lookup, "stagecache.yaml", "/etc/stagecache/stagecache.yaml")
}

func find(explicit string, lookup func(string) (string, bool), here, system string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if path, ok := lookup("CACHECTL_CONFIG"); ok && path != "" {
		return path, nil
	}
	for _, path := range []string{here, system} {
		// A file that cannot be looked at is the one meant: reading it tells why not.
		if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no configuration found: no --config, $CACHECTL_CONFIG is not set, and neither ./%s nor %s exists", here, system)
}
