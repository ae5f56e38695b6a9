package gateway

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"stagecache/gateway/config"
)

// accessLog writes a line per request: when, who, what, the outcome, and what the cache did. It never writes a header, and of
// a query only the names: values are where tokens and addresses are.
type accessLog struct {
	on atomic.Bool // spares requests the lock where there is no log

	mu   sync.Mutex
	out  logOutput // guarded by mu
	line []byte    // guarded by mu: kept from line to line
}

// logOutput is where the lines go, and in which form.
type logOutput struct {
	w    io.Writer // nil: nowhere
	file *os.File  // nil for the standard output, which is not ours to close
	json bool
}

func openLog(c config.AccessLog) (logOutput, error) {
	o := logOutput{json: c.Format != "text"}
	switch c.Path {
	case "":
		return o, nil
	case "-":
		o.w = os.Stdout
		return o, nil
	}
	// 0600: who asked for what is nobody else's business.
	f, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return o, fmt.Errorf("access log: %w", err)
	}
	o.w, o.file = f, f
	return o, nil
}

func (o logOutput) close() {
	if o.file != nil {
		o.file.Close()
	}
}

// turn makes the log go to another output from the next line on, and closes the one before.
func (l *accessLog) turn(o logOutput) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.close()
	l.out = o
	l.on.Store(o.w != nil)
}

// write writes the line of a request that is over.
func (l *accessLog) write(x *exchange) {
	if !l.on.Load() {
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
	if l.out.w == nil {
		return // it was turned off this moment
	}
	b := l.line[:0]
	text := func(name, value string) {
		if !l.out.json {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendQuote(append(append(b, name...), '='), value)
			return
		}
		b = appendJSONString(append(appendJSONString(append(b, separator(b)), name), ':'), value)
	}
	number := func(name string, value int64) {
		if !l.out.json {
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
	if l.out.json {
		b = append(b, '}')
	}
	l.line = append(b, '\n')
	// One write per line, so that lines of several processes do not mix. That the log cannot be written is no reason to fail
	// a request that is over.
	_, _ = l.out.w.Write(l.line)
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
