package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stagecache/gateway/policy"
)

func (in *importer) paths() error {
	paths := in.doc.get("paths")
	if paths == nil || paths.kind != mapping || len(paths.names) == 0 {
		return errors.New("the document has no paths")
	}
	shapes := make(map[string]string)
	for _, path := range paths.names {
		item := paths.get(path)
		if strings.HasPrefix(path, "x-") {
			continue
		}
		clean := path
		if len(path) > 1 {
			clean = strings.TrimRight(path, "/")
		}
		t, err := policy.ParseTemplate(clean)
		if err != nil {
			in.warn(item, clip(path), "left out: %v", err)
			continue
		}
		shape := shapeOf(t)
		if first, twice := shapes[shape]; twice {
			in.warn(item, clip(path), "left out: it takes the same requests as %s", clip(first))
			continue
		}
		shapes[shape] = path
		if item.get("$ref") != nil {
			in.warn(item, clip(path), "left out: a path item that is a $ref is not followed")
			continue
		}
		in.path(clean, t, item)
	}
	if len(in.routes) == 0 {
		in.summary()
		return errors.Join(errors.New("no route could be made of it (--backend URL sends every route to one backend)"), in.reasons())
	}
	return nil
}

// reasons is what was found on the way to nothing.
func (in *importer) reasons() error {
	var lines []string
	for _, w := range in.warnings {
		if w.Line > 0 || strings.Contains(w.Message, "left out") {
			lines = append(lines, w.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(some(lines))
}

func shapeOf(t *policy.Template) string {
	shape := t.String()
	for _, p := range t.Params() {
		shape = strings.ReplaceAll(strings.ReplaceAll(shape, "{"+p+"}", "{}"), "{"+p+"+}", "{+}")
	}
	return shape
}

// path makes a route of the first operation whose backend is known, and entries of those that may be cached.
func (in *importer) path(path string, t *policy.Template, item *node) {
	var to *backend
	for _, v := range verbsOf {
		op := item.get(v.field)
		if op == nil {
			continue
		}
		where := v.verb + " " + path
		if in.protected(op) {
			in.open = append(in.open, where)
		}
		integration := in.follow(op.get(integrationKey))
		b := in.target(where, v.verb, path, op, integration)
		if b == nil {
			continue
		}
		switch {
		case to == nil:
			to = b
			in.routes = append(in.routes, route{path, b})
		case to != b:
			in.warn(integration, where, "goes to %s as the other methods of its path do, not to %s: a route has one backend", to.url, b.url)
		}
		in.entry(where, v.verb, path, t, integration)
	}
}

// follow resolves a reference to another part of the document.
func (in *importer) follow(n *node) *node {
	ref, ok := strings.CutPrefix(n.get("$ref").str(), "#/")
	if !ok {
		return n
	}
	to := in.doc
	for part := range strings.SplitSeq(ref, "/") {
		to = to.get(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	return to
}

// protected tells whether an operation asks for a credential.
func (in *importer) protected(op *node) bool {
	if t := op.get("x-amazon-apigateway-auth", "type").str(); t != "" && !strings.EqualFold(t, "NONE") {
		return true
	}
	security := op.get("security")
	if security == nil {
		security = in.doc.get("security")
	}
	return security.len() > 0 && !slices.ContainsFunc(security.items, func(n *node) bool { return n.len() == 0 })
}

func (in *importer) skip(reason, where string) *backend {
	in.skipped[reason] = append(in.skipped[reason], where)
	return nil
}

// entry makes the settings of an operation. GET and ANY always get one, also without key parameters: otherwise those of a wider
// template would count. Other methods are cached only where a stage says so, which the document does not know.
func (in *importer) entry(where, verb, path string, t *policy.Template, integration *node) {
	params, complete := in.keyParameters(where, t, integration)
	e := entry{verb: verb, path: path, params: params, namespace: printable(integration.get("cacheNamespace").str())}
	off := false
	switch {
	case verb == "HEAD" || verb != "GET" && verb != policy.Any && len(params) == 0:
		return
	case !complete || verb != "GET" && verb != policy.Any:
		e.caching = &off
	}
	in.entries = append(in.entries, e)
}

// keyParameters gives the parts of an operation's cache key, and whether these are all of it.
func (in *importer) keyParameters(where string, t *policy.Template, integration *node) (params []string, complete bool) {
	list, complete := integration.get("cacheKeyParameters"), true
	if list == nil {
		return nil, true
	}
	for _, n := range list.items {
		name := n.str()
		from := name
		if strings.HasPrefix(name, "integration.request.") {
			from = integration.get("requestParameters", name).str()
			if strings.HasPrefix(from, "'") && strings.HasSuffix(from, "'") {
				continue // the same text for every request
			}
			if from == "" {
				in.warn(n, where, "is not cached: %s is in its key, but requestParameters does not say where it comes from", clip(name))
				complete = false
				continue
			}
		}
		p, err := policy.ParseKeyParameter(from)
		switch {
		case err != nil:
			in.warn(n, where, "is not cached: %s cannot be a part of the key (%v)", clip(from), err)
			complete = false
		case p.Location == policy.InPath && !slices.Contains(t.Params(), p.Name):
			in.warn(n, where, "%s is left out of the key: the path has no such parameter", clip(from))
		case !slices.Contains(params, from):
			params = append(params, from)
		}
	}
	if len(params) > maxParams {
		in.warn(list, where, "is not cached: it has %d key parameters, more than %d", len(params), maxParams)
		return nil, false
	}
	return params, complete
}

// maxParams is what a configuration takes in one list.
const maxParams = 256

func (b *backend) String() string { return fmt.Sprintf("%s (%s)", b.name, b.url) }
