package cli_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"stagecache/internal/need"
)

// TestAWSScripts drives a gateway with the aws command line, version 1 or 2.
func TestAWSScripts(t *testing.T) {
	need.Tool(t, "aws")
	p := scripts("testdata/awscli")
	setup := p.Setup
	p.Setup = func(e *testscript.Env) error {
		const secret = "test/secret+0123456789"
		for name, value := range map[string]string{
			"HOME":            os.Getenv("HOME"), // where some installations of aws find themselves
			"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
			"AWS_DEFAULT_REGION": "eu-west-1", "AWS_DEFAULT_OUTPUT": "json", "AWS_SESSION_TOKEN": "",
			"AWS_ACCESS_KEY_ID": "AKIADEPLOYER", "AWS_SECRET_ACCESS_KEY": secret, "AWS_TEST_SECRET": secret,
		} {
			e.Setenv(name, value)
		}
		return setup(e)
	}
	testscript.Run(t, p)
}
