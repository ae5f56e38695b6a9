package fuzz

import (
	"errors"
	"strings"
	"testing"

	"stagecache/crypto"
)

// FuzzKeyText: a text that is read as a root key gives a text that is read as the same one, and every error is of a
// kind that a caller can tell, names a line of the text, and repeats none of it.
func FuzzKeyText(f *testing.F) {
	key := crypto.NewRootKey().Text()
	line := strings.TrimSpace(key[strings.LastIndex(strings.TrimSpace(key), "\n")+1:])
	for _, seed := range []string{
		key, line, "", "#\n", key + "\n" + line, strings.ReplaceAll(key, "\n", "\r\n"), line[:len(line)-1], line + "=",
		strings.ToUpper(line), "stagecache-root-key-v2:" + line, "stagecache-root-key-v1:", "stagecache-salt-v1:" + line[23:],
		"# created: 2026-01-02T03:04:05Z\n" + line, "# created: 2026-01-02T03:04:05+23:59\n" + line, "# created: 0000-01-01T00:00:00Z\n" + line,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := crypto.ParseRootKey(text)
		if err != nil {
			var format *crypto.KeyFormatError
			switch {
			case errors.As(err, &format):
				if format.Line < 0 || format.Line > 1+strings.Count(text, "\n") {
					t.Fatalf("line %d of a text that has fewer", format.Line)
				}
			case !errors.Is(err, crypto.ErrFormatNewer):
				t.Fatalf("an error of no kind: %v", err)
			}
			if k != nil {
				t.Fatal("a key and an error")
			}
			return
		}
		again, err := crypto.ParseRootKey(k.Text())
		if err != nil {
			t.Fatalf("%v\n%s", err, k.Text())
		}
		if again.ID() != k.ID() || again.Text() != k.Text() {
			t.Fatalf("came back as\n%s\ninstead of\n%s", again.Text(), k.Text())
		}
	})
}
