package apigw

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"stagecache/gateway/config"
)

// Stages is what the control plane works on.
type Stages interface {
	// Config is the configuration at work, with what was set at run time.
	Config() *config.Config
	// File is the configuration without what was set at run time.
	File() *config.Config
	// Overridden tells whether a stage's entry ("*", "GET /products/{id}") has values that were set at run time.
	Overridden(stage, entry string) bool
	// Change sets or removes run-time values: all of them or, with an error, none. It returns when they are in force and will
	// survive a restart.
	Change(ctx context.Context, stage string, c Change) error
	// Flush empties a stage, and returns when that is done for good.
	Flush(ctx context.Context, stage string) error
}

// Change is what one UpdateStage comes to.
type Change struct {
	Enabled  *bool  // of the stage's cache; nil: as it is
	Capacity *int64 // bytes; nil: as it is
	// Entries are new values by entry; nil for one whose run-time values are removed.
	Entries map[string]*Values
}

func (c Change) empty() bool { return c.Enabled == nil && c.Capacity == nil && len(c.Entries) == 0 }

// Values are the settings of one entry that API Gateway knows. The others of the entry stay as they are.
type Values struct {
	Caching              bool
	TTL                  time.Duration
	Encrypt              bool
	RequireAuthorization bool
	Strategy             string
}

// Options are what a control plane is made of. Stages is required.
type Options struct {
	Stages Stages
	Notes  Storage // nil: what only clients know is forgotten when the process ends
	// Authorize tells whether the caller of a request may do an action ("apigateway:PATCH") on an ARN; its error says to the
	// caller why not. Nil: everybody may do everything.
	Authorize func(r *http.Request, action, arn string) error
	// Record is told of changes that Stages is not: tags, and settings without effect. The stage is empty for the API. It may be nil.
	Record func(ctx context.Context, stage, what string)
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

// Patterns are where the handler has to be mounted: a path alone, or with a slash at its end all below it.
func Patterns() []string {
	patterns := []string{"/restapis", "/restapis/", "/tags/", "/account"}
	for _, u := range absent {
		if strings.Count(u.path, "/") == 1 {
			patterns = append(patterns, u.path, u.path+"/")
		}
	}
	return patterns
}
