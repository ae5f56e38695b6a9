package policy

import "maps"

// kept are the fields of a stored answer that a 304 does not change: they are about the body as it was stored, and the
// body stays (RFC 9111 3.2). A Set-Cookie of a 304 is one client's, and never becomes part of what is stored.
var kept = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Type": true, "Content-Range": true, "Set-Cookie": true,
}

// Freshen gives the header of a stored answer after a 304 with the header update came for it (RFC 9111 3.2, 4.3.4): each
// field of the 304 replaces the stored one of that name, but for those that are about the stored body. Age and Date of
// before are dropped in any case, for they say when the stored one was made. Neither argument is changed.
func Freshen(stored, update map[string][]string) map[string][]string {
	h := maps.Clone(stored)
	if h == nil {
		h = make(map[string][]string)
	}
	delete(h, "Age")
	delete(h, "Date")
	for name, values := range update {
		if !kept[name] {
			h[name] = values
		}
	}
	return h
}

// NotModifiedIsAbout reports whether a 304 is about the stored answer that has these validators (RFC 9111 4.3.4). An entity
// tag must match weakly, for that is how If-None-Match compares; a Last-Modified, where there is no entity tag, must be the
// same. One with neither is about the one answer that was asked for.
func NotModifiedIsAbout(update map[string][]string, v Validators) bool {
	if tags := update["Etag"]; len(tags) > 0 {
		tag := trimOWS(tags[0])
		return len(tags) == 1 && (weakMatch(tag, v.ETag) || tag == v.ETag)
	}
	if modified := update["Last-Modified"]; len(modified) > 0 && v.LastModified != "" {
		return len(modified) == 1 && trimOWS(modified[0]) == v.LastModified
	}
	return true
}

// Usable reports whether there is a validator to ask the backend with: an entity tag or a date that can be read.
func (v Validators) Usable() bool {
	_, dated := parseDate(v.LastModified)
	return isETag(v.ETag) || dated
}

// Conditions adds the validators to a request's header (RFC 9111 4.3.1).
func (v Validators) Conditions(h map[string][]string) {
	if isETag(v.ETag) {
		h["If-None-Match"] = []string{v.ETag}
	}
	if _, ok := parseDate(v.LastModified); ok {
		h["If-Modified-Since"] = []string{v.LastModified}
	}
}

// SameBody reports whether an answer to HEAD is about the same body as a stored answer to GET (RFC 9111 4.3.5): nothing that
// both say of it differs.
func SameBody(head map[string][]string, v Validators, size string) bool {
	same := func(name, stored string) bool {
		values := head[name]
		return len(values) == 0 || stored == "" || len(values) == 1 && trimOWS(values[0]) == stored
	}
	return same("Etag", v.ETag) && same("Last-Modified", v.LastModified) && same("Content-Length", size)
}

// Confirms reports whether an answer to HEAD says by a validator that the body is still that of a stored answer: RFC 9111 4.3.5
// would take it for that where none differs, but two bodies without validators may well have the same length.
func Confirms(head map[string][]string, v Validators) bool {
	is := func(name, stored string) bool {
		values := head[name]
		return len(values) == 1 && stored != "" && trimOWS(values[0]) == stored
	}
	if isETag(v.ETag) {
		return is("Etag", v.ETag)
	}
	_, dated := parseDate(v.LastModified)
	return dated && is("Last-Modified", v.LastModified)
}
