// Package openapi turns the document of an API Gateway API, as "aws apigateway get-export" writes it, into a configuration.
//
//	text, warnings, err := openapi.Import("petstore.json", data, openapi.Options{})
//
// It takes OpenAPI 3 and Swagger 2, as JSON or YAML, with x-amazon-apigateway-integration: from that come backends and routes (uri,
// requestParameters, timeoutInMillis) and the cache key (cacheKeyParameters, cacheNamespace). The result has
// key: {mode: declared}, which keys exactly as API Gateway does, its pitfalls included: config.Config.Warnings names them.
//
// What a document cannot say (whether and how long a stage caches) gets the configuration's defaults. What the gateway cannot do is left out, and
// each such thing is a Warning with its line. Where a part of a cache key cannot be carried over, the method is not cached: a key
// that lacks a part serves one caller's answer to another.
//
// The text that Import gives is a configuration that config.Parse accepts, or there is an error.
package openapi
