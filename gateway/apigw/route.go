package apigw

import (
	"net/http"
	"net/url"
	"strings"
)

// call is one request, taken apart.
type call struct {
	c     *control
	r     *http.Request
	parts []string // of the path, decoded
	query url.Values
	body  []byte
}

func (c *call) part(i int) string { return c.parts[i] }

// operation is one of API Gateway's.
type operation struct {
	method string
	path   string // {x} is any part
	status int
	do     func(*call) (any, *Error) // nil: refused, because the file says it
	what   string                    // what is refused
	absent string                    // what the gateway does not have at all
}

// The operations that are there, and those that a client might ask for in the belief that they are. Where a path could be two of
// them, the first counts.
var operationTable = []operation{
	{method: "GET", path: "/restapis", status: 200, do: (*call).getRestAPIs},
	{method: "GET", path: "/restapis/{id}", status: 200, do: (*call).getRestAPI},
	{method: "GET", path: "/restapis/{id}/stages", status: 200, do: (*call).getStages},
	{method: "GET", path: "/restapis/{id}/stages/{stage}", status: 200, do: (*call).getStage},
	{method: "PATCH", path: "/restapis/{id}/stages/{stage}", status: 200, do: (*call).updateStage},
	{method: "DELETE", path: "/restapis/{id}/stages/{stage}/cache/data", status: 202, do: (*call).flushStage},
	{method: "DELETE", path: "/restapis/{id}/stages/{stage}/cache/authorizers", status: 202, do: (*call).flushAuthorizers},
	{method: "GET", path: "/restapis/{id}/deployments", status: 200, do: (*call).getDeployments},
	{method: "GET", path: "/restapis/{id}/deployments/{deployment}", status: 200, do: (*call).getDeployment},
	{method: "GET", path: "/restapis/{id}/resources", status: 200, do: (*call).getResources},
	{method: "GET", path: "/restapis/{id}/resources/{resource}", status: 200, do: (*call).getResource},
	{method: "GET", path: "/restapis/{id}/resources/{resource}/methods/{verb}", status: 200, do: (*call).getMethod},
	{method: "GET", path: "/restapis/{id}/resources/{resource}/methods/{verb}/integration", status: 200, do: (*call).getIntegration},
	{method: "GET", path: "/tags/{arn}", status: 200, do: (*call).getTags},
	{method: "PUT", path: "/tags/{arn}", status: 204, do: (*call).tagResource},
	{method: "DELETE", path: "/tags/{arn}", status: 204, do: (*call).untagResource},
	{method: "GET", path: "/account", status: 200, do: (*call).getAccount},

	{method: "POST", path: "/restapis", what: "An API"},
	{method: "PUT", path: "/restapis/{id}", what: "The API"},
	{method: "PATCH", path: "/restapis/{id}", what: "The API"},
	{method: "DELETE", path: "/restapis/{id}", what: "The API"},
	{method: "POST", path: "/restapis/{id}/stages", what: "A stage"},
	{method: "DELETE", path: "/restapis/{id}/stages/{stage}", what: "A stage"},
	{method: "POST", path: "/restapis/{id}/deployments", what: "A deployment"},
	{method: "PATCH", path: "/restapis/{id}/deployments/{deployment}", what: "A deployment"},
	{method: "DELETE", path: "/restapis/{id}/deployments/{deployment}", what: "A deployment"},
	{method: "POST", path: "/restapis/{id}/resources/{resource}", what: "A resource"},
	{method: "PATCH", path: "/restapis/{id}/resources/{resource}", what: "A resource"},
	{method: "DELETE", path: "/restapis/{id}/resources/{resource}", what: "A resource"},
	{method: "PUT", path: "/restapis/{id}/resources/{resource}/methods/{verb}", what: "A method"},
	{method: "PATCH", path: "/restapis/{id}/resources/{resource}/methods/{verb}", what: "A method"},
	{method: "DELETE", path: "/restapis/{id}/resources/{resource}/methods/{verb}", what: "A method"},
	{method: "PUT", path: "/restapis/{id}/resources/{resource}/methods/{verb}/integration", what: "An integration"},
	{method: "PATCH", path: "/restapis/{id}/resources/{resource}/methods/{verb}/integration", what: "An integration"},
	{method: "DELETE", path: "/restapis/{id}/resources/{resource}/methods/{verb}/integration", what: "An integration"},
	{method: "PATCH", path: "/account", what: "The account"},
}

// absent are the rest of API Gateway's resources: whatever is done with them, the answer is one that its clients know, and
// says what it is about.
var absent = []struct{ method, path, what string }{
	{"", "/restapis/{id}/authorizers", "Authorizers"},
	{"", "/restapis/{id}/models", "Models"},
	{"", "/restapis/{id}/requestvalidators", "Request validators"},
	{"", "/restapis/{id}/gatewayresponses", "Gateway responses"},
	{"", "/restapis/{id}/documentation", "Documentation parts and versions"},
	{"", "/restapis/{id}/stages/{stage}/exports", "Exports"},
	{"", "/restapis/{id}/stages/{stage}/sdks", "Generated SDKs"},
	{"", "/restapis/{id}/resources/{resource}/methods/{verb}/responses", "Method responses"},
	{"", "/restapis/{id}/resources/{resource}/methods/{verb}/integration/responses", "Integration responses"},
	{"POST", "/restapis/{id}/resources/{resource}/methods/{verb}", "Test invocations"},
	{"", "/usageplans", "Usage plans"},
	{"", "/apikeys", "API keys"},
	{"", "/domainnames", "Custom domain names"},
	{"", "/domainnameaccessassociations", "Custom domain names"},
	{"", "/rejectdomainnameaccessassociations", "Custom domain names"},
	{"", "/clientcertificates", "Client certificates"},
	{"", "/vpclinks", "VPC links"},
	{"", "/sdktypes", "Generated SDKs"},
}

// splitPath takes an escaped path apart. Only so does an ARN, whose slashes are escaped, stay one part; some clients leave
// them as they are, so what follows /tags/ is one part in any case.
func splitPath(escaped string) ([]string, bool) {
	rest := strings.TrimPrefix(escaped, "/")
	rest = strings.TrimSuffix(rest, "/")
	raw := strings.Split(rest, "/")
	if raw[0] == "tags" {
		raw = strings.SplitN(rest, "/", 2)
	}
	for i, p := range raw {
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == "" {
			return nil, false
		}
		raw[i] = decoded
	}
	return raw, true
}

// lookup finds the operation for a request.
func lookup(method string, parts []string) (operation, bool) {
	for _, o := range operationTable {
		if o.method == method && matches(o.path, parts) {
			return o, true
		}
	}
	for _, u := range absent {
		n := strings.Count(u.path, "/")
		if (u.method == "" || u.method == method) && len(parts) >= n && matches(u.path, parts[:n]) {
			return operation{absent: u.what}, true
		}
	}
	return operation{}, false
}

func matches(pattern string, parts []string) bool {
	want := strings.Split(pattern[1:], "/")
	if len(want) != len(parts) {
		return false
	}
	for i, w := range want {
		if w[0] != '{' && w != parts[i] {
			return false
		}
	}
	return true
}

// arn is the resource that a permission is about: "arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod". What a policy
// could take for a separator or a wildcard cannot be smuggled in by escaping: in it every part is escaped again. So is the ARN of
// what has tags, all of it, as policies for API Gateway have it: ".../tags/arn%3Aaws%3A...".
func arn(region string, parts []string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20") // leaves unreserved characters alone
	}
	return "arn:aws:apigateway:" + region + "::/" + strings.Join(escaped, "/")
}
