package policy

import "strings"

// MaxTags and MaxTagBytes limit the tags of one answer. One with more is not
// stored: it could not be purged by all of them.
const (
	MaxTags     = 128
	MaxTagBytes = 16 << 10
)

// Tags gives the purge tags of an answer: Surrogate-Key holds them separated by
// spaces, Cache-Tag by commas. Each tag is listed once, in the order they came
// in; case counts. All are returned, however many: DecideAPIGateway judges.
func Tags(h map[string][]string) []string {
	surrogate, cacheTag := h["Surrogate-Key"], h["Cache-Tag"]
	if len(surrogate) == 0 && len(cacheTag) == 0 {
		return nil
	}
	var tags []string
	seen := make(map[string]struct{})
	add := func(tag string) {
		if _, dup := seen[tag]; tag != "" && !dup {
			seen[tag] = struct{}{}
			tags = append(tags, tag)
		}
	}
	for _, line := range surrogate {
		for tag := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' || r == '\t' }) {
			add(tag)
		}
	}
	for _, line := range cacheTag {
		for tag := range strings.SplitSeq(line, ",") {
			add(trimOWS(tag))
		}
	}
	return tags
}

func tagsFit(tags []string) bool {
	size := 0
	for _, t := range tags {
		size += len(t)
	}
	return len(tags) <= MaxTags && size <= MaxTagBytes
}
