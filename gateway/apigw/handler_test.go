package apigw

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadingTheAPI(t *testing.T) {
	r := newRig(t)
	api := r.do("GET", "/restapis", "").v["item"].([]any)[0].(map[string]any)
	if api["id"] != "shop" || api["name"] != "The shop" {
		t.Errorf("got %v", api)
	}
	if got := r.do("GET", "/restapis/shop", "").v; got["rootResourceId"] != resourceID("/") {
		t.Errorf("got %v", got)
	}
	stages := r.do("GET", "/restapis/shop/stages", "").v["item"].([]any)
	if len(stages) != 2 || stages[1].(map[string]any)["stageName"] != "prod" {
		t.Errorf("got %v", stages)
	}
	id := deploymentID(r.stages.cfg)
	if got := r.do("GET", "/restapis/shop/stages?deploymentId=other", "").v["item"].([]any); len(got) != 0 {
		t.Errorf("stages of another deployment: %v", got)
	}
	if got := r.do("GET", "/restapis/shop/deployments/"+id, "").v; got["id"] != id {
		t.Errorf("got %v", got)
	}
	if got := r.do("GET", "/account", "").v["throttleSettings"]; got == nil {
		t.Error("no throttleSettings")
	}
}

func TestResourcesAreATreeWithTheirMethods(t *testing.T) {
	r := newRig(t)
	var paths []string
	byID := make(map[string]map[string]any)
	for position := ""; ; {
		got := r.do("GET", "/restapis/shop/resources?limit=2&position="+position, "").v
		for _, i := range got["item"].([]any) {
			d := i.(map[string]any)
			paths = append(paths, d["path"].(string))
			byID[d["id"].(string)] = d
		}
		if position, _ = got["position"].(string); position == "" {
			break
		}
	}
	if want := []string{"/", "/products", "/products/{id}", "/search", "/{proxy+}"}; !slices.Equal(paths, want) {
		t.Errorf("the paths are %v, want %v", paths, want)
	}
	for _, d := range byID {
		if d["path"] != "/" && byID[d["parentId"].(string)] == nil {
			t.Errorf("%v has a parent that is not there", d)
		}
	}
	base := "/restapis/shop/resources/" + resourceID("/products/{id}")
	m := r.do("GET", base+"/methods/GET", "").v
	in := r.do("GET", base+"/methods/GET/integration", "").v
	if m["httpMethod"] != "GET" || m["requestParameters"].(map[string]any)["method.request.path.id"] != true {
		t.Errorf("the method is %v", m)
	}
	if in["uri"] != "http://127.0.0.1:9000/api/products/{id}" || in["cacheNamespace"] != resourceID("/products/{id}") || in["type"] != "HTTP_PROXY" ||
		fmt.Sprint(in["cacheKeyParameters"]) != "[method.request.path.id method.request.querystring.q]" || in["timeoutInMillis"] != 29000.0 {
		t.Errorf("the integration is %v", in)
	}
	embedded := r.do("GET", base+"?embed=methods", "").v["resourceMethods"].(map[string]any)["GET"].(map[string]any)
	if embedded["methodIntegration"].(map[string]any)["uri"] != in["uri"] {
		t.Errorf("embedded: %v", embedded)
	}
	if any := r.do("GET", "/restapis/shop/resources/"+resourceID("/{proxy+}")+"/methods/ANY/integration", "").v; fmt.Sprint(any["cacheKeyParameters"]) != "[]" {
		t.Errorf("no key parameters are %v, want an empty list", any["cacheKeyParameters"])
	}
}

func TestFlushIs202AndEmpty(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/restapis/shop/stages/prod/cache/data", "/restapis/shop/stages/prod/cache/authorizers"} {
		if got := r.do("DELETE", path, ""); got.status != 202 || got.text != "" {
			t.Errorf("%s: %d %q", path, got.status, got.text)
		}
	}
	if !slices.Equal(r.stages.flushed, []string{"prod"}) {
		t.Errorf("flushed %v, want prod once", r.stages.flushed)
	}
}

