package gateway

import (
	"bytes"
	"net/http"
	"strconv"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// appendHead writes the head of a stored answer as net/http would: the same lines in the same order. It reports false where it
// cannot: where net/http would add something of its own, or leave something out.
func (x *exchange) appendHead(dst []byte, a stored.Answer, age int64, cs policy.CacheStatus) ([]byte, bool) {
	reason := http.StatusText(a.Status)
	if a.Status < 200 || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified || reason == "" {
		return dst, false
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	dst = append(dst, "\r\n"...)

	own := 0 // how many of ours are there, in the order of the alphabet
	next := func(before []byte) {
		for ; own < len(ownFields) && (before == nil || bytes.Compare(ownFields[own], before) < 0); own++ {
			dst = append(dst, ownFields[own]...)
			dst = append(dst, ": "...)
			switch own {
			case 0:
				dst = strconv.AppendInt(dst, age, 10)
			case 1:
				dst = cs.Append(dst)
			case 2:
				dst = strconv.AppendInt(dst, int64(len(a.Body)), 10)
			}
			dst = append(dst, "\r\n"...)
		}
	}
	var last []byte
	dated, typed := false, false
	for name, value := range a.Fields() {
		if bytes.Compare(name, last) < 0 || !ordinary(name, value) {
			return dst, false
		}
		last = name
		switch string(name) {
		case "Date":
			dated = true
		case "Content-Type":
			typed = true
		}
		next(name)
		dst = append(dst, name...)
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		dst = append(dst, "\r\n"...)
	}
	if !dated || !typed {
		return dst, false // net/http adds them
	}
	next(nil)
	return append(dst, "\r\n"...), true
}

var ownFields = [...][]byte{[]byte("Age"), []byte("Cache-Status"), []byte("Content-Length")}

// ordinary tells a stored line that net/http sends as it is, and that has no say in how the message ends.
func ordinary(name, value []byte) bool {
	switch string(name) {
	case "", "Age", "Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	for _, c := range name {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	if len(value) == 0 {
		return true
	}
	for _, c := range [...]byte{value[0], value[len(value)-1]} {
		if c == ' ' || c == '\t' {
			return false
		}
	}
	return bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0
}
