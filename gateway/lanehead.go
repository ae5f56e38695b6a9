package gateway

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
)

// laneRequest is a request in the lane, and what can be kept for the next one.
type laneRequest struct {
	req    http.Request
	url    url.URL
	header http.Header
	values [maxLaneFields]string
	out    []byte
}

var requests = sync.Pool{New: func() any { return &laneRequest{header: make(http.Header, 32)} }}

const (
	maxLaneFields = 48
	maxLaneName   = 40
)

// laneFields are the headers that many clients send, in their canonical form: to look one up costs less than to make it.
var laneFields = strings.Fields(`Accept Accept-Charset Accept-Encoding Accept-Language Authorization Baggage Content-Type Cookie Dnt Forwarded From
	Origin Priority Purpose Referer Save-Data Sec-Ch-Ua Sec-Ch-Ua-Mobile Sec-Ch-Ua-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User
	Sec-Gpc Sec-Purpose Traceparent Tracestate Upgrade-Insecure-Requests User-Agent Via X-Amzn-Trace-Id X-Api-Key X-B3-Parentspanid X-B3-Sampled
	X-B3-Spanid X-B3-Traceid X-Correlation-Id X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Real-Ip X-Request-Id X-Requested-With`)

// notForTheLane are the headers that frame a message or belong to its connection, and those that ask for anything but the whole
// answer as it is stored. So are all that begin with "If-".
var notForTheLane = strings.Fields(`Cache-Control Content-Length Expect Http2-Settings Keep-Alive Pragma Proxy-Authorization Proxy-Connection Range
	Request-Range Te Trailer Transfer-Encoding Upgrade`)

// laneField is a header's name in its canonical form, "" for one that is not for the lane, and its bit in a set of those that were
// seen; 0: it has none, and is looked up among the request's.
type laneField struct {
	name string
	bit  uint64
}

const (
	bitHost = 1 << iota
	bitConnection
	firstBit
)

// laneNames finds a header by its name in lower case.
var laneNames = func() map[string]laneField {
	m := map[string]laneField{"host": {"Host", bitHost}, "connection": {"Connection", bitConnection}}
	for i, name := range laneFields {
		m[strings.ToLower(name)] = laneField{name, firstBit << i}
	}
	for _, name := range notForTheLane {
		m[strings.ToLower(name)] = laneField{}
	}
	return m
}()

// laneFieldOf tells what a name stands for.
func laneFieldOf(name string) laneField {
	if len(name) > maxLaneName {
		return laneField{}
	}
	var room [maxLaneName]byte
	lower := room[:len(name)]
	for i := range lower {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', c == '-', '0' <= c && c <= '9':
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		default:
			return laneField{} // a name to others, but not to everybody (policy.RemoveAliases)
		}
		lower[i] = c
	}
	if known, ok := laneNames[string(lower)]; ok {
		return known
	}
	if strings.HasPrefix(string(lower), "if-") {
		return laneField{}
	}
	return laneField{name: textproto.CanonicalMIMEHeaderKey(name)}
}

// parse reads a head with its empty line, and reports false for one that is not for the lane. It takes less than RFC 9112
// allows, and nothing that two readers could take differently: GET or HEAD of a path in visible ASCII, HTTP/1.1, lines that end in
// CRLF, headers that neither frame nor upgrade, once each, with names of letters, digits and "-" and values in visible ASCII that
// are not empty. What they mean is for the code that both ways have in common.
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
	host := ""
	var seen uint64
	for n := 0; rest != "\r\n"; n++ {
		if line, rest, ok = strings.Cut(rest, "\r\n"); !ok || n == maxLaneFields {
			return false
		}
		colon := strings.IndexByte(line, ':')
		if colon <= 0 {
			return false
		}
		f, value := laneFieldOf(line[:colon]), strings.Trim(line[colon+1:], " ")
		if f.name == "" || seen&f.bit != 0 || f.bit == 0 && q.header[f.name] != nil || value == "" || !visible(value, ' ') {
			return false
		}
		seen |= f.bit
		switch f.bit {
		case bitHost:
			host = value
			continue
		case bitConnection:
			if !strings.EqualFold(value, "keep-alive") {
				return false
			}
		}
		q.values[n] = value
		q.header[f.name] = q.values[n : n+1 : n+1]
	}
	if host == "" {
		return false
	}
	q.req = http.Request{
		Method: method, URL: &q.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: q.header, Body: http.NoBody,
		Host: host, RequestURI: target,
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
