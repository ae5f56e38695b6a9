package cli

import (
	"strings"

	"stagecache/internal/spelling"
)

// nearest is the candidate that was probably meant, or "".
func nearest(word string, candidates []string) string {
	best, least := "", 1+len(word)/3 // a third of the letters may be wrong
	for _, c := range candidates {
		if d := spelling.Distance(word, c); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	if best == "" && len(word) >= 2 {
		for _, c := range candidates {
			if strings.HasPrefix(c, word) {
				return c
			}
		}
	}
	return best
}
