package crypto

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"testing"
)

// The golden file holds what this release writes. Later releases have to read it, so it is never written again:
// -write-golden makes it only where there is none, and a new format gets a file of its own.
const goldenFile = "testdata/golden-v1.json"

var writeGolden = flag.Bool("write-golden", false, "make "+goldenFile+" if it does not exist")

type golden struct {
	RootKeyText string // a whole key file
	KeyID       string
	Salt        string // the line of a salt file
	Sealed      []byte // stage-key file under the root key
	Plain       []byte // the same in the clear
	Stage       string
	Generation  string
	Key         string // a cache key ...
	Hash        string // ... and its hash
	Header      []byte // of segment 77, epoch 1
	Context     []byte
	AAD         string
	Text        string
	Record      []byte // Seal
	Protected   []byte // Protect
}

func TestGolden(t *testing.T) {
	if _, err := os.Stat(goldenFile); *writeGolden && errors.Is(err, fs.ErrNotExist) {
		makeGolden(t)
	}
	data, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	root, err := ParseRootKey(g.RootKeyText)
	if err != nil || root.ID().String() != g.KeyID || root.Text() != g.RootKeyText {
		t.Fatalf("root key: %v, %v", root, err)
	}
	if salt, err := parseText(saltKind, g.Salt); err != nil || textLine(saltKind, salt) != g.Salt {
		t.Errorf("salt: %v", err)
	}
	plain, _, err := OpenStageKey(g.Plain, g.Stage)
	if err != nil {
		t.Fatalf("plain: %v", err)
	}
	s, _, err := OpenStageKey(g.Sealed, g.Stage, root)
	if err != nil || s.Generation().String() != g.Generation || s.Epoch() != 2 || !sameKeys(t, s, plain) {
		t.Fatalf("sealed: %v, %v", s, err)
	}
	if h := s.Hasher().Sum([]byte(g.Key)); h.String() != g.Hash {
		t.Errorf("hash %s, want %s", h, g.Hash)
	}
	h, err := ParseSegmentHeader(g.Header)
	if err != nil || h.ID != 77 || h.Epoch != 1 {
		t.Fatalf("header %+v, %v", h, err)
	}
	sealer, err := s.OpenSegment(h)
	if err != nil {
		t.Fatal(err)
	}
	if c := sealer.Context(); string(c[:]) != string(g.Context) {
		t.Errorf("context %x, want %x", c, g.Context)
	}
	if text, err := sealer.Open(nil, g.Record, []byte(g.AAD)); err != nil || string(text) != g.Text {
		t.Errorf("record: %q, %v", text, err)
	}
	if text, err := sealer.Verify(nil, g.Protected, []byte(g.AAD)); err != nil || string(text) != g.Text {
		t.Errorf("protected: %q, %v", text, err)
	}
}

func makeGolden(t *testing.T) {
	root, s := NewRootKey(), NewStageKey("prod")
	h, sealer := mustSegment(t, s, 77)
	s.Rotate()
	context := sealer.Context()
	g := golden{
		RootKeyText: root.Text(), KeyID: root.ID().String(), Salt: textLine(saltKind, randomKey()),
		Sealed: mustSeal(t, root, s), Plain: mustSeal(t, nil, s), Stage: s.Stage(), Generation: s.Generation().String(),
		Key: "GET https://api.example.com/products/1", Header: h.Append(nil), Context: context[:],
		AAD: "what belongs to it", Text: `{"id": 1, "name": "a product"}`,
	}
	g.Hash = s.Hasher().Sum([]byte(g.Key)).String()
	g.Record, _ = sealer.Seal(nil, []byte(g.Text), []byte(g.AAD))
	g.Protected, _ = sealer.Protect(nil, []byte(g.Text), []byte(g.AAD))
	data, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(goldenFile, append(data, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}
