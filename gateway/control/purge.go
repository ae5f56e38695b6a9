package control

import (
	"net/http"
	"strings"

	"stagecache/engine"
	"stagecache/gateway/policy"
)

// PurgeRequest says what to purge: exactly one of Path, Tag and Request is set.
type PurgeRequest struct {
	// Path is relative to the stage and begins with "/". A trailing "*" makes it a prefix, "*" elsewhere stands for one
	// segment, and without "*" it is that exact path with all its queries and variants. Percent escapes are decoded.
	Path string `json:"path,omitempty"`
	// Tag is one word of the backend's Surrogate-Key or Cache-Tag.
	Tag string `json:"tag,omitempty"`
	// Request is what a client asks for, as in an ExplainRequest: a URL, or a path with its query. The one entry that a GET of
	// it is answered from goes, with its variants. Only a running gateway knows which that is.
	Request string `json:"request,omitempty"`
	// Header holds the fields of the Request that are part of its key.
	Header map[string][]string `json:"header,omitempty"`
	// Soft makes entries stale instead of removing them.
	Soft bool `json:"soft"`
}

// what is what is to be purged, in a word.
func (p PurgeRequest) what() string {
	switch {
	case p.Tag != "":
		return "tag " + p.Tag
	case p.Request != "":
		return "request " + p.Request
	}
	return "path " + p.Path
}

// maxPurgeText bounds what one purge puts into the store's list.
const maxPurgeText = 8 << 10

// Check says what is wrong with the request.
func (p PurgeRequest) Check() error {
	switch {
	case p.Request == "" && len(p.Header) > 0:
		return badRequest("", "headers are for the purge of a request")
	case p.Request == "":
		_, err := p.target()
		return err
	case p.Path != "" || p.Tag != "":
		return badRequest("send two purges", "a purge takes one of a path, a tag and a request")
	case len(p.Request) > maxPurgeText:
		return badRequest("", "what is to be purged is longer than %d bytes", maxPurgeText)
	}
	return nil
}

// keyer is a Source that knows which entries a request is answered from: a running gateway.
type keyer interface {
	RequestTargets(stage string, r ExplainRequest, soft bool) ([]engine.Target, error)
}

// targets is the request as the engine wants it.
func (l *Local) targets(stage string, p PurgeRequest) ([]engine.Target, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p.Request == "" {
		t, err := p.target()
		return []engine.Target{t}, err
	}
	src, ok := l.src.(keyer)
	if !ok {
		return nil, &UnreachableError{
			Message:  "the gateway is not running, and only it knows what a request is answered from",
			HintText: "start it, or purge the path with all its queries (--path)",
		}
	}
	return src.RequestTargets(stage, ExplainRequest{Method: http.MethodGet, URL: p.Request, Header: p.Header}, p.Soft)
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
		return engine.Target{}, badRequest("", "a purge needs a path, a tag or a request")
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