func TestWhatIsNotThereHasItsErrorType(t *testing.T) {
	r := newRig(t)
	root := resourceID("/")
	for _, c := range []struct {
		method, path  string
		status        int
		kind, message string
	}{
		{"GET", "/restapis/none", 404, "NotFoundException", "Invalid API identifier specified 123456789012:none"},
		{"GET", "/restapis/shop/stages/none", 404, "NotFoundException", "Invalid stage identifier specified"},
		{"PATCH", "/restapis/shop/stages/none", 404, "NotFoundException", "Invalid stage identifier specified"},
		{"DELETE", "/restapis/shop/stages/none/cache/data", 404, "NotFoundException", "Invalid stage identifier specified"},
		{"DELETE", "/restapis/shop/stages/none/cache/authorizers", 404, "NotFoundException", "Invalid stage identifier specified"},
		{"GET", "/restapis/shop/deployments/none", 404, "NotFoundException", "Invalid Deployment identifier specified"},
		{"GET", "/restapis/shop/resources/none", 404, "NotFoundException", "Invalid Resource identifier specified"},
		{"GET", "/restapis/shop/resources/" + root + "/methods/PUT", 404, "NotFoundException", "Invalid Method identifier specified"},
		{"GET", "/restapis/shop/resources/" + root + "/methods/PUT/integration", 404, "NotFoundException", "Invalid Integration identifier specified"},
		{"GET", "/restapis?position=none", 400, "BadRequestException", "Invalid position parameter specified"},
		{"GET", "/restapis?limit=x", 400, "BadRequestException", "Invalid limit specified"},
		{"POST", "/restapis/shop/stages", 400, "BadRequestException", "stages, routes and methods come from the gateway's configuration file"},
		{"DELETE", "/restapis/shop/stages/prod", 400, "BadRequestException", "come from the gateway's configuration file"},
		{"POST", "/restapis/shop/deployments", 400, "BadRequestException", "come from the gateway's configuration file"},
		{"PUT", "/restapis/shop/resources/" + root + "/methods/GET/integration", 400, "BadRequestException", "come from the gateway's configuration file"},
		{"GET", "/restapis/shop/authorizers", 400, "BadRequestException", "Authorizers are not supported here"},
		{"POST", "/restapis/shop/resources/" + root + "/methods/GET", 400, "BadRequestException", "Test invocations are not supported here"},
		{"GET", "/restapis/shop/stages/prod/exports/oas30", 400, "BadRequestException", "Exports are not supported here"},
		{"PUT", "/restapis/shop/resources/" + root + "/methods/GET/integration/responses/200", 400, "BadRequestException", "Integration responses are not supported here"},
		{"GET", "/usageplans", 400, "BadRequestException", "Usage plans are not supported here"},
		{"DELETE", "/domainnames/a.example.com/basepathmappings/x", 400, "BadRequestException", "Custom domain names are not supported here"},
		{"GET", "/restapis/shop/nothing", 404, "UnknownOperationException", "no operation GET /restapis/shop/nothing"},
		{"GET", "/restapis/shop//../stages", 404, "UnknownOperationException", "no operation"},
		{"GET", "/restapis//stages", 404, "UnknownOperationException", "no operation"},
		{"GET", "/tags/nothing", 400, "BadRequestException", "Invalid ARN"},
		{"GET", "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop%2Fresources%2Fx", 400, "BadRequestException", "Only the API and its stages"},
		{"GET", "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fother", 404, "NotFoundException", "Invalid API identifier"},
	} {
		got := r.do(c.method, c.path, "")
		message, _ := got.v["message"].(string)
		if got.status != c.status || got.header.Get("x-amzn-ErrorType") != c.kind || !strings.Contains(message, c.message) {
			t.Errorf("%s %s: %d %s %s", c.method, c.path, got.status, got.header.Get("x-amzn-ErrorType"), got.text)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.header.Get("x-amzn-RequestId")) {
			t.Errorf("request id %q", got.header.Get("x-amzn-RequestId"))
		}
	}
}

