package identity

import (
	"net/netip"
	"strings"
	"time"

	"stagecache/gateway/iam"
)

// Services that signatures are made for.
const (
	DataPlane    = "execute-api"
	ControlPlane = "apigateway"
)

// Names make ARNs as API Gateway writes them.
type Names struct{ Region, Account, API string }

// Method is a request to a stage: the path below the stage, decoded, with its first slash.
func (n Names) Method(stage, verb, path string) string {
	return "arn:aws:execute-api:" + n.Region + ":" + n.Account + ":" + n.API + "/" + stage + "/" + verb + "/" + strings.TrimPrefix(path, "/")
}

// Control is a resource of the control plane, by its path: "/restapis/shop/stages/prod".
func (n Names) Control(path string) string { return "arn:aws:apigateway:" + n.Region + "::" + path }

// RestAPI is the API itself.
func (n Names) RestAPI() string { return n.Control("/restapis/" + n.API) }

// Stages are all of the API's.
func (n Names) Stages() string { return n.RestAPI() + "/stages" }

// Stage is one of them.
func (n Names) Stage(stage string) string { return n.Stages() + "/" + stage }

// CacheData is what a stage has stored: what is flushed and purged.
func (n Names) CacheData(stage string) string { return n.Stage(stage) + "/cache/data" }

// InvalidateCache is the permission to refresh an entry, under its name and under the one that it is often given by mistake.
var InvalidateCache = []string{"execute-api:InvalidateCache", "apigateway:InvalidateCache"}

// Origin is where a request came from, for the conditions of policies.
type Origin struct {
	Source netip.Addr // of the client; invalid if not known
	Secure bool       // over TLS
	Time   time.Time
}

// May asks a user's policy. A nil user may nothing.
func (u *User) May(actions []string, resource string, from Origin) iam.Decision {
	if u == nil {
		return iam.Decision{}
	}
	return u.Policy.Decide(iam.Request{Actions: actions, Resource: resource, SourceIP: from.Source, Time: from.Time, Secure: from.Secure})
}
