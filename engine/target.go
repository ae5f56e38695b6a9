package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Target is what a purge is about.
type Target struct {
	kind targetKind
	text string
}

type targetKind uint8

// Kinds as they stand in the purge list on disk: never renumbered.
const (
	kindKey targetKind = iota + 1
	kindTag
	kindPath
	kindPrefix
	kindPattern
)

// Key is one entry.
func Key(key []byte) Target { return Target{kindKey, string(key)} }

// Tag is every entry that carries it.
func Tag(tag string) Target { return Target{kindTag, tag} }

// Path is that exact path, with all its queries and variants.
func Path(path string) Target { return Target{kindPath, path} }

// Prefix is every path that begins so.
func Prefix(prefix string) Target { return Target{kindPrefix, prefix} }

// Pattern is every path that matches: a '*' stands for one whole segment, at the end for any rest, also an empty one.
func Pattern(pattern string) Target { return Target{kindPattern, pattern} }

// ParsePath reads a path as the command line gives it: a trailing '*' is a prefix, a '*' elsewhere makes a pattern, none is
// that exact path.
func ParsePath(s string) (Target, error) {
	if !strings.HasPrefix(s, "/") {
		return Target{}, fmt.Errorf("path %q does not begin with /", s)
	}
	switch i := strings.IndexByte(s, '*'); {
	case i < 0:
		return Path(s), nil
	case i == len(s)-1:
		return Prefix(s[:i]), nil
	}
	t := Pattern(s)
	return t, t.check()
}

func (t Target) check() error {
	if t.kind == 0 || t.text == "" {
		return errors.New("purge: empty target")
	}
	if len(t.text) > MaxKey {
		return fmt.Errorf("purge: target is longer than %d bytes", MaxKey)
	}
	if t.kind == kindPattern {
		for seg := range strings.SplitSeq(strings.TrimSuffix(t.text, "*"), "/") {
			if strings.Contains(seg, "*") && seg != "*" {
				return fmt.Errorf("pattern %q: a * stands for a whole path segment, or for any rest at the end", t.text)
			}
		}
	}
	return nil
}

// matchPattern matches a path against a checked pattern.
func matchPattern(pattern, path string) bool {
	rest, open := strings.CutSuffix(pattern, "*")
	if open && strings.HasSuffix(rest, "/") || !open {
		return matchSegments(rest, path, open)
	}
	// "/a/*/b*": the last segment before the star may go on.
	return matchSegments(rest, path, true)
}

// matchSegments compares segment by segment; with open, what follows pattern does not matter.
func matchSegments(pattern, path string, open bool) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, "/")
		s, srest, smore := strings.Cut(path, "/")
		if !pmore {
			if open {
				return strings.HasPrefix(s, p) || p == "*" && s != ""
			}
			return !smore && (p == s || p == "*" && s != "")
		}
		if p != s && !(p == "*" && s != "") || !smore {
			return false
		}
		pattern, path = prest, srest
	}
}

// literalPrefix is the part of a pattern before its first star.
func literalPrefix(pattern string) string {
	before, _, _ := strings.Cut(pattern, "*")
	return before
}

// Labels are what segments count records by, so that a purge can say how many it hits at most: tags, and the folders of the
// path. Two that share a hash are counted together, which keeps the answer an upper bound.
const maxFolders = 8

func tagLabel(tag string) uint64       { return xxhash.Sum64String("t\x00" + tag) }
func folderLabel(folder string) uint64 { return xxhash.Sum64String("p\x00" + folder) }

// folders calls fn for "/", "/a/", "/a/b/" of "/a/b/c", up to maxFolders.
func folders(path string, fn func(folder string)) {
	for i, n := 0, 0; i < len(path) && n < maxFolders; i++ {
		if path[i] == '/' {
			fn(path[:i+1])
			n++
		}
	}
}

func labelsOf(path string, tags []string) []uint64 {
	var out []uint64
	folders(path, func(f string) { out = append(out, folderLabel(f)) })
	for _, t := range tags {
		out = append(out, tagLabel(t))
	}
	return out
}

// label is the one to count by for an upper bound of what t hits; ok is false where only the total bounds it.
func (t Target) label() (label uint64, ok bool) {
	text := t.text
	switch t.kind {
	case kindTag:
		return tagLabel(text), true
	case kindPattern:
		text = literalPrefix(text)
	case kindKey:
		return 0, false
	}
	folders(text, func(f string) { label, ok = folderLabel(f), true })
	return label, ok
}
