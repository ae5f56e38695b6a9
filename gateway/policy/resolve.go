package policy

import "strings"

// Resolved tells how a backend may read a path that is not in its simplest form. The cache and the backend must not
// disagree about which resource a path names, so the caller refuses, or keeps out of the cache, what could be read in two ways.
type Resolved struct {
	Dots   bool   // it holds a "." or ".." segment, in whatever spelling
	Climbs bool   // its ".." segments lead above where the path begins
	Merged string // the path with empty segments taken out, as many servers read it; the path itself if it has none
}

// maxDecodes is how often a path is decoded in search of dot segments: backends behind backends decode more than once.
const maxDecodes = 3

// Resolve looks through an escaped path. Dot segments are found raw or percent-encoded, once or repeatedly, between slashes that
// are encoded themselves, and with parameters behind them ("..;x", which some servers read as ".."). Empty segments do not
// count as a level that ".." may leave. It allocates nothing for a path in its simplest form.
func Resolve(escaped string) Resolved {
	r := Resolved{Merged: escaped}
	if strings.Contains(escaped, "//") {
		var b strings.Builder
		for i := 0; i < len(escaped); i++ {
			if escaped[i] != '/' || i == 0 || escaped[i-1] != '/' {
				b.WriteByte(escaped[i])
			}
		}
		r.Merged = b.String()
	}
	for range maxDecodes {
		r.dots(escaped)
		again := decoded(escaped, false)
		if again == escaped {
			break
		}
		escaped = again
	}
	return r
}

func (r *Resolved) dots(path string) {
	if strings.IndexByte(path, '.') < 0 {
		return
	}
	level := 0
	for seg := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(seg, ";")
		switch name {
		case "":
		case ".":
			r.Dots = true
		case "..":
			r.Dots = true
			if level--; level < 0 {
				r.Climbs = true
				return
			}
		default:
			level++
		}
	}
}
