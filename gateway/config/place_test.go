package config

import (
	"path/filepath"
	"testing"
)

func TestPlaceOfAFileThatIsWrongElsewhere(t *testing.T) {
	for _, c := range []struct{ text, dataDir, socket string }{
		{head, "data", "data/admin.sock"},
		{"lissen: x\nstages: 5\nbackends: {a: {ulr: 1}}\n", "data", "data/admin.sock"},
		{"data_dir: d\niam: [1]\nencryption: {key_file: [a]}\n", "d", "d/admin.sock"},
		{"data_dir: /d\nadmin: {socket: s}\nstages: {prod: {cache: {tll: 5}}}\n", "/d", "s"},
		{"stages: {x: &d /elsewhere}\ndata_dir: *d\n", "/elsewhere", "/elsewhere/admin.sock"},
	} {
		cfg, err := parsePlace("f.yaml", []byte(c.text), skipping)
		if err != nil || cfg.DataDir != filepath.Clean(c.dataDir) || cfg.Admin.Socket != filepath.Clean(c.socket) || cfg.File != "f.yaml" {
			t.Errorf("%s: %+v, %v", c.text, cfg, err)
		}
	}
	// Where the place itself may be meant otherwise, none is given.
	for _, text := range []string{
		"data_dirr: x\n", "datadir: x\n", "data_dir: [x]\n", "data_dir: ''\n", "data_dir: a\ndata_dir: b\n",
		"admn: {socket: x}\n", "admin: {sockt: x}\n", "admin: x\n", "admin: {hosts: [\"a:1\"]}\n",
		"", "[1]\n", "a: [\n", "data_dir: a\n---\ndata_dir: b\n",
	} {
		if cfg, err := parsePlace("f.yaml", []byte(text), skipping); err == nil {
			t.Errorf("%q: %+v", text, cfg)
		}
	}
	if _, err := LoadPlace(filepath.Join(t.TempDir(), "none"), skipping); err == nil {
		t.Error("no error without a file")
	}
}
