package control

import (
	"strings"

	"stagecache/engine"
)

// PurgeRequest says what to purge: exactly one of Path and Tag is set.
type PurgeRequest struct {
	// Path is relative to the stage and begins with "/". A trailing "*" makes it a prefix, "*" elsewhere stands for one
	// segment, and without "*" it is that exact path with all its queries and variants. Percent escapes are decoded.
	Path string `json:"path,omitempty"`
	// Tag is one word of the backend's Surrogate-Key or Cache-Tag.
	Tag string `json:"tag,omitempty"`
	// Soft makes entries stale instead of removing them.
	Soft bool `json:"soft"`
}

// what is what is to be purged, in a word.
func (p PurgeRequest) what() string {
	if p.Tag != "" {
		return "tag " + p.Tag
	}
	return "path " + p.Path
}

// maxPurgeText bounds what one purge puts into the store's list.
const maxPurgeText = 8 << 10

// Check says what is wrong with the request.
func (p PurgeRequest) Check() error {
	_, err := p.target()
	return err
}

func (p PurgeRequest) mode() engine.PurgeMode {
	if p.Soft {
		return engine.Soft
	}
	return engine.Hard
}

// target is the request as the engine wants it.
func (p PurgeRequest) target() (engine.Target, error) {
	switch {
	case p.Path == "" && p.Tag == "":
		return engine.Target{}, badRequest("", "a purge needs a path or a tag")
	case p.Path != "" && p.Tag != "":
		return engine.Target{}, badRequest("send two purges", "a purge takes a path or a tag, not both")
	case len(p.Path) > maxPurgeText || len(p.Tag) > maxPurgeText:
		return engine.Target{}, badRequest("", "what is to be purged is longer than %d bytes", maxPurgeText)
	case p.Tag != "":
		return engine.Tag(p.Tag), nil
	case p.Path[0] != '/':
		return engine.Target{}, badRequest("write /"+p.Path, "the path %q does not begin with /", p.Path)
	case strings.ContainsAny(p.Path, "?#"):
		return engine.Target{}, badRequest("a path is purged with all its queries: leave out what follows the path",
			"the path %q has a query or a fragment", p.Path)
	}
	// What a "*" means is settled before escapes are decoded: "%2A" is a star that is part of a name.
	star := strings.IndexByte(p.Path, '*')
	path := decodePath(p.Path)
	switch {
	case star < 0:
		return engine.Path(path), nil
	case star == len(p.Path)-1:
		return engine.Prefix(strings.TrimSuffix(path, "*")), nil
	}
	return engine.Pattern(path), nil
}

// decodePath decodes each percent escape once. What is not an escape stays as it is, as in the paths of requests.
func decodePath(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
