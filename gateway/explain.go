package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// noWriter is what an explained request would be answered through: nothing is.
type noWriter struct{ header http.Header }

func (w noWriter) Header() http.Header         { return w.header }
func (w noWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w noWriter) WriteHeader(int)             {}

// Explain says what would become of a request to a stage. It takes the request through the same steps as serve does, and stops
// where something would happen.
func (g *Gateway) Explain(_ context.Context, stage string, q control.ExplainRequest) (control.Explanation, error) {
	x, p, err := g.imagine(stage, q)
	if err != nil {
		return control.Explanation{}, err
	}
	e := control.Explanation{Method: q.Method, URL: x.r.URL.String(), Key: []control.KeyPart{}}
	e.Stage, e.Mode, e.BasePath = stage, x.stage.cfg.Mode, x.stage.cfg.BasePath
	if p != nil {
		e.Next = control.Next{Outcome: "refused", Why: p.message}
		return e, nil
	}
	e.Route, e.Backend, e.Entry = x.route.template, x.backend.cfg.Name, "*"
	for _, m := range x.stage.cfg.Methods {
		if used, _ := x.stage.settings(x.verb, x.below); x.m == used && used != x.stage.def && m.Template == used.template && (m.Verb == x.verb || m.Verb == policy.Any) {
			e.Entry = m.Verb + " " + m.Template
			if m.Verb == x.verb {
				break
			}
		}
	}
	e.BackendURL = x.outURL(x.r.URL.RawQuery).Redacted()
	if x.store = x.stage.store.Load(); x.explainBypass(&e) {
		return e, nil
	}
	if name, found := beyondASCII(x.header); found {
		e.Next = control.Next{Outcome: "refused", Why: "the header " + name + " holds bytes beyond ASCII"}
		return e, nil
	}
	if x.m.http {
		x.want = policy.RequestDirectives(x.header)
	}
	x.findClaim()
	x.dropClaim()
	x.name()
	e.BackendURL = x.outURL(x.query).Redacted()
	e.Key = x.keyParts()
	x.explainStored(&e)
	return e, nil
}

// imagine takes a request to a stage as far as stage, route and settings. The problem is what refuses it after the stage was found.
func (g *Gateway) imagine(stage string, q control.ExplainRequest) (*exchange, *problem, error) {
	s := g.state.Load()
	r, err := explained(s, stage, q)
	if err != nil {
		return nil, nil, err
	}
	x := &exchange{g: g, state: s, r: r, begun: time.Now(), result: "-", buffers: &buffers{}}
	x.w = response{ResponseWriter: noWriter{make(http.Header)}, perWrite: g.o.WriteTimeout}
	if p := x.accept(); p != nil {
		return nil, nil, &control.Error{Status: http.StatusBadRequest, Message: "the gateway refuses this request: " + p.message}
	}
	p := x.find()
	if x.stage == nil || x.stage.name != stage {
		other := ""
		if x.stage != nil {
			other = x.stage.name
		}
		return nil, nil, control.NotThisStage(stage, r.URL.String(), other)
	}
	return x, p, nil
}

// explained makes the request that an explanation is about.
func explained(s *state, stage string, q control.ExplainRequest) (*http.Request, error) {
	bad := func(format string, args ...any) error {
		return &control.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), HintText: "write /products/1 or http://127.0.0.1:8080/prod/products/1"}
	}
	u, err := url.Parse(q.URL)
	if err != nil {
		return nil, bad("%q is not a URL", q.URL)
	}
	r := &http.Request{Method: q.Method, URL: u, Host: u.Host, Header: make(http.Header), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	for name, values := range q.Header {
		if name = textproto.CanonicalMIMEHeaderKey(name); name == "Host" && len(values) > 0 {
			if r.Host == "" {
				r.Host = values[0]
			}
			continue
		}
		r.Header[name] = values
	}
	for _, st := range s.stages {
		if st.name != stage {
			continue
		}
		if r.Host == "" {
			if r.Host = s.cfg.Listen; len(st.hosts) > 0 {
				r.Host = st.hosts[0]
			}
		}
		if u.Host == "" {
			if !strings.HasPrefix(u.Path, "/") {
				return nil, bad("the path %q does not begin with /", q.URL)
			}
			if _, below := st.below(u.EscapedPath()); !below {
				u.Path, u.RawPath = st.base+u.Path, st.base+u.EscapedPath()
			}
			u.Scheme, u.Host = "http", r.Host
			if s.cfg.TLS.CertFile != "" {
				u.Scheme = "https"
			}
		}
	}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{} // the scheme is a part of the key
	}
	r.RequestURI = u.RequestURI()
	return r, nil
}

