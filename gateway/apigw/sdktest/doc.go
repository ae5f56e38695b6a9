// Package sdktest drives a gateway with the AWS SDK for Go, as a program of a user would: the real cachectl, with its control plane on a
// port, and the SDK's own client, signer and types. It is a module of its own, so that the SDK is nobody's dependency.
//
// There are only tests here; .ci/run sdk runs them.
package sdktest
