package crypto

import (
	"errors"
	"strings"
	"testing"
)

func TestKeyTextComesBack(t *testing.T) {
	for _, k := range []*RootKey{NewRootKey(), testRoot(0), testRoot(200)} {
		text := k.Text()
		back, err := ParseRootKey(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if *back.secret() != *k.secret() || back.ID() != k.ID() || back.Text() != text {
			t.Fatalf("came back as\n%s\ninstead of\n%s", back.Text(), text)
		}
		if !strings.Contains(text, "# key id: "+k.ID().String()+"\n") {
			t.Fatalf("no key id in\n%s", text)
		}
	}
	if !strings.Contains(NewRootKey().Text(), createdMark+"20") {
		t.Error("a new key's text has no creation date")
	}
}

func TestParseRootKeyAccepts(t *testing.T) {
	k := testRoot(7)
	line := textLine(keyKind, k.secret())
	for name, text := range map[string]string{
		"the line alone":         line,
		"newline":                line + "\n",
		"windows line ends":      strings.ReplaceAll(k.Text(), "\n", "\r\n"),
		"spaces around":          "  \t" + line + "  \n",
		"comments and blanks":    "\n# one\n   # two\n\n" + line + "\n\n# after\n",
		"a wrong date":           createdMark + "yesterday\n" + line,
		"a date with a fraction": createdMark + "2026-01-02T03:04:05.678Z\n" + line,
	} {
		back, err := ParseRootKey(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if *back.secret() != *k.secret() {
			t.Errorf("%s: another key", name)
		} else if again, err := ParseRootKey(back.Text()); err != nil || again.Text() != back.Text() {
			t.Errorf("%s: the text does not come back: %v", name, err)
		}
	}
}

func TestParseRootKeyRefuses(t *testing.T) {
	k := testRoot(7)
	line := textLine(keyKind, k.secret())
	body := strings.TrimPrefix(line, textPrefix(keyKind))
	for _, c := range []struct {
		name, text string
		line       int
		says       string
	}{
		{"nothing", "", 0, "no line that begins with stagecache-root-key-v1:"},
		{"comments only", "# a\n\n# b\n", 0, "no line that begins with"},
		{"another thing", "# a\n\nhello\n", 3, "neither a comment nor a line"},
		{"no prefix", body, 1, "neither a comment nor a line"},
		{"a salt", textLine(saltKind, k.secret()), 1, "neither a comment nor a line"},
		{"version 0", "stagecache-root-key-v0:" + body, 1, "neither a comment nor a line"},
		{"version of words", "stagecache-root-key-vnext:" + body, 1, "neither a comment nor a line"},
		{"version without end", "stagecache-root-key-v2" + body, 1, "neither a comment nor a line"},
		{"cut", "#\n" + line[:len(line)-1], 2, "47 characters after the prefix instead of 48"},
		{"longer", line + "A", 1, "49 characters"},
		{"padded", line + "==", 1, "50 characters"},
		{"comment behind", line + " # mine", 1, "characters after the prefix"},
		{"plus and slash", textPrefix(keyKind) + "+/" + body[2:], 1, "not base64url"},
		{"carriage return within", textPrefix(keyKind) + body[:10] + "\r" + body[11:], 1, "not base64url"},
		{"two keys", line + "\n" + line, 2, "a second line"},
		{"words after the key", line + "\nhello", 2, "a second line"},
		{"too large", line + strings.Repeat("\n", maxKeyText), 0, "larger than 64 KiB"},
	} {
		_, err := ParseRootKey(c.text)
		var format *KeyFormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if format.Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: line %d, %q; want line %d and %q", c.name, format.Line, err, c.line, c.says)
		}
		if strings.Contains(err.Error(), body[5:20]) || strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: the error repeats the text: %v", c.name, err)
		}
	}
	for _, prefix := range []string{"stagecache-root-key-v2:", "stagecache-root-key-v9999:"} {
		if _, err := ParseRootKey("# x\n" + prefix + "whatever"); !errors.Is(err, ErrFormatNewer) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// A slip of the hand must not become another key: the store would say "wrong key" and send its owner looking for it.
func TestParseRootKeyFindsEverySlip(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	line := textLine(keyKind, testRoot(50).secret())
	start, tried := len(textPrefix(keyKind)), 0
	check := func(text string) {
		tried++
		var format *KeyFormatError
		if _, err := ParseRootKey(text); !errors.As(err, &format) {
			t.Fatalf("%q: %v", text, err)
		}
	}
	for i := start; i < len(line); i++ {
		for _, c := range alphabet {
			if byte(c) != line[i] {
				check(line[:i] + string(c) + line[i+1:])
			}
		}
		if i+1 < len(line) && line[i] != line[i+1] { // two neighbours swapped
			check(line[:i] + line[i+1:i+2] + line[i:i+1] + line[i+2:])
		}
	}
	if tried < 48*63 {
		t.Fatalf("only %d slips tried", tried)
	}
}
