package policy

import (
	"net/url"
	"strings"
)

// Safe reports whether a method changes nothing by its definition (RFC 9110 9.2.1 and the registry of methods). One that is
// not known is taken to change something (RFC 9111 4.4).
func Safe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// Invalidates reports whether an answer to an unsafe method makes what is stored for its target doubtful: any but an error
// (RFC 9111 4.4).
func Invalidates(status int) bool { return status >= 200 && status < 400 }

// InvalidationTarget reads a Location or Content-Location of an answer to a request for the absolute URL request, and gives
// the escaped path and the query that it names, if that is on the same origin (RFC 9111 4.4: a cache must not let one host
// invalidate what is another's): the request's own, or one of others, which are clean hosts by which the backend goes.
func InvalidationTarget(request, location string, others ...string) (path, query string, ok bool) {
	base, err := url.Parse(request)
	if err != nil {
		return "", "", false
	}
	to, err := base.Parse(trimOWS(location))
	if err != nil || to.Scheme != "http" && to.Scheme != "https" {
		return "", "", false
	}
	same := strings.EqualFold(to.Scheme, base.Scheme) && sameHost(to, base.Host)
	for _, host := range others {
		same = same || sameHost(to, host)
	}
	if !same {
		return "", "", false
	}
	if path = to.EscapedPath(); path == "" {
		path = "/"
	}
	return path, to.RawQuery, true
}

func sameHost(u *url.URL, host string) bool {
	a, err1 := CleanHost(u.Host, u.Scheme)
	b, err2 := CleanHost(host, u.Scheme)
	return err1 == nil && err2 == nil && a == b
}
