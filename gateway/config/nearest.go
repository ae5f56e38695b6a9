package config

import (
	"strings"

	"stagecache/internal/spelling"
)

// nearest finds the candidate that a misspelt word most likely meant, or "".
func nearest(word string, candidates []string) string {
	w := plain(word)
	best, bestDistance := "", 1+max(1, min(3, len(w)/3))
	for _, c := range candidates {
		if len(c) > 2*len(w)+8 || len(w) > len(c)+3 {
			continue // too far apart, whatever the letters are
		}
		if d := spelling.Distance(w, plain(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

var marks = strings.NewReplacer("_", "", "-", "")

// plain drops what people vary without meaning anything else: case, underscores and dashes.
func plain(s string) string { return marks.Replace(strings.ToLower(clip(s))) }

func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return ""
}
