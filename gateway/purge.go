package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"stagecache/engine"
	"stagecache/gateway/audit"
	"stagecache/gateway/control"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// methodPurge is the method by which other caches are purged; a stage takes it where purge_method is set.
const methodPurge = "PURGE"

// purged is the answer to a PURGE.
type purged struct {
	Stage  string   `json:"stage"`
	Path   string   `json:"path,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	Soft   bool     `json:"soft"`
	AtMost int64    `json:"at_most"`
}

// purge serves PURGE, for whoever may flush the stage. It purges the path with all its queries and variants ("*" as in
// cachectl flush --path); with a query that one resource alone; with Surrogate-Key or Cache-Tag those tags instead. With
// "Soft-Purge: 1" entries become stale and stay.
func (x *exchange) purge() {
	x.result = "purge"
	if x.r.ContentLength != 0 {
		x.fail(badRequest("PURGE takes no body"))
		return
	}
	from := x.from()
	if x.claim == nil {
		x.g.log.Info("purge denied", "stage", x.stage.name, "path", x.path, "source", from.Source.String(), "reason", "no credential of ours")
		x.fail(errNoPurge)
		return
	}
	user, err := x.verify(signedBy(x.r.Header)...)
	if err != nil {
		x.g.log.Info("purge denied", "stage", x.stage.name, "path", x.path, "source", from.Source.String(), "reason", err)
		x.fail(errFalse)
		return
	}
	arn := x.state.identity.Names.CacheData(x.stage.name)
	if d := user.May([]string{"apigateway:DELETE"}, arn, from); !d.Allowed {
		x.g.log.Info("purge denied", "stage", x.stage.name, "path", x.path, "user", user.Name, "source", from.Source.String(),
			"reason", d.Reason()+": apigateway:DELETE on "+arn)
		x.fail(errNoPurge)
		return
	}
	x.dropClaim()
	x.purgeAs(x.actor(user, from))
}

// signedBy are the headers that say what a PURGE is about: a signature that does not cover them is not for it.
func signedBy(h http.Header) (names []string) {
	for _, name := range []string{"Cache-Tag", "Soft-Purge", "Surrogate-Key"} {
		if h[name] != nil {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

func (x *exchange) purgeAs(who audit.Actor) {
	ctx := audit.With(x.r.Context(), who)
	admin := control.NewLocal(x.g)
	admin.Audit = x.g.o.Audit
	out := purged{Stage: x.stage.name, Tags: policy.Tags(x.r.Header), Soft: x.r.Header.Get("Soft-Purge") == "1"}
	var requests []control.PurgeRequest
	for _, t := range out.Tags {
		requests = append(requests, control.PurgeRequest{Tag: t, Soft: out.Soft})
	}
	if len(requests) == 0 {
		out.Path = x.below
		if x.r.URL.RawQuery != "" {
			x.purgeOne(ctx, &out)
			return
		}
		requests = append(requests, control.PurgeRequest{Path: x.below, Soft: out.Soft})
	}
	for _, p := range requests {
		r, err := admin.Purge(ctx, x.stage.name, p)
		if err != nil {
			x.fail(&problem{statusOfPurge(err), "PurgeFailedException", err.Error()})
			return
		}
		out.AtMost += r.AtMost
	}
	x.answerPurge(out)
}

// purgeOne purges the entry that a GET with this query, and these headers where they are keyed, would be answered from.
func (x *exchange) purgeOne(ctx context.Context, out *purged) {
	y := x.asGet(x.below, x.r.URL.RawQuery)
	out.Path += queryPart(y.query)
	rec := audit.Record{Action: audit.Purge, Stage: x.stage.name, What: "request " + out.Path, Soft: out.Soft}
	store, mode := x.stage.store.Load(), engine.Hard
	if out.Soft {
		mode = engine.Soft
	}
	var err error
	if store != nil && x.stage.cfg.Cache.Enabled {
		for _, t := range y.entries(out.Soft) {
			var r engine.PurgeResult
			if r, err = store.Purge(ctx, t, mode); err != nil {
				break
			}
			out.AtMost += r.AtMost
		}
		rec.AtMost = out.AtMost
	}
	rec.Error = audit.Text(err)
	x.g.o.Audit.Write(ctx, rec)
	if err != nil {
		x.fail(&problem{http.StatusInternalServerError, "PurgeFailedException", "the purge failed; see the gateway's log"})
		x.g.log.Error("purge failed", "stage", x.stage.name, "error", err)
		return
	}
	x.answerPurge(*out)
}

// entries are what a purge of this one request is about: what its answer may be stored under, the whole and, in mode http, a
// part of it. With a resource's marker all its variants are gone, but a soft purge leaves it, and what it names would be as fresh
// as before. Their keys nobody can list, so softly all that is stored for the path goes with them.
func (x *exchange) entries(soft bool) []engine.Target {
	targets := []engine.Target{engine.Key(x.key)}
	if x.m.http {
		targets = append(targets, engine.Key(policy.AppendPartKey(nil, x.key)))
	}
	if store := x.stage.store.Load(); soft && store != nil {
		if e, err := store.Get(nil, x.key); err == nil && stored.IsMarker(e.Value) {
			targets = append(targets, engine.Path(policy.DecodedPath(x.below)))
		}
	}
	return targets
}

// RequestTargets gives what a stage has to purge, so that a GET is not answered from what is stored now.
func (g *Gateway) RequestTargets(stage string, q control.ExplainRequest, soft bool) ([]engine.Target, error) {
	x, p, err := g.imagine(stage, q)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return nil, &control.Error{Status: http.StatusBadRequest, Message: "the gateway refuses this request: " + p.message}
	}
	x.findClaim()
	x.dropClaim()
	return x.asGet(x.below, x.r.URL.RawQuery).entries(soft), nil
}

func statusOfPurge(err error) int {
	if e, ok := err.(*control.Error); ok && e.Status >= 400 {
		return e.Status
	}
	return http.StatusInternalServerError
}

func (x *exchange) answerPurge(out purged) {
	b, err := json.Marshal(out)
	if err != nil {
		x.fail(errInternal)
		return
	}
	b = append(b, '\n')
	h := x.w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	h["Cache-Control"] = []string{"no-store"}
	x.w.WriteHeader(http.StatusOK)
	x.w.Write(b) // the client may be gone; what was purged is purged
}
