package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxErrors is how many errors one check reports: a reader mends a few at a time, and a damaged file must not fill a terminal.
const maxErrors = 100

// Error is one thing wrong with a configuration, or one thing worth a warning.
type Error struct {
	File    string
	Line    int    // 1 is the first; 0: no line can be named
	Field   string // "stages.prod.cache.ttl"; empty for the file as a whole
	Message string
	Hint    string // what to do about it; may be empty; not part of Error(), for display on a line of its own
}

// Error says where and what, as in "stagecache.yaml:12: stages.prod.cache.ttl: 4000s is more than max_ttl (3600s)".
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Errors is everything that is wrong with a configuration, in the order of its lines.
type Errors []Error

// Error has one line per error, without the hints.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Error) int { return a.Line - b.Line })
}

// problems collects errors while the rest of the file is still being looked at.
type problems struct {
	file    string
	lines   int // of the file: what the parser finds missing at its end, it places one line further
	list    Errors
	dropped int
}

func (p *problems) add(line int, field, hint, format string, args ...any) {
	if p.full() {
		p.dropped++
		return
	}
	p.list = append(p.list, Error{File: p.file, Line: min(line, p.lines), Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// countLines counts as YAML does, with all its line breaks.
func countLines(data []byte) int {
	n := 1 - bytes.Count(data, []byte("\r\n"))
	for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		n += bytes.Count(data, []byte(b))
	}
	if n > 1 && bytes.HasSuffix(data, []byte("\n")) {
		n-- // nothing follows the last break
	}
	return n
}

// full tells that nothing more will be kept, so that work done only for a hint can be saved.
func (p *problems) full() bool { return len(p.list) >= maxErrors }

// err is what Parse returns: nil where nothing is wrong.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	p.list.sort()
	if p.dropped > 0 {
		last := p.list[len(p.list)-1].Line
		p.list = append(p.list, Error{File: p.file, Line: last, Message: fmt.Sprintf("and %d more errors", p.dropped)})
	}
	return p.list
}

// quote shows a user's text in a message: bounded, and with nothing in it that a terminal would obey.
func quote(s string) string { return strconv.QuoteToASCII(clip(s)) }

// label shows a user's key in a field path: as it is where it is plain, else quoted in brackets.
func label(parent, key string) string {
	if strings.Trim(key, nameChars) != "" {
		return parent + "[" + quote(key) + "]"
	}
	if parent == "" {
		return shown(key)
	}
	return parent + "." + shown(key)
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// shown is a user's text without quotes around it, for hints and paths: bounded, and printable.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, clip(s))
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
