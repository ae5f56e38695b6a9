package policy

import "github.com/dunglas/httpsfv"

// Groups reads a Cache-Groups or a Cache-Group-Invalidation, lists of strings (RFC 9875 2, 3): each group once, in the order they
// came in. A field that is malformed, or that has a member of another type, is ignored as a whole. Parameters are ignored.
func Groups(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil {
		return nil
	}
	var groups []string
	seen := make(map[string]bool, len(list))
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return nil
		}
		name, ok := item.Value.(string)
		if !ok {
			return nil
		}
		if !seen[name] {
			seen[name] = true
			groups = append(groups, name)
		}
	}
	return groups
}

// GroupTag is the purge tag of a group of an origin: groups of two origins are two, though they have one name (RFC 9875 2.1). It
// cannot be that of a Surrogate-Key or Cache-Tag, for no header holds a zero byte.
func GroupTag(origin, group string) string { return "\x00group " + origin + " " + group }
