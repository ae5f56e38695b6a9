package gateway

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// serveRanges sends parts of a stored body: one as it is, several as multipart/byteranges (RFC 9110 14.6). The policy has seen
// to it that they are few and do not overlap, so what is sent is never much more than the body.
func (x *exchange) serveRanges(a stored.Answer, h http.Header, parts []policy.ByteRange) {
	size := len(a.Body)
	if len(parts) == 1 {
		p := parts[0]
		h["Content-Range"] = []string{contentRange(p, size)}
		h["Content-Length"] = []string{strconv.FormatInt(p.Length, 10)}
		x.w.WriteHeader(http.StatusPartialContent)
		x.send(a.Body[p.Start : p.Start+p.Length])
		return
	}
	boundary := rand.Text() // 128 random bits: no body holds it
	heads := make([]string, len(parts))
	contentType := a.Get("Content-Type")
	var length int64
	for i, p := range parts {
		head := "--" + boundary + "\r\n"
		if i > 0 {
			head = "\r\n" + head
		}
		if contentType != "" {
			head += "Content-Type: " + contentType + "\r\n"
		}
		heads[i] = head + "Content-Range: " + contentRange(p, size) + "\r\n\r\n"
		length += int64(len(heads[i])) + p.Length
	}
	end := "\r\n--" + boundary + "--\r\n"
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	h["Content-Length"] = []string{strconv.FormatInt(length+int64(len(end)), 10)}
	x.w.WriteHeader(http.StatusPartialContent)
	for i, p := range parts {
		x.send([]byte(heads[i]))
		x.send(a.Body[p.Start : p.Start+p.Length])
	}
	x.send([]byte(end))
}

func contentRange(p policy.ByteRange, size int) string {
	return fmt.Sprintf("bytes %d-%d/%d", p.Start, p.Start+p.Length-1, size)
}
