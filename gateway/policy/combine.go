package policy

import (
	"maps"
	"strconv"
	"time"
)

// A Rest is what is missing of a body of which a part is stored: one range, before or behind the part.
type Rest struct {
	Missing   Part
	Validator string // for If-Range
}

// RestOf gives what is missing to a stored part. It is false where two ranges are missing, or nothing; and where there is no
// strong validator, without which nobody can tell whether two parts are of one body (RFC 9110 15.3.7.3, RFC 9111 3.4).
func RestOf(p Part, v Validators) (Rest, bool) {
	validator, ok := v.strong()
	switch {
	case !ok:
		return Rest{}, false
	case p.First == 0 && p.Last < p.Size-1:
		return Rest{Part{p.Last + 1, p.Size - 1, p.Size}, validator}, true
	case p.First > 0 && p.Last == p.Size-1:
		return Rest{Part{0, p.First - 1, p.Size}, validator}, true
	}
	return Rest{}, false
}

// Ask adds to a request's header that only what is missing is wanted, if it is still of the same body (RFC 9110 13.1.5, 14.2).
func (r Rest) Ask(h map[string][]string) {
	h["Range"] = []string{"bytes=" + strconv.FormatInt(r.Missing.First, 10) + "-" + strconv.FormatInt(r.Missing.Last, 10)}
	h["If-Range"] = []string{r.Validator}
}

// Is reports whether a 206 with this header has just what is missing, of the same body.
func (r Rest) Is(h map[string][]string) bool {
	p, ok := ParseContentRange(h["Content-Range"])
	if !ok || p != r.Missing {
		return false
	}
	if tags := h["Etag"]; len(tags) > 0 || isETag(r.Validator) {
		return len(tags) == 1 && strongMatch(trimOWS(tags[0]), r.Validator)
	}
	modified := h["Last-Modified"]
	return len(modified) == 1 && trimOWS(modified[0]) == r.Validator
}

// strong gives the validator that If-Range may carry: a strong entity tag, or where there is no entity tag a Last-Modified that
// is known to be strong, being older than Date (RFC 9110 8.8.2.2, 13.1.5).
func (v Validators) strong() (string, bool) {
	if v.ETag != "" {
		return v.ETag, strongMatch(v.ETag, v.ETag)
	}
	modified, ok1 := parseDate(v.LastModified)
	date, ok2 := parseDate(v.Date)
	return v.LastModified, ok1 && ok2 && date.Sub(modified) >= time.Second
}

// Combine gives the header of the whole, put together from a stored part and a new one with the header update (RFC 9111 3.4):
// each field of the new one replaces the stored one of that name, but for what says where a part lies. Neither argument is
// changed.
func Combine(stored, update map[string][]string) map[string][]string {
	h := maps.Clone(stored)
	for _, name := range []string{"Age", "Date", "Via"} {
		delete(h, name) // they say how the stored part came
	}
	maps.Copy(h, update)
	for _, name := range []string{"Content-Range", "Content-Length"} {
		delete(h, name)
	}
	return h
}
