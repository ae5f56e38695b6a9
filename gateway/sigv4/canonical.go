package sigv4

import (
	"encoding/hex"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonical is the request as it was signed, with path and query in one of their forms.
func (s *Signature) canonical(r *Request, path, query string) (string, error) {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(query)
	b.WriteByte('\n')
	for _, name := range s.SignedHeaders {
		values, ok := r.values(name)
		if !ok {
			return "", refuse("the signed header %q is not there", name)
		}
		b.WriteString(name)
		b.WriteByte(':')
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(fold(v))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.SignedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(hex.EncodeToString(r.BodyHash[:]))
	return b.String(), nil
}

// values are those of a signed header. Host and Content-Length are fields of their own in a server's request.
func (r *Request) values(name string) ([]string, bool) {
	if name == "host" {
		return []string{r.Host}, r.Host != ""
	}
	values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	if len(values) == 0 && name == "content-length" && r.Length >= 0 {
		return []string{strconv.FormatInt(r.Length, 10)}, true
	}
	return values, len(values) > 0
}

// fold trims a value, and makes one space of several.
func fold(v string) string {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] != ' ' || v[i-1] != ' ' { // the first byte is no space
			b = append(b, v[i])
		}
	}
	return string(b)
}

// canonicalPaths are the forms in which the path may have been signed: as it was sent, encoded once more, and, if that is
// another one, with its "." and ".." segments and empty segments resolved before.
func canonicalPaths(path string) []string {
	if path == "" {
		path = "/"
	}
	forms := []string{escape(path, true)}
	if resolved := resolve(path); resolved != path {
		forms = append(forms, escape(resolved, true))
	}
	return forms
}

// resolve does to a path what botocore does (RFC 3986 5.2.4, and runs of slashes become one).
func resolve(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	segments := strings.Split(path, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
		}
	}
	resolved := "/" + strings.Join(out, "/")
	if last := segments[len(segments)-1]; len(out) > 0 && (last == "" || last == "." || last == "..") {
		resolved += "/"
	}
	return resolved
}

// canonicalQueries are the forms in which the query may have been signed: as it should be, and as some signers leave it: in order,
// but written as it was sent (botocore, for a query that is part of the URL), or just as it was sent (curl before 8). None of
// these is the proper form of another query than the one that was sent, so a signature stays good for what was signed.
func canonicalQueries(raw string, presigned bool) ([]string, error) {
	proper, err := canonicalQuery(raw, presigned)
	if err != nil || presigned || raw == proper {
		return []string{proper}, err
	}
	pairs := strings.Split(raw, "&")
	slices.Sort(pairs)
	forms := []string{proper, strings.Join(pairs, "&"), raw}
	return slices.Compact(forms), nil
}

// canonicalQuery sorts the parameters, each decoded and encoded again. The signature itself is not part of what is signed.
func canonicalQuery(raw string, presigned bool) (string, error) {
	if raw == "" {
		return "", nil
	}
	type pair struct{ name, value string }
	var pairs []pair
	for text := range strings.SplitSeq(raw, "&") {
		if text == "" {
			// It is not part of what is signed, and some backends read more into it than others.
			return "", refuse("the query has an empty parameter")
		}
		name, value, _ := strings.Cut(text, "=")
		name, err := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil {
			return "", refuse("the query has a percent sign that begins no escape")
		}
		if presigned && name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{escape(name, false), escape(value, false)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String(), nil
}

const upperHex = "0123456789ABCDEF"

// escape leaves the unreserved characters of RFC 3986 and, in a path, slashes.
func escape(s string, path bool) string {
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/' && path:
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}
