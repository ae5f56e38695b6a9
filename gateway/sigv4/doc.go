// Package sigv4 verifies AWS Signature Version 4 on requests that came in, in both forms: the Authorization header and the
// presigned query.
//
//	sig, err := sigv4.Parse(&req)           // what the request claims
//	err = sig.Verify(secret, &req, check)   // whether that is so, now, for this region and service
//
// It is the verifying half alone, for services whose canonical path is encoded twice, which is every one but S3. It works on a
// plain Request, not on net/http, and keeps no state: that a signature is accepted once is up to the caller (package
// identity).
//
// What is signed, and how it is written down for signing, is AWS's "Create a signed AWS API request". Where signers differ, both
// are taken: paths with "//" or "." segments are signed as they are sent by the Go SDK, and resolved by botocore; queries that are out
// of order or escaped in another way are signed as they are by older releases of curl.
// A body's hash is always computed here. Temporary credentials, unsigned and chunk-signed payloads, and version 4a are refused.
package sigv4