func TestTagsOfTheAPIAndOfStages(t *testing.T) {
	r := newRig(t)
	arn := "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop%2Fstages%2Fprod"
	if got := r.do("PUT", arn, `{"tags":{"team":"shop","env":"prod"}}`); got.status != 204 || got.text != "" {
		t.Fatalf("%d %s", got.status, got.text)
	}
	r.do("PUT", "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop", `{"tags":{"of":"api"}}`)
	if got := r.do("DELETE", arn+"?tagKeys=env&tagKeys=none", ""); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	r.start()
	for path, want := range map[string]string{
		arn: "map[team:shop]", "/tags/arn:aws:apigateway:eu-west-1::/restapis/shop": "map[of:api]", "/restapis/shop/stages/prod": "map[team:shop]", "/restapis/shop": "map[of:api]",
	} {
		if got := fmt.Sprint(r.do("GET", path, "").v["tags"]); got != want {
			t.Errorf("%s: tags %s, want %s", path, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"tags":{"aws:x":"y"}}`: "reserved", `{"tags":{"":"y"}}`: "1 to 128", `{"tags":[]}`: "not a map",
	} {
		if got := r.do("PUT", arn, body); got.status != 400 || !strings.Contains(got.text, want) {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
}

func TestEveryOperationAsksForItsPermission(t *testing.T) {
	for _, o := range operationTable {
		path := strings.NewReplacer("{id}", "shop", "{stage}", "prod", "{arn}", "a%2Fb", "{resource}", "r", "{verb}", "GET", "{deployment}", "d").Replace(o.path)
		r := newRig(t)
		r.deny = true
		got := r.do(o.method, path, "")
		want := "apigateway:" + o.method + " arn:aws:apigateway:eu-west-1::" + path
		if !slices.Equal(r.asked, []string{want}) {
			t.Errorf("%s %s asked for %v, want %s", o.method, path, r.asked, want)
		}
		if got.status != http.StatusForbidden || got.header.Get("x-amzn-ErrorType") != "AccessDeniedException" || !strings.HasPrefix(got.v["Message"].(string), "User: ") {
			t.Errorf("%s %s denied: %d %s", o.method, path, got.status, got.text)
		}
		if len(r.stages.changes)+len(r.stages.flushed) > 0 {
			t.Errorf("%s %s was done although denied", o.method, path)
		}
	}
}

// A policy that allows .../stages/prod must not be talked into another stage by an escaped slash.
func TestAnEscapedSlashStaysEscapedInAnARN(t *testing.T) {
	r := newRig(t)
	r.do("GET", "/restapis/shop/stages/prod%2Fcache", "")
	if want := "apigateway:GET arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod%2Fcache"; !slices.Equal(r.asked, []string{want}) {
		t.Errorf("asked for %v", r.asked)
	}
}

// Policies name what has tags by its ARN, escaped as a whole.
func TestTheARNOfTagsIsEscaped(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop", "/tags/arn:aws:apigateway:eu-west-1::/restapis/shop"} {
		r.asked = nil
		r.do("GET", path, "")
		if want := "apigateway:GET arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop"; !slices.Equal(r.asked, []string{want}) {
			t.Errorf("%s asked for %v", path, r.asked)
		}
	}
}

func TestABodyIsBounded(t *testing.T) {
	r := newRig(t)
	if got := r.do("PATCH", "/restapis/shop/stages/prod", strings.Repeat(" ", maxBody+1)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := r.do("PATCH", "/restapis/shop/stages/prod", ""); got.status != 200 || len(r.stages.changes) > 0 {
		t.Errorf("no body: %d %s", got.status, got.text)
	}
}

func TestNotesInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.json")
	f := File(path)
	if b, err := f.Load(); b != nil || err != nil {
		t.Fatalf("none yet: %q %v", b, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.Save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); string(b) != text || err != nil {
			t.Fatalf("%q %v", b, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v %v", left, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", fi.Mode(), err)
	}
	if err := f.Save([]byte(`{"version":2}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Stages: newFakeStages(t), Notes: f}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("notes of a newer program: %v", err)
	}
	if err := f.Save([]byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Stages: newFakeStages(t), Notes: f}); err != nil {
		t.Errorf("damaged notes: %v", err)
	}
	if b, err := os.ReadFile(path + ".damaged"); string(b) != "{" || err != nil {
		t.Errorf("damaged notes are not set aside: %q %v", b, err)
	}
}
