package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// Options say how a document is read.
type Options struct {
	Stage   string // name of the stage; empty: the document's base path, else "prod"
	Backend string // URL that every route goes to, whatever its integration says; empty: the integrations' own
	// Variables are values for ${stageVariables.NAME} in a uri.
	Variables map[string]string
}

// Warning is something that was not carried over, or that deserves a look.
type Warning struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`  // 0: the document as a whole
	Where   string `json:"where,omitempty"` // "GET /pets/{id}"; empty for the document
	Message string `json:"message"`
}

// String says where and what, as in "petstore.json:12: GET /pets: ...".
func (w Warning) String() string {
	s := w.File
	if w.Line > 0 {
		s += fmt.Sprintf(":%d", w.Line)
	}
	if w.Where != "" {
		s += ": " + w.Where
	}
	return s + ": " + w.Message
}

const integrationKey = "x-amazon-apigateway-integration"

// verbsOf are the operations of a path item, in the order in which they are looked at: a route has one backend, and that of
// GET is the one that is cached.
var verbsOf = []struct{ field, verb string }{
	{"get", "GET"}, {"x-amazon-apigateway-any-method", policy.Any}, {"post", "POST"}, {"put", "PUT"}, {"patch", "PATCH"},
	{"delete", "DELETE"}, {"options", "OPTIONS"}, {"head", "HEAD"},
}

// importer collects what a document comes to.
type importer struct {
	o        Options
	file     string
	doc      *node
	stage    string
	api      config.API
	backends []*backend
	routes   []route
	entries  []entry
	warnings []Warning
	skipped  map[string][]string // reason -> operations
	open     []string            // operations that needed a credential
}

type backend struct {
	name, url string
	millis    string // timeout; empty: the default
}

type route struct {
	path    string
	backend *backend
}

type entry struct {
	verb, path string
	caching    *bool // nil: as the stage
	params     []string
	namespace  string
}

// Import turns a document into the text of a configuration. The name is for messages.
func Import(file string, data []byte, o Options) (string, []Warning, error) {
	doc, err := parse(data)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	in := &importer{o: o, file: file, doc: doc, skipped: make(map[string][]string)}
	if err := in.head(); err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := in.paths(); err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	in.summary()
	text := in.text()
	cfg, err := config.Parse("the result", []byte(text), config.Options{SkipFiles: true})
	if err != nil {
		return "", in.warnings, fmt.Errorf("%s: what it says makes no valid configuration: %w", file, err)
	}
	for _, w := range cfg.Warnings() {
		where := strings.Trim(strings.TrimPrefix(w.Field, "stages."+in.stage+".methods"), `[]"`)
		message := w.Message
		if w.Hint != "" {
			message += " (" + w.Hint + ")"
		}
		in.warnings = append(in.warnings, Warning{File: file, Where: where, Message: message})
	}
	return text, in.warnings, nil
}

func (in *importer) warn(n *node, where, format string, args ...any) {
	in.warnings = append(in.warnings, Warning{in.file, n.at(), where, fmt.Sprintf(format, args...)})
}

// head reads what kind of document it is, and what the API and its stage are called.
func (in *importer) head() error {
	openapi, swagger := in.doc.get("openapi").str(), in.doc.get("swagger").str()
	switch {
	case in.doc.kind != mapping || openapi == "" && swagger == "":
		return errors.New("this is neither an OpenAPI 3 nor a Swagger 2 document: it has no openapi and no swagger")
	case openapi != "" && !strings.HasPrefix(openapi, "3."):
		return fmt.Errorf("line %d: openapi %s is not supported, only 3.x", in.doc.get("openapi").at(), clip(openapi))
	case openapi == "" && swagger != "2.0" && swagger != "2":
		return fmt.Errorf("line %d: swagger %s is not supported, only 2.0", in.doc.get("swagger").at(), clip(swagger))
	}
	host, base := in.doc.get("host").str(), in.doc.get("basePath").str()
	if servers := in.doc.get("servers"); openapi != "" && servers.len() > 0 && len(servers.items) > 0 {
		host, base = server(servers.items[0])
	}
	if in.stage = in.o.Stage; in.stage == "" {
		if in.stage = strings.Trim(base, "/"); slug(in.stage) != in.stage || in.stage == "" {
			in.stage = "prod"
		}
	}
	if slug(in.stage) != in.stage || len(in.stage) > 128 {
		return fmt.Errorf("%q cannot be a stage's name: use 1 to 128 letters, digits, - or _", clip(in.stage))
	}
	in.api.Name = printable(in.doc.get("info", "title").str())
	if id, _, ok := strings.Cut(host, ".execute-api."); ok {
		in.api.ID = slug(id)
	}
	if in.api.ID == "" {
		in.api.ID = slug(strings.ToLower(in.api.Name))
	}
	if in.api.ID == "" {
		in.api.ID = "api"
	}
	if in.api.Name == "" {
		in.api.Name = in.api.ID
	}
	return nil
}

// server gives host and base path of an OpenAPI 3 server. API Gateway writes "https://ID.execute-api.REGION.amazonaws.com/{basePath}".
func server(s *node) (host, base string) {
	u := s.get("url").str()
	for _, name := range s.get("variables").keys() {
		u = strings.ReplaceAll(u, "{"+name+"}", strings.TrimPrefix(s.get("variables", name, "default").str(), "/"))
	}
	if _, rest, ok := strings.Cut(u, "://"); ok {
		u = rest
	}
	host, base, _ = strings.Cut(u, "/")
	return host, base
}

func (n *node) keys() []string {
	if n == nil {
		return nil
	}
	return n.names
}

// slug keeps of a name what an id may hold.
func slug(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			return c
		case c == ' ' || c == '.':
			return '-'
		}
		return -1
	}, s)
	return s[:min(len(s), 128)]
}

// printable replaces what a configuration does not take in a text.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

// clip bounds a document's text in a message.
func clip(s string) string {
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

// summary adds what is better said once than for every operation.
func (in *importer) summary() {
	for _, reason := range slices.Sorted(keysOf(in.skipped)) {
		in.warn(nil, "", "%s: %s", reason, some(in.skipped[reason]))
	}
	if len(in.open) > 0 {
		in.warn(nil, "", "the gateway checks nobody's credentials, so what an authorizer, IAM or an API key protected is as open as the backend leaves it: %s", some(in.open))
	}
	for _, name := range []string{
		"x-amazon-apigateway-policy", "x-amazon-apigateway-gateway-responses", "x-amazon-apigateway-request-validator",
		"x-amazon-apigateway-binary-media-types", "x-amazon-apigateway-minimum-compression-size", "x-amazon-apigateway-cors",
	} {
		if n := in.doc.get(name); n != nil {
			in.warn(n, "", "%s is not carried over", name)
		}
	}
	in.warn(nil, "", "the document does not say whether and how long its stages cache: every GET is cached for 300 s; set ttl and caching as your stage has them (aws apigateway get-stage)")
	in.warn(nil, "", "a route takes every method of its path; API Gateway answers 403 to those that the document does not name")
}

// some names the first of many.
func some(list []string) string {
	const most = 8
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

func keysOf(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
