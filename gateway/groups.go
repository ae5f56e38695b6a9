package gateway

import (
	"context"
	"net/http"

	"stagecache/engine"
	"stagecache/gateway/policy"
)

// maxGroups is how many groups one answer may invalidate: each is a write to disk. RFC 9875 asks for 32.
const maxGroups = 128

// tags are the purge tags of an answer of an origin: those that it names, and in mode http its groups (RFC 9875).
func (m *method) tags(origin string, h http.Header) []string {
	tags := policy.Tags(h)
	if m.http {
		for _, g := range policy.Groups(h["Cache-Groups"]) {
			tags = append(tags, policy.GroupTag(origin, g))
		}
	}
	return tags
}

// clientOrigin is that of the request's URL, as the client sees it.
func (x *exchange) clientOrigin() string { return x.scheme + "://" + x.host }

// invalidateGroups does what Cache-Group-Invalidation asks for, in an answer to an unsafe request that succeeded (RFC 9875 3).
func (x *exchange) invalidateGroups(h http.Header) {
	groups := policy.Groups(h["Cache-Group-Invalidation"])
	for _, g := range groups[:min(len(groups), maxGroups)] {
		target := engine.Tag(policy.GroupTag(x.clientOrigin(), g))
		if _, err := x.store.Purge(context.WithoutCancel(x.r.Context()), target, engine.Hard); err != nil {
			x.g.log.Error("a group that a request changed could not be invalidated", "stage", x.stage.name, "group", g, "error", err)
		}
	}
}
