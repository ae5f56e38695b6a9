package config

import (
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"
)

// placeKeys are what a running gateway is found by.
var placeKeys = []string{"data_dir", "admin"}

// LoadPlace reads no more of a file than where its gateway is administered: what it gives has File, DataDir and Admin. It
// is for commands to a gateway that runs while its file is wrong elsewhere. It gives up, with an error, where what it reads is
// wrong too, or may be misspelt: a guess would lead to another gateway.
func LoadPlace(path string, o Options) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return parsePlace(path, data, o)
}

func parsePlace(file string, data []byte, o Options) (*Config, error) {
	p := &problems{file: file, lines: countLines(data)}
	top := p.document(data)
	if top == nil {
		return nil, p.err()
	}
	r := &reader{problems: p}
	v := r.node(placeOf(top), &root, top.Line, "")
	b := &builder{problems: p, o: o, dir: filepath.Dir(file)}
	c := &Config{File: file, DataDir: b.dataDir(v)}
	c.Admin = b.admin(v, c.DataDir)
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// placeOf is the file's map with those keys alone that tell the place, and those that may have been meant to.
func placeOf(top *yaml.Node) *yaml.Node {
	if top.Kind != yaml.MappingNode {
		return top
	}
	some := *top
	some.Content = nil
	for i := 0; i+1 < len(top.Content); i += 2 {
		name := top.Content[i].Value
		if contains(placeKeys, name) || root.find(name) == nil && contains(placeKeys, nearest(name, root.names())) {
			some.Content = append(some.Content, top.Content[i], top.Content[i+1])
		}
	}
	return &some
}
