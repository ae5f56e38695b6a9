package gateway

import (
	"context"
	"net/http"
	"strconv"

	"stagecache/engine"
	"stagecache/gateway/policy"
)

// checkByHead drops a stale entry, which may be nil, if the backend's answer to HEAD shows that its body is not the current
// one any more (RFC 9111 4.3.5): its next reader then gets the new one even where a stale one would have done.
func (x *exchange) checkByHead(f *found, resp *http.Response) {
	if f == nil || !x.head || !x.m.http || resp.StatusCode != http.StatusOK ||
		policy.SameBody(resp.Header, validatorsOf(f.answer), strconv.Itoa(len(f.answer.Body))) {
		return
	}
	if _, err := x.store.Purge(context.WithoutCancel(x.r.Context()), engine.Key(x.target), engine.Hard); err != nil {
		x.g.log.Debug("an entry that HEAD showed to be old could not be dropped", "stage", x.stage.name, "error", err)
	}
}
