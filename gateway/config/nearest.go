package config

import "strings"

// nearest finds the candidate that a misspelt word most likely meant, or "".
func nearest(word string, candidates []string) string {
	w := plain(word)
	best, bestDistance := "", 1+max(1, min(3, len(w)/3))
	for _, c := range candidates {
		if len(c) > 2*len(w)+8 || len(w) > len(c)+3 {
			continue // too far apart, whatever the letters are
		}
		if d := distance(w, plain(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

var marks = strings.NewReplacer("_", "", "-", "")

// plain drops what people vary without meaning anything else: case, underscores and dashes.
func plain(s string) string { return marks.Replace(strings.ToLower(clip(s))) }

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words
// (optimal string alignment). Both are short: plain has clipped them.
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return ""
}
