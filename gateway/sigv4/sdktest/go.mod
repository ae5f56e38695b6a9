module stagecache/gateway/sigv4/sdktest

go 1.26.4

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	pgregory.net/rapid v1.3.0
	stagecache v0.0.0
)

require github.com/aws/smithy-go v1.28.9 // indirect

replace stagecache => ../../..