// explainBypass tells why the cache has no part in a request, if it has none.
func (x *exchange) explainBypass(e *control.Explanation) bool {
	why := ""
	switch {
	case !x.stage.cfg.Cache.Enabled:
		why = "the stage's cache is off (cache.enabled)"
	case x.store == nil:
		why = "the stage's store is being reopened"
	case !x.m.Caching:
		why = "caching is off for this entry"
	case !x.m.on():
		why = "the ttl of this entry is 0"
	case !x.m.caches(x.verb):
		why = "answers to " + x.verb + " are not cached unless an entry for that method says so"
	case x.unsettled:
		why = "the backend may take the path for another one, with other settings"
	case x.r.Header["Upgrade"] != nil:
		why = "the request asks for another protocol"
	}
	for _, accept := range x.r.Header["Accept"] {
		if strings.Contains(strings.ToLower(accept), "text/event-stream") {
			why = "the request asks for a stream of events"
		}
	}
	if why != "" {
		e.Next = control.Next{Outcome: "bypass", Why: why}
	}
	return why != ""
}

// keyParts lists what the key is made of.
func (x *exchange) keyParts() []control.KeyPart {
	of := func(name string, values ...string) control.KeyPart {
		return control.KeyPart{Name: name, Values: values}
	}
	named := func(kind string, v policy.NamedValues) control.KeyPart {
		p := of(kind + v.Name)
		p.Values, p.Absent = append([]string{}, v.Values...), !v.Present
		return p
	}
	parts := []control.KeyPart{of("method", x.verb)}
	if x.m.Key.Mode == config.KeyDeclared {
		parts = append(parts, of("namespace", x.namespace()))
		for _, p := range append(x.declaredParts(), x.origin()) {
			parts = append(parts, named("", p))
		}
		return parts
	}
	parts = append(parts, of("scheme", x.scheme), of("host", x.host), of("path", x.path), of("query", x.query))
	if x.forwardedHost != x.host {
		parts = append(parts, of("forwarded host", x.forwardedHost))
	}
	for _, name := range x.m.headers {
		values, present := x.sent(name)
		parts = append(parts, named("header ", policy.NamedValues{Name: name, Values: values, Present: present}))
	}
	for _, name := range x.m.cookies {
		values := policy.Cookie(x.header["Cookie"], name)
		parts = append(parts, named("cookie ", policy.NamedValues{Name: name, Values: values, Present: len(values) > 0}))
	}
	return parts
}

// explainStored looks at what is stored, and says what it comes to.
func (x *exchange) explainStored(e *control.Explanation) {
	var names []string
	variants := 0
	absent := x.store.WhyMissing(x.key) // before anything is looked up
	if first, ok := x.get(x.key); ok && stored.IsMarker(first.Value) {
		if m, err := stored.DecodeMarker(first.Value); err == nil {
			names, variants = m.Names, len(m.IDs)
			h := x.variantHeader(names)
			for _, name := range names {
				values, present := h[textproto.CanonicalMIMEHeaderKey(name)]
				e.Key = append(e.Key, control.KeyPart{Name: "vary " + name, Values: append([]string{}, values...), Absent: !present})
			}
		}
	}
	if len(names) > 0 {
		x.useVariant(names, x.variantHeader(names))
		absent = x.store.WhyMissing(x.variant)
	}
	f, why := x.lookup()
	if f == nil {
		e.Next = x.missing(why, variants, absent)
		return
	}
	now, a := x.g.now(), f.answer
	var h = make(http.Header)
	a.CopyTo(h, nil, 0)
	e.Stored = &control.StoredEntry{
		Status: a.Status, StoredAt: f.entry.Stored.UTC(), AgeSeconds: policy.Age(f.entry.Stored, now, a.InitialAge),
		TTLSeconds: f.entry.Expires.Sub(now).Seconds(), RetainedSeconds: f.entry.Retain.Sub(now).Seconds(), Stale: f.entry.Stale,
		Encrypted: !f.entry.Plain, SizeBytes: len(a.Body), Tier: f.entry.Tier.String(), Tags: append([]string{}, policy.Tags(h)...),
		ETag: a.Get("Etag"), LastModified: a.Get("Last-Modified"), Vary: append([]string{}, names...), Variants: variants,
	}
	e.Next = x.next(f)
	if !x.m.http && policy.ClientRefresh(policy.RequestDirectives(x.header)) {
		e.Next.Why += "; a client that may refresh entries gets the backend's answer (Cache-Control: max-age=0)"
	}
}

