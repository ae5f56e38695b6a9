package gateway

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/identity"
	"stagecache/gateway/metrics"
	"stagecache/gateway/policy"
)

// exchange is one request on its way through the gateway. It belongs to the request's goroutine alone.
type exchange struct {
	g     *Gateway
	state *state // the configuration it began with, and ends with
	w     response
	r     *http.Request
	begun time.Time

	fields        fields
	client        client
	scheme        string // as the client sees it
	host          string // clean
	forwardedHost string // what the backend is told; a trusted proxy may have seen another
	header        http.Header
	path          string // escaped, with the base path
	below         string // escaped, without it; begins with "/"

	stage   *stage
	route   *route
	backend *backend
	m       *method
	store   *engine.Store
	// template is the settings' own; nil where they are the stage's default.
	template *policy.Template
	// unsettled tells that the backend may take the path for another one, with other settings.
	unsettled bool

	verb    string // GET for HEAD
	head    bool
	query   string // keyed and forwarded
	body    []byte // of a request whose method is cached though it has one
	auth    bool   // it carries an Authorization that is forwarded and not keyed
	cookies bool   // ... cookies

	claim *identity.Claim // a credential of ours; nil: there is none
	paid  bool            // the demand to refresh was taken from the caller's rate

	target []byte            // the key under which the answer to this request is looked for; one of key and variant
	want   policy.Directives // mode http: what the request's Cache-Control asks for
	warn   bool              // its Cache-Control was ignored, and it is to be told
	result string
	series *metrics.Series // nil until the route is known

	glancing bool // it is looked for in memory only, and goes another way if it is not there

	first found // what the first lookup found
	plain bool  // it was answered from a fresh entry: nothing of it is known to anybody else

	*buffers
}

// buffers are the parts of an exchange that are worth keeping.
type buffers struct {
	key     []byte // of the resource
	variant []byte // of the variant, if the resource has some
	value   []byte // what the store gave
	text    []byte // what a hit adds to a stored header
}

// maxKept is how large a value's buffer may be to be kept for the next request.
const maxKept = 256 << 10

var exchanges = sync.Pool{New: func() any { return &exchange{buffers: &buffers{}} }}

// release keeps what the next request may use: the buffers, and the exchange itself if nobody else can have a pointer to it.
func (x *exchange) release() {
	b := x.buffers
	if cap(b.value) > maxKept {
		b.value = nil
	}
	if x.plain {
		*x = exchange{buffers: b}
	} else {
		x = &exchange{buffers: b}
	}
	exchanges.Put(x)
}

// copyBuffer is the size of the buffers through which bodies are copied.
const copyBuffer = 32 << 10

// copyBuffers also serves the reverse proxy, as its BufferPool.
type copyBuffers struct{ pool sync.Pool }

var copyPool = &copyBuffers{sync.Pool{New: func() any { return new([copyBuffer]byte) }}}

func (p *copyBuffers) Get() []byte { return p.pool.Get().(*[copyBuffer]byte)[:] }

func (p *copyBuffers) Put(b []byte) {
	if len(b) == copyBuffer {
		p.pool.Put((*[copyBuffer]byte)(b))
	}
}

// classify finds out what of a cacheable request belongs to its client alone.
func (x *exchange) classify() {
	m := x.m
	x.auth = x.has(hasAuthorization) && !m.keysAuth && len(x.header["Authorization"]) > 0 && m.forwards("Authorization")
	x.cookies = x.has(hasCookie) && !m.keysCookie && !m.onlyKeyedCookies && len(x.header["Cookie"]) > 0 && m.forwards("Cookie") && !allKeyed(x.header["Cookie"], m.cookies)
}

