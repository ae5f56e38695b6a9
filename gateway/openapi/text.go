package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"stagecache/gateway/config"
)

// text writes the configuration. Texts of the document are written as JSON strings, which YAML reads the same way: nothing in
// them can become a key, a comment or a second document.
func (in *importer) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Made by cachectl import openapi. Key mode declared keys exactly as API Gateway does: by cacheKeyParameters alone.")
	line("# Before the first start: cachectl key generate --out root.key")
	line("listen: 127.0.0.1:8080")
	line("data_dir: ./data")
	line("encryption: {key_file: ./root.key}")
	line("api: {id: %s, name: %s}", quote(in.api.ID), quote(in.api.Name))
	line("backends:")
	for _, w := range in.backends {
		timeout := ""
		if w.millis != "" {
			timeout = ", timeout: " + w.millis + "ms"
		}
		line("  %s: {url: %s%s}", quote(w.name), quote(w.url), timeout)
	}
	line("stages:")
	line("  %s:", quote(in.stage))
	line("    mode: %s", config.ModeAPIGateway)
	line("    cache: {enabled: true, capacity: 500MB, memory: 64MB, ttl: 300s, key: {mode: %s}}", config.KeyDeclared)
	if len(in.entries) > 0 {
		line("    methods:")
	}
	for _, e := range in.entries {
		line("      %s: {%s}", quote(e.verb+" "+e.path), e.text())
	}
	line("    routes:")
	for _, r := range in.routes {
		line("      - {path: %s, backend: %s}", quote(r.path), quote(r.backend.name))
	}
	return b.String()
}

func (e entry) text() string {
	var parts []string
	if e.caching != nil {
		parts = append(parts, fmt.Sprintf("caching: %v", *e.caching))
	}
	names := make([]string, len(e.params))
	for i, p := range e.params {
		names[i] = quote(p)
	}
	parts = append(parts, "cacheKeyParameters: ["+strings.Join(names, ", ")+"]")
	if e.namespace != "" {
		parts = append(parts, "cacheNamespace: "+quote(e.namespace))
	}
	return strings.Join(parts, ", ")
}

// quote writes a text so that YAML takes it for that text. JSON's escapes are among YAML's, save that JSON leaves DEL and a
// few others as they are, which YAML does not take.
func quote(s string) string {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(strings.ToValidUTF8(s, "\ufffd")); err != nil {
		return `""` // a text always has a JSON form
	}
	var b strings.Builder
	for _, c := range strings.TrimSuffix(buf.String(), "\n") {
		if c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0xfeff || c == 0xfffe || c == 0xffff {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}
