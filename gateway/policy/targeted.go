package policy

import "github.com/dunglas/httpsfv"

// targetedFields are the targeted cache-control fields that this cache obeys, its own before that of every CDN (RFC 9213
// 2.2, 3.1).
var targetedFields = [...]string{"Stagecache-Cache-Control", "Cdn-Cache-Control"}

// ResponseDirectives gives the directives of an answer that count for this cache: those of the first targeted field that
// is there and can be read, else those of Cache-Control. With a targeted field, Cache-Control and Expires are ignored
// altogether (RFC 9213 2.2); targeted tells so.
func ResponseDirectives(h map[string][]string) (d Directives, targeted bool) {
	for _, name := range targetedFields {
		if lines := h[name]; len(lines) > 0 {
			if d, ok := parseTargeted(lines); ok {
				return d, true
			}
		}
	}
	return ParseCacheControl(h["Cache-Control"]), false
}

// parseTargeted reads a targeted field, a dictionary of structured fields (RFC 9213 2.1). One that is empty, malformed, or
// that has a directive of the wrong type is as good as none.
func parseTargeted(lines []string) (d Directives, ok bool) {
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return d, false
	}
	flags := map[string]*bool{
		"no-store": &d.NoStore, "no-cache": &d.NoCache, "private": &d.Private, "public": &d.Public,
		"must-revalidate": &d.MustRevalidate, "proxy-revalidate": &d.ProxyRevalidate, "no-transform": &d.NoTransform,
		"immutable": &d.Immutable, "must-understand": &d.MustUnderstand,
	}
	numbers := map[string]*Seconds{
		"max-age": &d.MaxAge, "s-maxage": &d.SMaxAge,
		"stale-while-revalidate": &d.StaleWhileRevalidate, "stale-if-error": &d.StaleIfError,
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		item, isItem := member.(httpsfv.Item)
		if flag := flags[name]; flag != nil {
			// private and no-cache may name fields, and then count in full all the same.
			on, isFlag := item.Value.(bool)
			names := name == "private" || name == "no-cache"
			if !isFlag && !names {
				return Directives{}, false
			}
			*flag = on || !isFlag
		}
		if number := numbers[name]; number != nil {
			n, isNumber := item.Value.(int64)
			if !isItem || !isNumber {
				return Directives{}, false
			}
			*number = Seconds{Value: min(max(n, 0), maxSeconds), Set: true, Bad: n < 0}
		}
	}
	return d, true
}
