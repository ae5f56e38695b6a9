package gateway

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// laneRequest is a request in the lane, and what can be kept for the next one.
type laneRequest struct {
	req    http.Request
	url    url.URL
	header http.Header
	values [len(laneFields)]string
	out    []byte
}

var requests = sync.Pool{New: func() any { return &laneRequest{header: make(http.Header, len(laneFields))} }}

// laneFields are the headers that a request may have and still be for the lane: none of them frames a message, carries an
// authority, or asks for anything but the whole answer. They are in their canonical form.
var laneFields = [...]string{
	"Host", "Accept", "Accept-Encoding", "Accept-Language", "Connection", "Cookie", "Dnt", "Origin", "Priority", "Referer",
	"Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User",
	"Sec-Gpc", "Upgrade-Insecure-Requests", "User-Agent", "X-Requested-With",
}

const (
	laneHost       = 0
	laneConnection = 4
	maxLaneName    = len("upgrade-insecure-requests")
)

// laneIndex finds a field by its name in lower case.
var laneIndex = func() map[string]int {
	m := make(map[string]int, len(laneFields))
	for i, name := range laneFields {
		m[strings.ToLower(name)] = i
	}
	return m
}()

// parse reads a head with its empty line, and reports false for one that is not for the lane. It takes less than RFC 9112
// allows, and nothing that two readers could take differently: GET or HEAD of a path in visible ASCII, HTTP/1.1, lines that end in
// CRLF, headers of laneFields, once each, with values that are not empty.
func (q *laneRequest) parse(head []byte) bool {
	// One string holds what the request's parts point into.
	text := string(head)
	line, rest, ok := strings.Cut(text, "\r\n")
	if !ok {
		return false
	}
	method, target, ok := strings.Cut(line, " ")
	if !ok || method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if target, ok = strings.CutSuffix(target, " HTTP/1.1"); !ok || !q.parseTarget(target) {
		return false
	}
	clear(q.header)
	var seen uint32
	for rest != "\r\n" {
		if line, rest, ok = strings.Cut(rest, "\r\n"); !ok {
			return false
		}
		colon := strings.IndexByte(line, ':')
		if colon <= 0 || colon > maxLaneName {
			return false
		}
		var room [maxLaneName]byte
		lower := room[:colon]
		for i := range lower {
			c := line[i]
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		i, ok := laneIndex[string(lower)]
		value := strings.Trim(line[colon+1:], " ")
		if !ok || seen&(1<<i) != 0 || value == "" || !visible(value, ' ') {
			return false
		}
		seen |= 1 << i
		if i == laneConnection && !strings.EqualFold(value, "keep-alive") {
			return false
		}
		q.values[i] = value
		if i != laneHost {
			q.header[laneFields[i]] = q.values[i : i+1 : i+1]
		}
	}
	if seen&(1<<laneHost) == 0 {
		return false
	}
	q.req = http.Request{
		Method: method, URL: &q.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: q.header, Body: http.NoBody,
		Host: q.values[laneHost], RequestURI: target,
	}
	return true
}

// parseTarget reads a target in origin form.
func (q *laneRequest) parseTarget(target string) bool {
	if target == "" || target[0] != '/' || !visible(target, '!') {
		return false
	}
	path, query, hasQuery := strings.Cut(target, "?")
	if hasQuery && (query == "" || mayCarryCredentials(query)) {
		return false
	}
	if plainPath(path) {
		q.url = url.URL{Path: path, RawQuery: query}
		return true
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	q.url = *u
	return true
}

// visible tells whether all bytes are printable ASCII, from least on.
func visible(s string, least byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < least || s[i] > '~' {
			return false
		}
	}
	return true
}

// plainPath tells a path that is the same escaped and not, by the rules of net/url.
func plainPath(path string) bool {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~$&+,/:;=@", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

// mayCarryCredentials tells a query that may hold a signature (X-Amz-...), in whatever spelling.
func mayCarryCredentials(query string) bool {
	return strings.IndexByte(query, '%') >= 0 || bytes.Contains(bytes.ToLower([]byte(query)), []byte("x-amz-"))
}
