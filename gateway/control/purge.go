package control

import (
	"strings"

	"stagecache/engine"
	"stagecache/gateway/policy"
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
	path := policy.DecodedPath(p.Path)
	switch {
	case star < 0:
		return engine.Path(path), nil
	case star == len(p.Path)-1:
		return engine.Prefix(strings.TrimSuffix(path, "*")), nil
	}
	return engine.Pattern(path), nil
}
