// Package apigw speaks the wire format of API Gateway's control plane (REST with JSON, version 2015-07-09), so that the aws
// command line, the AWS SDKs and Terraform's aws_api_gateway_method_settings drive the stages of a gateway.
//
//	h, err := apigw.New(apigw.Options{Stages: stages, Notes: apigw.File(path)})
//	mux.Handle("/restapis", h) // and the other patterns of apigw.Patterns
//
// There is one REST API, with the stages of the configuration. What is read: the API, its stages, deployment, resources,
// methods and integrations, tags, the account. What is changed: a stage's cache and the settings of its methods
// (UpdateStage), its entries (FlushStageCache), tags. Whatever would make or remove a stage, a deployment or a resource is
// refused: these come from the file.
//
// Where an answer's text is known from the real service it is the same, to the letter, also where it is odd: clients match
// on it. docs/api-gateway-compatibility.md has the rows.
//
// What a client may set that means nothing here (throttling, logging, tracing, variables, a description) is kept in the notes, comes
// back as it was sent, and is logged as having no effect.
//
//	handler.go    requests, permissions, answers     errors.go     API Gateway's errors
//	route.go      operations and their ARNs          page.go       position and limit
//	stage.go      the stage's document               patch.go      UpdateStage
//	methodkey.go  "~1products~1{id}/GET"             notes.go      what only clients know
//	resources.go  the tree of resources              tags.go, account.go
package apigw
