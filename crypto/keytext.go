package crypto

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// A key text is lines: '#' comments, blank lines, and one line PREFIX BASE64URL, where the prefix names the kind and
// the version, and the rest is the 32 bytes and the first 4 bytes of a SHA-256 over prefix and bytes. The checksum tells
// a slip of the hand from a key that is right but not the one that is needed; it stands only where the key itself stands.
const (
	keyKind  = "stagecache-root-key"
	saltKind = "stagecache-salt"

	textVersion  = 1
	textChecksum = 4
	maxKeyText   = 64 << 10
	createdMark  = "# created: "
)

var textEncoding = base64.RawURLEncoding.Strict()

// encodedLen has no rest and no padding: 36 bytes are 48 characters.
const encodedLen = (KeySize + textChecksum) / 3 * 4

// ParseRootKey reads the text of a key file. A text it cannot read gives a *KeyFormatError with the line, or
// ErrFormatNewer; no error repeats any of the text.
func ParseRootKey(text string) (*RootKey, error) {
	secret, err := parseText(keyKind, text)
	if err != nil {
		return nil, err
	}
	k := rootKeyOf(secret)
	for line := range strings.Lines(text) {
		if date, ok := strings.CutPrefix(strings.TrimSpace(line), createdMark); ok {
			// A comment, so whatever else stands there is no error. Only what Text itself can write is kept.
			if t, err := time.Parse(time.RFC3339, date); err == nil && t.UTC().Format(time.RFC3339) == date {
				k.created = t.UTC()
			}
		}
	}
	return k, nil
}

// Text is the whole of a key file: comments with the creation date (if known) and the id, then the key. It is the one
// way to the key itself; it belongs into a file that CreateKeyFile makes and nowhere else.
func (k *RootKey) Text() string {
	if !k.usable() {
		return ""
	}
	var b strings.Builder
	b.WriteString("# stagecache root key: whoever has this file can read the cache; without it nobody can\n")
	if !k.created.IsZero() {
		fmt.Fprintf(&b, "%s%s\n", createdMark, k.created.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "# key id: %s\n%s\n", k.id, textLine(keyKind, k.secret()))
	return b.String()
}

func textPrefix(kind string) string { return fmt.Sprintf("%s-v%d:", kind, textVersion) }

func textSum(kind string, secret []byte) []byte {
	sum := sha256.Sum256(frame(textPrefix(kind), secret))
	return sum[:textChecksum]
}

func textLine(kind string, secret *[KeySize]byte) string {
	raw := append(bytes.Clone(secret[:]), textSum(kind, secret[:])...)
	return textPrefix(kind) + textEncoding.EncodeToString(raw)
}

func parseText(kind, text string) (*[KeySize]byte, error) {
	if len(text) > maxKeyText {
		return nil, &KeyFormatError{0, fmt.Sprintf("larger than %d KiB: this is no %s", maxKeyText>>10, kind)}
	}
	var found *[KeySize]byte
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if found != nil {
			return nil, &KeyFormatError{n, "a second line that is no comment: one file holds one " + kind}
		}
		var err error
		if found, err = parseLine(kind, line, n); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, &KeyFormatError{0, "no line that begins with " + textPrefix(kind)}
	}
	return found, nil
}

func parseLine(kind, line string, n int) (*[KeySize]byte, error) {
	encoded, ok := strings.CutPrefix(line, textPrefix(kind))
	if !ok {
		if version, ok := laterVersion(kind, line); ok {
			return nil, failf(ErrFormatNewer, "line %d: %s version %s is newer than this release understands", n, kind, version)
		}
		return nil, &KeyFormatError{n, "neither a comment nor a line that begins with " + textPrefix(kind)}
	}
	if len(encoded) != encodedLen {
		return nil, &KeyFormatError{n, fmt.Sprintf("%d characters after the prefix instead of %d: the line was cut or something was added", len(encoded), encodedLen)}
	}
	raw, err := textEncoding.DecodeString(encoded)
	if err != nil || len(raw) != KeySize+textChecksum {
		return nil, &KeyFormatError{n, "a character that is not base64url (A-Z a-z 0-9 - _)"}
	}
	secret := [KeySize]byte(raw)
	if subtle.ConstantTimeCompare(raw[KeySize:], textSum(kind, secret[:])) != 1 {
		return nil, &KeyFormatError{n, "the checksum does not match: the line was mistyped or altered"}
	}
	return &secret, nil
}

// laterVersion recognises the prefix of a version above ours: KIND-vNUMBER: with a number of at most 4 digits.
func laterVersion(kind, line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, kind+"-v")
	if !ok {
		return "", false
	}
	version, _, ok := strings.Cut(rest, ":")
	if !ok || version == "" || len(version) > 4 || version[0] == '0' || strings.Trim(version, "0123456789") != "" {
		return "", false
	}
	return version, true
}
