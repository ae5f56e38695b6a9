// Package sdktest holds the verifier of signatures against the signer of aws-sdk-go-v2: what that signs is accepted, and what
// was altered afterwards is not. It is a module of its own, so that the SDK is nobody's dependency.
package sdktest
