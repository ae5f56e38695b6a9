package openapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stagecache/gateway/config"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// imported gives the configuration that a document comes to, and the warnings as lines.
func imported(t *testing.T, name string, data []byte, o Options) (*config.Config, string) {
	t.Helper()
	text, warnings, err := Import(name, data, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	cfg, err := config.Parse("stagecache.yaml", []byte(text), config.Options{SkipFiles: true})
	if err != nil {
		t.Fatalf("%s\n%s", err, text)
	}
	var b strings.Builder
	for _, w := range warnings {
		b.WriteString(w.String() + "\n")
	}
	return cfg, b.String()
}

// picture is what of a configuration matters to a reader of this test.
func picture(cfg *config.Config) []string {
	var out []string
	s := cfg.Stages[0]
	out = append(out, "api "+cfg.API.ID+" "+cfg.API.Name, "stage "+s.Name+" "+s.BasePath)
	for _, r := range s.Routes {
		b := cfg.Backends[r.Backend]
		out = append(out, "route "+r.Path+" "+b.URL.String()+" "+b.Timeout.String())
	}
	for _, m := range s.Methods {
		line := m.Verb + " " + m.Template + " " + m.Settings.Key.Mode + " [" + strings.Join(m.Settings.CacheKeyParameters, " ") + "]"
		if m.Settings.CacheNamespace != "" {
			line += " in " + m.Settings.CacheNamespace
		}
		if !m.Settings.Caching {
			line += " off"
		}
		out = append(out, line)
	}
	return out
}

func TestOpenAPI3AndSwagger2ComeToTheSame(t *testing.T) {
	want := []string{
		"api abc123 Pet store", "stage prod /prod",
		"route /pets http://pets.example.com/v1 5s", "route /pets/{petId} http://pets.example.com/v1 5s", "route /{proxy+} http://pets.example.com/v1 5s",
		"GET /pets declared [method.request.querystring.type method.request.querystring.page]",
		"GET /pets/{petId} declared [method.request.path.petId method.request.header.Accept-Language] in petsNS",
		"ANY /{proxy+} declared [method.request.path.proxy]",
	}
	for _, name := range []string{"petstore-oas3.json", "petstore-swagger2.yaml"} {
		cfg, warnings := imported(t, name, read(t, name), Options{})
		if d := cmp.Diff(want, picture(cfg)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for _, text := range []string{
			"being answered by mock integrations: OPTIONS /pets",
			"being integrations of Lambda or other AWS services (--backend URL sends them to one backend): POST /pets",
			"protected is as open as the backend leaves it: POST /pets",
			"every GET is cached for 300 s",
			"x-amazon-apigateway-gateway-responses is not carried over",
		} {
			if !strings.Contains(warnings, text) {
				t.Errorf("%s: no warning says %q:\n%s", name, text, warnings)
			}
		}
	}
}

// doc is a Swagger 2 document with these paths.
func doc(paths string) []byte {
	return []byte("swagger: '2.0'\ninfo: {title: T}\npaths:\n  " + strings.ReplaceAll(strings.TrimSpace(paths), "\n", "\n  ") + "\n")
}

func get(path, integration string) string {
	return path + ": {get: {x-amazon-apigateway-integration: {type: http_proxy, " + integration + "}}}\n"
}

func TestWhatCannotBeCarriedOverIsSaid(t *testing.T) {
	good := get("/good", "uri: 'http://b/good'")
	for _, c := range []struct {
		name, paths string
		warning     string
		picture     []string // of what stands beside /good
	}{
		{"another path", get("/a", "uri: 'http://b/other'"), `x:5: GET /a: left out: its uri "http://b/other" does not end with the path of the resource`, nil},
		{"a parameter from elsewhere", get("/a/{id}", "uri: 'http://b/a/{id}', requestParameters: {integration.request.path.id: method.request.querystring.id}"), "x:5: GET /a/{id}: left out: its uri takes {id} from method.request.querystring.id", nil},
		{"a renamed parameter", get("/a/{id}", "uri: 'http://b/v/a/{x}', requestParameters: {integration.request.path.x: method.request.path.id}"), "leaves {id} of /a/{id} out of the key", []string{"route /a/{id} http://b/v 29s", "GET /a/{id} declared []"}},
		{"a query", get("/a", "uri: 'http://b/a?x=1'"), "GET /a: left out: its uri adds a query", nil},
		{"a stage variable", get("/a", "uri: 'http://${stageVariables.host}/a'"), "GET /a: left out: its uri needs the stage variable host (--variable host=VALUE)", nil},
		{"a known stage variable", get("/a", "uri: 'http://${stageVariables.known}/a'"), "", []string{"route /a http://known.example 29s", "GET /a declared []"}},
		{"another method", get("/a", "httpMethod: POST, uri: 'http://b/a'"), "GET /a: left out: the backend would be asked with POST", nil},
		{"no URL", get("/a", "uri: 'ftp://b/a'"), "is no http or https URL", nil},
		{"a password", get("/a", "uri: 'http://u:p@b/a'"), "is no URL that a backend can have", nil},
		{"no integration", "/a: {get: {}}\n", "left out, having no x-amazon-apigateway-integration: GET /a", nil},
		{"unknown type", "/a: {get: {x-amazon-apigateway-integration: {type: carrier_pigeon}}}\n", `integration type "carrier_pigeon" is not known`, nil},
		{"a template that there cannot be", get("/a{id}b", "uri: 'http://b/a'"), "/a{id}b: left out:", nil},
		{"the same template twice", get("/a/{x}", "uri: 'http://b/a/{x}'") + get("/a/{y}", "uri: 'http://b/a/{y}'"), "/a/{y}: left out: it takes the same requests as /a/{x}", []string{"route /a/{x} http://b 29s", "GET /a/{x} declared []"}},
		{"two backends", "/a: {get: {x-amazon-apigateway-integration: {type: http_proxy, uri: 'http://b/a'}}, put: {x-amazon-apigateway-integration: {type: http_proxy, uri: 'http://c/a'}}}\n",
			"PUT /a: goes to http://b as the other methods of its path do, not to http://c", []string{"route /a http://b 29s", "GET /a declared []"}},
		{"another timeout", get("/a", "uri: 'http://b/a', timeoutInMillis: 5000") + get("/c", "uri: 'http://b/c', timeoutInMillis: 6000"), "its timeout of 6000 ms is not carried over",
			[]string{"route /a http://b 5s", "route /c http://b 5s", "GET /a declared []", "GET /c declared []"}},
		{"a mapping", get("/a", "uri: 'http://b/a', requestParameters: {integration.request.header.x: context.requestId}"), "the mapping of integration.request.header.x from context.requestId is not carried over", []string{"route /a http://b 29s", "GET /a declared []"}},
		{"a VPC link", get("/a", "uri: 'http://b/a', connectionType: VPC_LINK"), "behind a VPC link", []string{"route /a http://b 29s", "GET /a declared []"}},
		{"mappings", "/a: {get: {x-amazon-apigateway-integration: {type: http, uri: 'http://b/a'}}}\n", "becomes a proxy", []string{"route /a http://b 29s", "GET /a declared []"}},

		{"the body in the key", get("/a", "uri: 'http://b/a', requestParameters: {integration.request.header.x: method.request.body}, cacheKeyParameters: [integration.request.header.x, method.request.header.y]"),
			"GET /a: is not cached: method.request.body cannot be a part of the key", []string{"route /a http://b 29s", "GET /a declared [method.request.header.y] off"}},
		{"a mapped key", get("/a", "uri: 'http://b/a', requestParameters: {integration.request.header.x: method.request.querystring.q}, cacheKeyParameters: [integration.request.header.x]"),
			"the mapping of integration.request.header.x from method.request.querystring.q is not carried over", []string{"route /a http://b 29s", "GET /a declared [method.request.querystring.q]"}},
		{"a constant in the key", get("/a", `uri: 'http://b/a', requestParameters: {integration.request.header.x: "'one'"}, cacheKeyParameters: [integration.request.header.x]`),
			"the mapping of integration.request.header.x from 'one'", []string{"route /a http://b 29s", "GET /a declared []"}},
		{"a key from nowhere", get("/a", "uri: 'http://b/a', cacheKeyParameters: [integration.request.header.x]"), "requestParameters does not say where it comes from", []string{"route /a http://b 29s", "GET /a declared [] off"}},
		{"a path parameter that there is not", get("/a", "uri: 'http://b/a', cacheKeyParameters: [method.request.path.id]"), "method.request.path.id is left out of the key", []string{"route /a http://b 29s", "GET /a declared []"}},
		{"a multi-value key", get("/a", "uri: 'http://b/a', cacheKeyParameters: [method.request.multivaluequerystring.x]"), "GET /a: is not cached", []string{"route /a http://b 29s", "GET /a declared [] off"}},
		{"the key of another method", "/a: {post: {x-amazon-apigateway-integration: {type: http_proxy, uri: 'http://b/a', cacheKeyParameters: [method.request.header.x]}}}\n", "", []string{"route /a http://b 29s", "POST /a declared [method.request.header.x] off"}},
		{"API Gateway's pitfall", get("/a/{id}", "uri: 'http://b/a/{id}'"), "GET /a/{id}: key mode declared leaves {id} of /a/{id} out of the key: one path's answer is served for another", []string{"route /a/{id} http://b 29s", "GET /a/{id} declared []"}},
	} {
		cfg, warnings := imported(t, "x", doc(good+c.paths), Options{Variables: map[string]string{"known": "known.example"}})
		if !strings.Contains(warnings, c.warning) {
			t.Errorf("%s: no warning says %q:\n%s", c.name, c.warning, warnings)
		}
		if c.warning == "" && strings.Count(warnings, "\n") != 2 {
			t.Errorf("%s: warnings where there is nothing to say:\n%s", c.name, warnings)
		}
		var rest []string
		for _, line := range picture(cfg)[2:] {
			if !strings.Contains(line, " /good ") {
				rest = append(rest, line)
			}
		}
		if d := cmp.Diff(c.picture, rest); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestOneBackendForAll(t *testing.T) {
	cfg, _ := imported(t, "petstore-oas3.json", read(t, "petstore-oas3.json"), Options{Backend: "https://abc123.example.com/prod/", Stage: "cached"})
	want := []string{
		"api abc123 Pet store", "stage cached /cached",
		"route /pets https://abc123.example.com/prod 5s", "route /pets/{petId} https://abc123.example.com/prod 5s", "route /{proxy+} https://abc123.example.com/prod 5s",
	}
	if d := cmp.Diff(want, picture(cfg)[:5]); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	good := get("/a", "uri: 'http://b/a'")
	for _, c := range []struct {
		data string
		o    Options
		want string
	}{
		{"", Options{}, "the document is empty"},
		{"{", Options{}, "line 1: not valid JSON"},
		{"{\"openapi\": \"3.0.1\",\n\"paths\": {]}", Options{}, "line 2: not valid JSON"},
		{"{} {}", Options{}, "more after the document"},
		{"a: [", Options{}, "not valid YAML"},
		{"- a", Options{}, "neither an OpenAPI 3 nor a Swagger 2 document"},
		{"listen: x", Options{}, "neither an OpenAPI 3 nor a Swagger 2 document"},
		{"openapi: 4.0.0", Options{}, "line 1: openapi 4.0.0 is not supported"},
		{"swagger: '1.2'", Options{}, "line 1: swagger 1.2 is not supported"},
		{"swagger: '2.0'", Options{}, "has no paths"},
		{string(doc("/a: {get: {}}")), Options{}, "no route could be made of it (--backend URL sends every route to one backend)"},
		{string(doc(get("/a", "uri: 'http://b/c'"))), Options{}, "does not end with the path of the resource"},
		{string(doc(good)), Options{Stage: "a b"}, `"a b" cannot be a stage's name`},
		{string(doc(good)), Options{Backend: "nowhere"}, "makes no valid configuration"},
		{strings.Repeat("[", 300) + strings.Repeat("]", 300), Options{}, "nested"},
		{"{\"a\":" + strings.Repeat("[", 300), Options{}, "nested"},
	} {
		_, _, err := Import("x", []byte(c.data), c.o)
		if err == nil || !strings.HasPrefix(err.Error(), "x: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.data, err, c.want)
		}
	}
}

// A few lines of aliases can mean more values than there is memory for.
func TestAliasesDoNotMultiplyWithoutBound(t *testing.T) {
	text := "swagger: '2.0'\na0: &a0 [x]\n"
	for i := 1; i < 40; i++ {
		n := string(rune('0'+i/10)) + string(rune('0'+i%10))
		p := string(rune('0'+(i-1)/10)) + string(rune('0'+(i-1)%10))
		if i == 1 {
			p = "0"
		}
		text += "a" + n + ": &a" + n + " [*a" + p + ", *a" + p + "]\n"
	}
	if _, _, err := Import("x", []byte(text), Options{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

// Texts of a document stay texts.
func TestNothingInADocumentBecomesYAML(t *testing.T) {
	for _, title := range []string{"a: b", "# x", "\"}\nlisten: 0.0.0.0:80", "it's \\ \"q\"", "\u2028\u00a0\ufeff", "{{x}}", "*a", "emoji \U0001f600", "- x", "null"} {
		data := []byte(`{"swagger":"2.0","info":{"title":` + quote(title) + `},"paths":{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"http_proxy","uri":"http://b/a","cacheNamespace":` + quote(title) + `}}}}}`)
		cfg, _ := imported(t, "x", data, Options{})
		title = strings.ReplaceAll(title, "\n", " ")
		if cfg.API.Name != title || cfg.Stages[0].Methods[0].Settings.CacheNamespace != title || cfg.Listen != "127.0.0.1:8080" {
			t.Errorf("%q became %q and %q", title, cfg.API.Name, cfg.Stages[0].Methods[0].Settings.CacheNamespace)
		}
	}
}
