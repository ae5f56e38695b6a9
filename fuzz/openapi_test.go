package fuzz

import (
	"os"
	"path/filepath"
	"testing"

	"stagecache/gateway/config"
	"stagecache/gateway/openapi"
)

// FuzzOpenAPI imports anything. What comes out is a configuration that the gateway accepts, or there is an error.
func FuzzOpenAPI(f *testing.F) {
	for _, name := range []string{"petstore-oas3.json", "petstore-swagger2.yaml"} {
		b, err := os.ReadFile(filepath.Join("..", "gateway", "openapi", "testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "", "")
		f.Add(b, "dev", "http://127.0.0.1:9000/x")
	}
	for _, s := range []string{
		"", "{", "a: &a [*a]", "swagger: '2.0'\npaths: {/a: {get: {}}}",
		"openapi: 3.0.1\nservers: [{url: 'x/{a}', variables: {a: {default: b}}}]\npaths: {'/{a+}': {x-amazon-apigateway-any-method: {x-amazon-apigateway-integration: {type: http, uri: 'http://b/{a}', cacheKeyParameters: [method.request.path.a], cacheNamespace: \"n\\n\"}}}}",
	} {
		f.Add([]byte(s), "", "")
	}
	f.Fuzz(func(t *testing.T, data []byte, stage, backend string) {
		text, _, err := openapi.Import("x", data, openapi.Options{Stage: stage, Backend: backend})
		if err != nil {
			return
		}
		cfg, err := config.Parse("stagecache.yaml", []byte(text), config.Options{SkipFiles: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if cfg.Listen != "127.0.0.1:8080" || len(cfg.Stages) != 1 || len(cfg.Stages[0].Routes) == 0 {
			t.Fatalf("the document has reached what it must not:\n%s", text)
		}
	})
}
