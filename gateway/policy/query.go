package policy

import (
	"slices"
	"strings"
)

// A QuerySpec says which query parameters count. Names are as people write
// them, decoded, and case-sensitive.
type QuerySpec struct {
	Include []string // if any: only these are kept
	Exclude []string // these are dropped, even if included
}

func (s QuerySpec) keeps(rawName string) bool {
	return (len(s.Include) == 0 || listed(s.Include, rawName)) && !listed(s.Exclude, rawName)
}

func listed(names []string, rawName string) bool {
	for _, n := range names {
		if sameText(rawName, n, true) {
			return true
		}
	}
	return false
}

// Query gives the one query that is both keyed and forwarded. Dropping a
// parameter from the key alone would let a client poison the entry through it.
//
// Pairs are separated by "&" and by nothing else: a backend that also splits at
// ";" sees what the key holds, since the pair stays whole or goes whole
// (parameter cloaking). A name is compared with the spec after one decode of %XX
// and "+". Pairs that stay are kept byte for byte, duplicates included; empty
// pairs are dropped. If sorted, pairs are ordered by their raw name, equal names
// in the order they came in.
//
// Query is idempotent. A query that needs no change is returned as it is,
// without allocating.
func Query(raw string, spec QuerySpec, sorted bool) string {
	if settled(raw, spec, sorted) {
		return raw
	}
	type pair struct{ name, text string }
	pairs := make([]pair, 0, strings.Count(raw, "&")+1)
	for rest, more := raw, true; more; {
		var text string
		text, rest, more = strings.Cut(rest, "&")
		if name := rawName(text); text != "" && spec.keeps(name) {
			pairs = append(pairs, pair{name, text})
		}
	}
	if sorted {
		slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.text)
	}
	return b.String()
}

// settled reports whether Query would return raw unchanged.
func settled(raw string, spec QuerySpec, sorted bool) bool {
	if raw == "" {
		return true
	}
	last := ""
	for rest, more := raw, true; more; {
		var text string
		text, rest, more = strings.Cut(rest, "&")
		name := rawName(text)
		if text == "" || sorted && name < last || !spec.keeps(name) {
			return false
		}
		last = name
	}
	return true
}

func rawName(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	return name
}

// QueryValues gives every value of a parameter, decoded once, in the order they
// came in; none if the parameter is absent, [""] if it is there without a value.
// API Gateway's keys take querystring parameters by name, case-sensitively
// ("Enable API caching", method.request.querystring.NAME). Which value of a
// repeated parameter enters its key is not published; all of them entering ours
// can only make more entries, never a wrong hit.
func QueryValues(raw, name string) []string {
	var values []string
	for rest, more := raw, true; more; {
		var text string
		text, rest, more = strings.Cut(rest, "&")
		n, v, _ := strings.Cut(text, "=")
		if text != "" && sameText(n, name, true) {
			values = append(values, decoded(v, true))
		}
	}
	return values
}
