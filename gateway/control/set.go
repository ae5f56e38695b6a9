package control

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/overrides"
)

// SetRequest says what to set of a stage at run time, under the names and in the words of the file: "ttl" to "60s",
// "key.headers" to "[Accept-Language]", "capacity" to "6.1GB".
type SetRequest struct {
	// Entry is what the settings are for: "GET /products/{id}", or "*" for the stage's default, which is also what empty means.
	// Keys of the stage's cache as a whole (enabled, capacity, memory, max_object, max_ttl) go without an entry.
	Entry string            `json:"entry,omitempty"`
	Set   map[string]string `json:"set,omitempty"`
	// Remove removes what was set of the entry or, with Cache, of the stage's cache: the file counts again.
	Remove bool `json:"remove,omitempty"`
	Cache  bool `json:"cache,omitempty"`
}

// maxSet bounds how many values one request sets: there are fewer keys.
const maxSet = 64

// Check says what is wrong with the request as such.
func (r SetRequest) Check() error {
	const hint = "cachectl stage set STAGE ttl=60s"
	switch {
	case r.Remove && len(r.Set) > 0:
		return badRequest("do one after the other", "values are to be set and removed at once")
	case r.Cache && !r.Remove:
		return badRequest("leave cache out: its keys are known", "cache is for removing")
	case r.Cache && r.Entry != "":
		return badRequest("remove one after the other", "the cache and an entry are to be removed at once")
	case !r.Remove && len(r.Set) == 0:
		return badRequest(hint, "nothing is to be set")
	case len(r.Set) > maxSet:
		return badRequest(hint, "more than %d values are to be set", maxSet)
	}
	for name := range r.Set {
		if config.IsCacheKey(name) && r.Entry != "" && r.Entry != config.DefaultEntry {
			return badRequest("leave the method out for it", "%s belongs to the stage's cache as a whole", name)
		}
	}
	return nil
}

// what is the request in a line, for the record.
func (r SetRequest) what() string {
	entry := r.Entry
	if entry == "" {
		entry = config.DefaultEntry
	}
	switch {
	case r.Remove && r.Cache:
		return "cache: as in the file"
	case r.Remove:
		return entry + ": as in the file"
	}
	var b strings.Builder
	b.WriteString(entry + ":")
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		b.WriteString(" " + name + "=" + r.Set[name])
	}
	return b.String()
}

// change is the request as overrides take it.
func (r SetRequest) change(s *config.Stage, by string) overrides.Change {
	entry := r.Entry
	if entry == "" {
		entry = config.DefaultEntry
	}
	c := overrides.Change{By: by, DropCache: r.Remove && r.Cache}
	if r.Remove {
		if !r.Cache {
			c.Entries = map[string]func(*config.Settings) error{entry: nil}
		}
		return c
	}
	ofCache, ofEntry := make(map[string]string), make(map[string]string)
	for name, value := range r.Set {
		if config.IsCacheKey(name) {
			ofCache[name] = value
		} else {
			ofEntry[name] = value
		}
	}
	maxTTL := s.Cache.MaxTTL
	if len(ofCache) > 0 {
		c.Cache = func(v *config.Cache) error {
			err := config.SetCache(v, ofCache)
			maxTTL = v.MaxTTL // for a lifetime that is set with it
			return err
		}
	}
	if len(ofEntry) > 0 {
		c.Entries = map[string]func(*config.Settings) error{entry: func(v *config.Settings) error {
			return config.SetSettings(v, entry, maxTTL, ofEntry)
		}}
	}
	return c
}

// SetStage implements Service.
func (l *Local) SetStage(ctx context.Context, name string, r SetRequest) (d StageDetail, err error) {
	defer func() {
		l.Audit.Write(ctx, audit.Record{Action: audit.Set, Stage: name, What: r.what(), Error: audit.Text(err)})
	}()
	if err := r.Check(); err != nil {
		return d, err
	}
	s := findStage(l.src.Config(), name)
	if s == nil {
		return d, noStage(l.src.Config(), name)
	}
	if l.Overrides == nil {
		return d, conflict("change it in the file", "nothing can be set at run time here")
	}
	err = l.Overrides.Change(ctx, name, r.change(s, audit.From(ctx).User))
	var invalid config.Errors
	switch {
	case errors.As(err, &invalid):
		return d, &Error{Status: http.StatusBadRequest, Message: invalid.Error(), HintText: invalid[0].Hint}
	case errors.Is(err, overrides.ErrNotSet):
		return d, &Error{Status: http.StatusNotFound, Message: err.Error(), HintText: "cachectl stage show tells what is set", Err: err}
	case err != nil:
		return d, stageError(name, err)
	}
	return l.Stage(ctx, name)
}