// allKeyed tells whether every cookie of a request is part of the key. What is not a plain name=value is not: a backend may
// read something into it that the key does not hold.
func allKeyed(lines, names []string) bool {
	if len(lines) != 1 {
		return len(lines) == 0 // several lines are joined by some backends and not by others
	}
	for pair := range strings.SplitSeq(lines[0], ";") {
		name, _, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || name == "" || !contains(names, name) {
			return false
		}
	}
	return true
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// buildKey makes the cache key.
func (x *exchange) buildKey() {
	m := x.m
	if m.Key.Mode == config.KeyDeclared {
		x.key = policy.AppendDeclaredKey(x.key[:0], policy.DeclaredInput{
			Namespace: x.namespace(), Method: x.verb, Parts: append(x.declaredParts(), x.origin()),
		})
		return
	}
	in := policy.KeyInput{Method: x.verb, Scheme: x.scheme, Host: x.host, Path: x.path, Query: x.query}
	if x.forwardedHost != x.host {
		// A comma is in no clean host. The backend sees both names, so both are keyed.
		in.Host = x.host + "," + x.forwardedHost
	}
	for _, name := range m.headers {
		values, present := x.sent(name)
		in.Headers = append(in.Headers, policy.NamedValues{Name: name, Values: values, Present: present})
	}
	if x.body != nil {
		// A method that is cached although it has a body: another body, or the same bytes meant otherwise, is another entry.
		sum := sha256.Sum256(x.body)
		in.Headers = append(in.Headers, policy.NamedValues{Name: ":body", Values: []string{string(sum[:])}, Present: true})
		for _, name := range bodyFields {
			values, present := x.header[name]
			in.Headers = append(in.Headers, policy.NamedValues{Name: name, Values: values, Present: present})
		}
	}
	for _, name := range m.cookies {
		values := policy.Cookie(x.header["Cookie"], name)
		in.Cookies = append(in.Cookies, policy.NamedValues{Name: name, Values: values, Present: len(values) > 0})
	}
	x.key = policy.AppendKey(x.key[:0], in)
}

// origin is the part of a declared key that the settings do not declare: the backend is told scheme and host in X-Forwarded-*,
// and a client may write into Host what it likes.
func (x *exchange) origin() policy.NamedValues {
	return policy.NamedValues{Name: ":origin", Values: []string{x.scheme, x.host, x.forwardedHost}, Present: true}
}

// namespace is where a declared key lives: by default the resource's template, as each of API Gateway's resources has its own.
func (x *exchange) namespace() string {
	switch {
	case x.m.CacheNamespace != "":
		return x.m.CacheNamespace
	case x.m.template != "":
		return x.m.template
	}
	return x.route.template
}

func (x *exchange) declaredParts() []policy.NamedValues {
	parts := make([]policy.NamedValues, 0, len(x.m.declared))
	for _, p := range x.m.declared {
		part := policy.NamedValues{Name: p.String()}
		switch p.Location {
		case policy.InPath:
			part.Values = x.pathParam(p.Name)
			part.Present = len(part.Values) > 0
		case policy.InQuery:
			part.Values = policy.QueryValues(x.query, p.Name)
			part.Present = len(part.Values) > 0
		case policy.InHeader:
			part.Values, part.Present = x.sent(http.CanonicalHeaderKey(p.Name))
		}
		parts = append(parts, part)
	}
	return parts
}

// pathParam looks a parameter up in the template of the settings, then in the route's.
func (x *exchange) pathParam(name string) []string {
	_, tpl, _ := x.stage.routes.Find(policy.Any, x.below)
	for _, t := range []*policy.Template{x.template, tpl} {
		if t == nil {
			continue
		}
		params, _ := t.Match(x.below)
		for _, p := range params {
			if p.Name == name {
				return []string{p.Value}
			}
		}
	}
	return nil
}

// conditional tells whether the client asked for less than the whole answer.
func (x *exchange) conditional() bool {
	if !x.has(hasCondition | hasRange) {
		return false
	}
	h := x.r.Header
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil || h["Range"] != nil ||
		h["If-Match"] != nil || h["If-Unmodified-Since"] != nil
}

// validates tells that all that the client wants to know is whether what it has is still good: a condition that the gateway can
// judge by any answer that it has, stored or not.
func (x *exchange) validates() bool {
	h := x.r.Header
	return x.verb == http.MethodGet && (h["If-None-Match"] != nil || h["If-Modified-Since"] != nil) &&
		h["Range"] == nil && h["If-Match"] == nil && h["If-Unmodified-Since"] == nil
}

// maxKeyedBody is how large the body of a request may be for its answer to be cached.
const maxKeyedBody = 64 << 10

// readBody takes the body of a request whose method is cached by an explicit override. It reports false if the body is too
// large for that; the request then goes on as it came.
func (x *exchange) readBody() (ok bool, err error) {
	x.w.stream() // the client takes its time, within what each read may take
	in := x.requestBody(nil)
	b, err := io.ReadAll(io.LimitReader(in, maxKeyedBody+1))
	if err != nil {
		return false, err
	}
	if len(b) > maxKeyedBody {
		x.r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(b), x.r.Body), x.r.Body}
		return false, nil
	}
	x.body = b
	return true, nil
}
