package gateway

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"stagecache/gateway/config"
)

// accessLog writes a line per request: when, who, what, the outcome, and what the cache did. It never writes a header, and of
// a query only the names: values are where tokens and addresses are. A nil *accessLog is one that is off.
type accessLog struct {
	json bool

	mu   sync.Mutex
	w    io.Writer // guarded by mu
	file *os.File  // nil for the standard output, which is not ours to close
	line []byte    // guarded by mu: kept from line to line
}

func openAccessLog(c config.AccessLog) (*accessLog, error) {
	switch c.Path {
	case "":
		return nil, nil
	case "-":
		return &accessLog{json: c.Format != "text", w: os.Stdout}, nil
	}
	// 0600: who asked for what is nobody else's business.
	f, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return &accessLog{json: c.Format != "text", w: f, file: f}, nil
}

// close ends the log; lines that come later are lost.
func (l *accessLog) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = io.Discard
	if l.file != nil {
		l.file.Close()
	}
}

// write writes the line of a request that is over.
func (l *accessLog) write(x *exchange) {
	if l == nil {
		return
	}
	took := time.Since(x.begun)
	status := x.w.status
	if status == 0 {
		status = 499 // the client left before there was an answer
	}
	stage := "-"
	if x.stage != nil {
		stage = x.stage.name
	}
	path := x.path
	if path == "" {
		path = x.r.URL.EscapedPath()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.line[:0]
	text := func(name, value string) {
		if !l.json {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendQuote(append(append(b, name...), '='), value)
			return
		}
		b = appendJSONString(append(appendJSONString(append(b, separator(b)), name), ':'), value)
	}
	number := func(name string, value int64) {
		if !l.json {
			b = strconv.AppendInt(append(append(append(b, ' '), name...), '='), value, 10)
			return
		}
		b = strconv.AppendInt(append(appendJSONString(append(b, separator(b)), name), ':'), value, 10)
	}
	text("time", x.begun.UTC().Format("2006-01-02T15:04:05.000000Z"))
	text("remote", x.state.address(x.client, x.r.Header))
	text("method", x.r.Method)
	text("path", path)
	text("query", redact(x.r.URL.RawQuery))
	number("status", int64(status))
	number("bytes", x.w.bytes)
	number("duration_us", took.Microseconds())
	text("stage", stage)
	text("cache", x.result)
	if l.json {
		b = append(b, '}')
	}
	l.line = append(b, '\n')
	// One write per line, so that lines of several processes do not mix. That the log cannot be written is no reason to fail
	// a request that is over.
	_, _ = l.w.Write(l.line)
}

func separator(b []byte) byte {
	if len(b) == 0 {
		return '{'
	}
	return ','
}

// redact replaces the values of a query.
func redact(query string) string {
	if query == "" {
		return ""
	}
	var b strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		name, value, ok := strings.Cut(pair, "=")
		b.WriteString(name)
		if ok {
			b.WriteByte('=')
		}
		if value != "" {
			b.WriteByte('*')
		}
	}
	return b.String()
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r) // U+FFFD for what is not UTF-8
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}
