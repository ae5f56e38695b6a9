package apigw

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// resource is one path of the API. The API has the paths of all stages, for API Gateway's stages share theirs.
type resource struct {
	path    string
	parent  string // path; "" for the root
	methods map[string]place
}

// place is where a method of a resource comes from: the first stage that has it.
type place struct {
	stage    *config.Stage
	settings config.Settings
	route    string // its template
	backend  *config.Backend
}

type resourceDoc struct {
	ID       string         `json:"id"`
	ParentID string         `json:"parentId,omitempty"`
	PathPart string         `json:"pathPart,omitempty"`
	Path     string         `json:"path"`
	Methods  map[string]any `json:"resourceMethods,omitempty"`
}

type methodDoc struct {
	HTTPMethod        string          `json:"httpMethod"`
	AuthorizationType string          `json:"authorizationType"`
	APIKeyRequired    bool            `json:"apiKeyRequired"`
	RequestParameters map[string]bool `json:"requestParameters,omitempty"`
	Integration       integrationDoc  `json:"methodIntegration"`
}

type integrationDoc struct {
	Type                string            `json:"type"`
	HTTPMethod          string            `json:"httpMethod"`
	URI                 string            `json:"uri"`
	ConnectionType      string            `json:"connectionType"`
	RequestParameters   map[string]string `json:"requestParameters,omitempty"`
	PassthroughBehavior string            `json:"passthroughBehavior"`
	TimeoutInMillis     int64             `json:"timeoutInMillis"`
	CacheNamespace      string            `json:"cacheNamespace"`
	CacheKeyParameters  []string          `json:"cacheKeyParameters"`
}

// resourceID makes an id out of a path, so that it is the same after a restart. API Gateway's have six to ten letters and digits.
func resourceID(path string) string { return shortID("resource " + path) }

func shortID(s string) string {
	sum := sha256.Sum256([]byte(s))
	id := strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
	return ("0000000000" + id)[len(id):][:10]
}

// deploymentID names what the file says about routes and methods: another file is another deployment.
func deploymentID(cfg *config.Config) string {
	var b strings.Builder
	for _, s := range cfg.Stages {
		b.WriteString("\nstage " + s.Name + " " + s.Mode + " " + s.BasePath)
		for _, r := range s.Routes {
			b.WriteString("\nroute " + r.Path + " " + r.Backend)
		}
		for _, m := range s.Methods {
			b.WriteString("\nmethod " + m.Entry())
		}
	}
	return shortID("deployment " + b.String())[:6]
}

// resources lists the paths of all stages and what lies above them, sorted.
func resources(cfg *config.Config) []*resource {
	byPath := make(map[string]*resource)
	var add func(path string) *resource
	add = func(path string) *resource {
		if r := byPath[path]; r != nil {
			return r
		}
		r := &resource{path: path, methods: make(map[string]place)}
		byPath[path] = r
		if path != "/" {
			r.parent = path[:strings.LastIndexByte(path, '/')]
			if r.parent == "" {
				r.parent = "/"
			}
			add(r.parent)
		}
		return r
	}
	add("/")
	for _, s := range cfg.Stages {
		var routes policy.Table[config.Route]
		for _, r := range s.Routes {
			if t, err := policy.ParseTemplate(r.Path); err == nil {
				_ = routes.Add(policy.Any, t, r) // the configuration has checked that no two are alike
			}
		}
		put := func(verb, path string, v config.Settings) {
			// A template is a path of its own kind: what matches it is what would serve it.
			route, _, _, ok := routes.Lookup(policy.Any, path)
			if !ok || cfg.Backends[route.Backend] == nil {
				return
			}
			r := add(path)
			if _, there := r.methods[verb]; !there {
				r.methods[verb] = place{s, v, route.Path, cfg.Backends[route.Backend]}
			}
		}
		for _, m := range s.Methods {
			put(m.Verb, m.Template, m.Settings)
		}
		for _, r := range s.Routes {
			put(policy.Any, r.Path, s.Default)
		}
	}
	var all []*resource
	for _, r := range byPath {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *resource) int { return strings.Compare(a.path, b.path) })
	return all
}

func (r *resource) document(embed bool) resourceDoc {
	d := resourceDoc{ID: resourceID(r.path), Path: r.path}
	if r.parent != "" {
		d.ParentID = resourceID(r.parent)
		d.PathPart = r.path[strings.LastIndexByte(r.path, '/')+1:]
	}
	for verb := range r.methods {
		if d.Methods == nil {
			d.Methods = make(map[string]any)
		}
		d.Methods[verb] = struct{}{}
		if embed {
			d.Methods[verb] = r.method(verb)
		}
	}
	return d
}

func (r *resource) method(verb string) methodDoc {
	d := methodDoc{HTTPMethod: verb, AuthorizationType: "NONE", Integration: r.integration(verb)}
	params := make(map[string]bool)
	for _, name := range parameters(r.path) {
		params["method.request.path."+name] = true
	}
	for _, p := range r.methods[verb].settings.CacheKeyParameters {
		if _, there := params[p]; !there && strings.HasPrefix(p, "method.") {
			params[p] = false
		}
	}
	if len(params) > 0 {
		d.RequestParameters = params
	}
	return d
}

func (r *resource) integration(verb string) integrationDoc {
	p := r.methods[verb]
	d := integrationDoc{
		Type: "HTTP_PROXY", HTTPMethod: verb, ConnectionType: "INTERNET", PassthroughBehavior: "WHEN_NO_MATCH",
		TimeoutInMillis: p.backend.Timeout.Milliseconds(), CacheNamespace: p.settings.CacheNamespace,
		CacheKeyParameters: append([]string{}, p.settings.CacheKeyParameters...),
	}
	if u := p.backend.URL; u != nil {
		d.URI = strings.TrimSuffix(u.String(), "/") + strings.ReplaceAll(r.path, "+}", "}")
	}
	if d.CacheNamespace == "" {
		d.CacheNamespace = resourceID(r.path)
	}
	for _, name := range parameters(r.path) {
		if d.RequestParameters == nil {
			d.RequestParameters = make(map[string]string)
		}
		d.RequestParameters["integration.request.path."+name] = "method.request.path." + name
	}
	return d
}

// parameters are the names in a template's braces.
func parameters(path string) []string {
	var out []string
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, strings.TrimSuffix(strings.TrimSuffix(name, "}"), "+"))
		}
	}
	return out
}
