package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"stagecache/gateway/admin"
	"stagecache/gateway/apigw"
	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/overrides"
)

// notesFile holds, in the data directory, what only clients of the control plane know.
const notesFile = "apigw.json"

// controlPlane is API Gateway's, for the door of admin.listen: who may do what is asked there, operation by operation.
func controlPlane(dataDir string, local *control.Local, current func() *config.Config, log *slog.Logger) (admin.Mount, error) {
	h, err := apigw.New(apigw.Options{
		Stages:    awsStages{local: local, current: current, log: log},
		Notes:     apigw.File(filepath.Join(dataDir, notesFile)),
		Authorize: func(r *http.Request, action, arn string) error { return admin.Authorize(r, action, arn) },
		Record: func(ctx context.Context, stage, what string) {
			local.Audit.Write(ctx, audit.Record{Action: audit.Set, Stage: stage, What: what})
		},
		Logger: log,
	})
	return admin.Mount{Patterns: apigw.Patterns(), Handler: h}, err
}

// awsStages makes what the control plane changes into overrides.
type awsStages struct {
	local   *control.Local
	current func() *config.Config
	log     *slog.Logger
}

func (a awsStages) Config() *config.Config { return a.current() }

func (a awsStages) File() *config.Config { return a.local.Overrides.File() }

func (a awsStages) Overridden(stage, entry string) bool {
	return a.local.Overrides.Overridden(stage, entry)
}

func (a awsStages) Flush(ctx context.Context, stage string) error {
	_, err := a.local.Flush(ctx, stage)
	return err
}

func (a awsStages) Change(ctx context.Context, stage string, c apigw.Change) (err error) {
	change, what := a.change(stage, c)
	if what == "" {
		return nil
	}
	defer func() {
		a.local.Audit.Write(ctx, audit.Record{Action: audit.Set, Stage: stage, What: what, Error: audit.Text(err)})
	}()
	change.By = audit.From(ctx).User
	if err := a.local.Overrides.Change(ctx, stage, change); err != nil {
		return err
	}
	if c.Capacity != nil {
		a.warnMemory(stage)
	}
	return nil
}

// warnMemory tells of a capacity that the stage's memory is too small for, as config check does: over the wire nobody can set
// memory.
func (a awsStages) warnMemory(stage string) {
	for _, w := range a.current().Warnings() {
		if w.Field == "stages."+stage+".cache.memory" {
			a.log.Warn(w.Message, "stage", stage, "hint", w.Hint)
		}
	}
}

// change is the change as overrides take it, and in a line for the record; that is empty if there is nothing to do.
func (a awsStages) change(stage string, c apigw.Change) (overrides.Change, string) {
	out := overrides.Change{Entries: make(map[string]func(*config.Settings) error)}
	var what []string
	cache := make(map[string]string)
	if c.Enabled != nil {
		cache["enabled"] = fmt.Sprint(*c.Enabled)
	}
	if c.Capacity != nil {
		cache["capacity"] = config.FormatSize(*c.Capacity)
	}
	if len(cache) > 0 {
		out.Cache = func(v *config.Cache) error { return config.SetCache(v, cache) }
		what = append(what, "cache:"+pairs(cache))
	}
	for _, entry := range slices.Sorted(maps.Keys(c.Entries)) {
		v := c.Entries[entry]
		if v == nil {
			if a.Overridden(stage, entry) { // else there are only notes of it
				out.Entries[entry] = nil
				what = append(what, entry+": as in the file")
			}
			continue
		}
		set := map[string]string{
			config.SetCaching: fmt.Sprint(v.Caching), config.SetTTL: config.FormatDuration(v.TTL), config.SetEncrypt: fmt.Sprint(v.Encrypt),
			config.SetRequireAuthorization: fmt.Sprint(v.RequireAuthorization), config.SetStrategy: v.Strategy,
		}
		out.Entries[entry] = func(s *config.Settings) error {
			// The control plane has held the lifetime to the stage's limit.
			return config.SetSettings(s, entry, v.TTL, set)
		}
		what = append(what, entry+":"+pairs(set))
	}
	return out, strings.Join(what, "; ")
}

func pairs(set map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		b.WriteString(" " + name + "=" + set[name])
	}
	return b.String()
}