// missing says why there is nothing, and what is known of the answer to come.
func (x *exchange) missing(why string, variants int, absent engine.Absence) control.Next {
	n := control.Next{Outcome: "miss", Reason: "never-stored"}
	switch {
	case absent == engine.Purged:
		n.Reason, n.Why = "purged", "what was stored was purged"
	case absent == engine.Expired:
		n.Reason, n.Why = "expired", "what was stored has expired, and is of no more use"
	case why == policy.ForwardVaryMiss:
		n.Reason, n.Why = "vary", fmt.Sprintf("%d variants of the resource are stored, but none for these request headers", variants)
	case x.stage.marks.has(x.classKey()):
		n.Reason, n.Why = "uncacheable", "the last answer, in the past two minutes, was not one to store, or not for others (its Cache-Status has the reason)"
	default:
		n.Why = "nothing is stored under this key: it was never asked for, its answer could not be stored, or it was evicted or flushed"
		if x.m.Encrypt {
			if e, err := x.store.Get(nil, x.key); err == nil && e.Plain {
				n.Reason, n.Why = "plain", "what is stored is not encrypted, and the settings now ask for encryption"
			}
		}
	}
	switch {
	case x.want.OnlyIfCached:
		n.Why += "; the request takes only what is stored, and gets a 504"
	case x.want.NoStore:
		n.Why += "; the answer is not stored, for the request says no-store"
	case policy.Oversized(x.header):
		n.Why += "; the answer is not stored, for the request's header is large enough to provoke an error"
	}
	return n
}

// next says what an entry is good for.
func (x *exchange) next(f *found) control.Next {
	validate := control.Next{Outcome: "miss", Reason: "stale"}
	if validatorsOf(f.answer).Usable() {
		validate.Outcome = "validate"
	}
	if x.auth && !f.answer.Terms.ForCredentials {
		return control.Next{Outcome: "miss", Reason: "credentials", Why: "the request has credentials, and the stored answer is for requests without (RFC 9111 3.5)"}
	}
	over := "its freshness is over"
	if f.entry.Stale && f.entry.Expires.After(x.g.now()) {
		over = "it was softly purged"
	}
	switch x.reuse(f) {
	case policy.Serve:
		return control.Next{Outcome: "hit", Why: "the entry is fresh"}
	case policy.ServeStale:
		return control.Next{Outcome: "stale", Why: over + ", and the request takes that (max-stale)"}
	case policy.Refresh:
		return control.Next{Outcome: "stale", Why: over + ", but it may be used while it is fetched anew (stale-while-revalidate)"}
	}
	switch {
	case !f.entry.Stale:
		validate.Reason = "request"
		validate.Why = "the entry is fresh, but the request's Cache-Control asks for more"
	case f.answer.Terms.NeverStale:
		validate.Why = over + ", and the backend's Cache-Control forbids to use it stale"
	default:
		validate.Why = over
	}
	if validate.Outcome == "miss" {
		validate.Why += "; it has no validator, so it is fetched as a whole"
	}
	return validate
}

var _ interface {
	Explain(context.Context, string, control.ExplainRequest) (control.Explanation, error)
} = (*Gateway)(nil)
