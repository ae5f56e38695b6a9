package gateway

import "bytes"

// oldHead is the head of a request in HTTP/1.0, as it came: net/http drops a Transfer-Encoding from it without a word, and
// nobody who looks at the request can know that another reader may see another message (RFC 9112 6.1).
type oldHead struct {
	text []byte // empty for a request in another version, and for one whose beginning is not known
	more bool   // its end has not come yet
	lone bool   // what came is one head and nothing else, so what comes next is a beginning again
}

// maxOldHead is more than net/http reads of a head.
const maxOldHead = 2 * maxHeaderBytes

// begin takes the first bytes of a request, if boundary tells that they are: net/http may hold bytes that came before.
// Where their first line names another version, nothing more is kept.
func (h *oldHead) begin(p []byte, boundary bool) {
	h.end()
	if h.lone = boundary && bytes.HasSuffix(p, endOfHead) && bytes.Count(p, endOfHead) == 1; !boundary {
		return
	}
	line, _, whole := bytes.Cut(p, []byte{'\n'})
	if whole && !bytes.HasSuffix(bytes.TrimSuffix(line, []byte{'\r'}), []byte(" HTTP/1.0")) {
		return
	}
	h.more = true
	h.add(p)
}

// add takes what follows.
func (h *oldHead) add(p []byte) {
	if h.more {
		h.text = append(h.text, p[:min(len(p), maxOldHead-len(h.text))]...)
	}
}

// end forgets a head: what follows belongs to its body, or to requests that came with it in one read.
func (h *oldHead) end() { h.text, h.more = h.text[:0], false }

// chunked tells whether the head names a transfer coding. Another field's value is no reason: a line begins with the name.
func (h *oldHead) chunked() bool {
	head := h.text
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte{'\n'})
		if len(bytes.TrimSuffix(line, []byte{'\r'})) == 0 {
			return false // the end
		}
		name, _, ok := bytes.Cut(line, []byte{':'})
		if ok && bytes.EqualFold(bytes.TrimSpace(name), []byte("Transfer-Encoding")) {
			return true
		}
	}
	return false
}
