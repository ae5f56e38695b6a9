package openapi

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"stagecache/gateway/policy"
)

// target finds the backend of an operation, or says why there is none. The gateway asks a backend for its URL's path with the request's path after it,
// so a uri is good if it ends with the path of its resource.
func (in *importer) target(where, verb, path string, op, integration *node) *backend {
	if in.o.Backend != "" {
		return in.backend(strings.TrimSuffix(in.o.Backend, "/"), integration.get("timeoutInMillis"), where)
	}
	if integration == nil {
		return in.skip("left out, having no "+integrationKey, where)
	}
	switch kind := strings.ToLower(integration.get("type").str()); kind {
	case "http_proxy":
	case "http":
		in.warn(integration, where, "becomes a proxy: the request and response mappings of an HTTP integration are not carried over")
	case "mock":
		return in.skip("left out, being answered by mock integrations", where)
	case "aws_proxy", "aws":
		return in.skip("left out, being integrations of Lambda or other AWS services (--backend URL sends them to one backend)", where)
	default:
		in.warn(integration, where, "left out: integration type %q is not known", clip(kind))
		return nil
	}
	if m := strings.ToUpper(integration.get("httpMethod").str()); m != "" && m != verb && m != policy.Any && m != "ANY" {
		in.warn(integration.get("httpMethod"), where, "left out: the backend would be asked with %s, and the gateway does not change methods", clip(m))
		return nil
	}
	if integration.get("connectionType").str() == "VPC_LINK" {
		in.warn(integration.get("connectionType"), where, "its backend is behind a VPC link: see that the gateway can reach it")
	}
	uri := in.variables(integration.get("uri").str())
	base, problem := backendURL(uri, path, integration.get("requestParameters"))
	if problem != "" {
		in.warn(integration.get("uri"), where, "left out: %s", problem)
		return nil
	}
	in.mappings(where, integration.get("requestParameters"))
	return in.backend(base, integration.get("timeoutInMillis"), where)
}

var stageVariable = regexp.MustCompile(`\$\{stageVariables\.([A-Za-z0-9_]+)\}`)

func (in *importer) variables(uri string) string {
	return stageVariable.ReplaceAllStringFunc(uri, func(s string) string {
		if v, ok := in.o.Variables[stageVariable.FindStringSubmatch(s)[1]]; ok {
			return v
		}
		return s
	})
}

// backendURL cuts a resource's path off the end of its integration's uri. The second result says why that cannot be done.
func backendURL(uri, path string, mapped *node) (base, problem string) {
	if m := stageVariable.FindStringSubmatch(uri); m != nil {
		return "", "its uri needs the stage variable " + m[1] + " (--variable " + m[1] + "=VALUE)"
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return "", "its uri " + strconv.Quote(clip(uri)) + " is no http or https URL"
	}
	host, below, _ := strings.Cut(rest, "/")
	below, query, _ := strings.Cut("/"+below, "?")
	if query != "" {
		return "", "its uri adds a query, which the gateway does not"
	}
	// The uri names its own parameters; requestParameters says which of the method's each one is.
	parts := strings.Split(strings.TrimSuffix(below, "/"), "/")
	for i, part := range parts {
		name, isParam := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		if !isParam || !closed {
			continue
		}
		name = strings.TrimSuffix(name, "+")
		from := mapped.get("integration.request.path." + name).str()
		if method, ok := strings.CutPrefix(from, "method.request.path."); ok {
			name = method
		} else if from != "" {
			return "", "its uri takes {" + clip(name) + "} from " + clip(from)
		}
		parts[i] = "{" + name + "}"
	}
	below = strings.Join(parts, "/")
	want := strings.TrimSuffix(strings.ReplaceAll(path, "+}", "}"), "/")
	prefix, ok := strings.CutSuffix(below, want)
	if !ok || strings.ContainsAny(prefix, "{}") || want == "" && strings.ContainsAny(below, "{}") {
		return "", "its uri " + strconv.Quote(clip(uri)) + " does not end with the path of the resource, and the gateway rewrites no paths"
	}
	base = scheme + "://" + host + prefix
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.User != nil {
		return "", "its uri " + strconv.Quote(clip(uri)) + " is no URL that a backend can have"
	}
	return base, ""
}

// mappings warns of what would be sent to the backend beside the request itself.
func (in *importer) mappings(where string, mapped *node) {
	for _, to := range mapped.keys() {
		from := mapped.get(to).str()
		if strings.TrimPrefix(to, "integration.") == strings.TrimPrefix(from, "method.") || strings.HasPrefix(to, "integration.request.path.") {
			continue
		}
		in.warn(mapped.get(to), where, "the mapping of %s from %s is not carried over: the backend gets the request as it came", clip(to), clip(from))
	}
}

// backend gives the one with this URL, made if need be.
func (in *importer) backend(base string, timeout *node, where string) *backend {
	millis := timeout.str()
	if n, err := strconv.Atoi(millis); err != nil || n < 50 || n > 3_600_000 {
		millis = ""
	}
	for _, b := range in.backends {
		if b.url != base {
			continue
		}
		if millis != "" && b.millis != millis {
			if b.millis != "" {
				in.warn(timeout, where, "its timeout of %s ms is not carried over: the backend has one of %s ms", millis, b.millis)
			} else {
				b.millis = millis
			}
		}
		return b
	}
	name := "backend"
	if u, err := url.Parse(base); err == nil && slug(u.Hostname()) != "" {
		name = slug(u.Hostname())
		name = name[:min(len(name), 100)]
	}
	for i, first := 2, name; in.named(name); i++ {
		name = first + "-" + strconv.Itoa(i)
	}
	b := &backend{name: name, url: base, millis: millis}
	in.backends = append(in.backends, b)
	return b
}

func (in *importer) named(name string) bool {
	for _, b := range in.backends {
		if b.name == name {
			return true
		}
	}
	return false
}
