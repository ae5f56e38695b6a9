package values

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestGeneratedValuesAreJSONOfThatSizeAndKnowTheirNumber(t *testing.T) {
	for _, size := range []int{256, 1024, 16384, 1_000_000} {
		s, again := Generate(size), Generate(size)
		for _, i := range []uint64{0, 1, 1023, 1024, 1<<40 + 7} {
			v := s.Append(nil, i)
			if len(v) != size || !json.Valid(v) {
				t.Fatalf("size %d, number %d: %d bytes, valid %t: %s", size, i, len(v), json.Valid(v), v)
			}
			if !bytes.Equal(v, again.Append(nil, i)) {
				t.Errorf("size %d, number %d: another source gives other bytes", size, i)
			}
			if !s.Is(v, i) || s.Is(v, i+1) || s.Is(v, i+uint64(poolSize(size))) || s.Is(v[:size-1], i) {
				t.Errorf("size %d, number %d: Is takes it for another, or another for it", size, i)
			}
			v[size-1] ^= 1
			if s.Is(v, i) {
				t.Errorf("size %d, number %d: Is does not see a changed byte", size, i)
			}
		}
		if len(s.pool)*size > 2*poolBytes {
			t.Errorf("size %d: %d values are held", size, len(s.pool))
		}
		if s.Mean() != float64(size) {
			t.Errorf("mean %v, want %d", s.Mean(), size)
		}
	}
}

func TestACorpusIsReadAsItIs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil {
		t.Error("an empty folder is a corpus")
	}
	if _, err := Load(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder is a corpus")
	}
	write("a.json", `{"a":1}`)
	write("b.json", `[]`)
	write("LICENSE", "not JSON")
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.Append([]byte("x"), 2)); got != `x{"a":1}` {
		t.Errorf("value 2 is %q", got)
	}
	if !s.Is([]byte("[]"), 3) || s.Is([]byte("[]"), 2) || s.Mean() != 4.5 {
		t.Errorf("value 3 is not [], or value 2 is, or the mean %v is not 4.5", s.Mean())
	}
	write("c.json", "{")
	if _, err := Load(dir); err == nil {
		t.Error("a damaged file is part of the corpus")
	}
}
