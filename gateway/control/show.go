package control

import (
	"fmt"
	"slices"
	"strings"

	"stagecache/gateway/config"
)

// StageDetail is a stage's effective settings.
type StageDetail struct {
	Stage    string           `json:"stage"`
	File     string           `json:"file"`
	Line     int              `json:"line"`
	Mode     string           `json:"mode"`
	BasePath string           `json:"base_path"`
	Hosts    []string         `json:"hosts"`
	Cache    CacheDetail      `json:"cache"`
	Routes   []RouteDetail    `json:"routes"`
	Methods  []MethodSettings `json:"methods"` // the stage's default "*" first, then as in the file
}

// CacheDetail is what belongs to the stage as a whole.
type CacheDetail struct {
	Enabled        bool    `json:"enabled"`
	CapacityBytes  int64   `json:"capacity_bytes"`
	MemoryBytes    int64   `json:"memory_bytes"`
	MaxObjectBytes int     `json:"max_object_bytes"`
	MaxTTLSeconds  float64 `json:"max_ttl_seconds"`
	Origin         string  `json:"origin"` // "FILE:LINE stage", or "set at run time, ..."
}

// RouteDetail says where a path goes.
type RouteDetail struct {
	Path    string `json:"path"`
	Backend string `json:"backend"`
	URL     string `json:"url"`
}

// MethodSettings are the settings of one entry, as they work.
type MethodSettings struct {
	Method   string    `json:"method"` // "*", or "GET /products/{id}"
	Line     int       `json:"line"`
	Settings []Setting `json:"settings"`
}

// Setting is one value and where it comes from: "default", "FILE:LINE stage", "FILE:LINE method", or "set at run time, ..." with
// when and by whom: such an entry counts as a whole, so all of its values have that origin.
type Setting struct {
	Name   string `json:"name"`
	Value  any    `json:"value"` // a boolean, a string (durations as in "300s"), or a list of strings
	Origin string `json:"origin"`
}

func detail(cfg *config.Config, s *config.Stage) StageDetail {
	d := StageDetail{
		Stage: s.Name, File: cfg.File, Line: s.Line, Mode: s.Mode, BasePath: s.BasePath, Hosts: list(s.Hosts),
		Cache: CacheDetail{
			Enabled: s.Cache.Enabled, CapacityBytes: s.Cache.Capacity, MemoryBytes: s.Cache.Memory,
			MaxObjectBytes: s.Cache.MaxObject, MaxTTLSeconds: s.Cache.MaxTTL.Seconds(), Origin: s.Cache.Origin,
		},
		Routes: []RouteDetail{},
	}
	for _, r := range s.Routes {
		rd := RouteDetail{Path: r.Path, Backend: r.Backend}
		if b := cfg.Backends[r.Backend]; b != nil && b.URL != nil {
			rd.URL = b.URL.Redacted()
		}
		d.Routes = append(d.Routes, rd)
	}

	if d.Cache.Origin == "" {
		d.Cache.Origin = fmt.Sprintf("%s:%d stage", cfg.File, s.Line)
	}
	atStage := origin{set: s.Default.Set, text: fmt.Sprintf("%s:%d stage", cfg.File, s.Line)}
	d.Methods = append(d.Methods, MethodSettings{Method: "*", Line: s.Line, Settings: settings(s.Default, atStage)})
	for _, m := range s.Methods {
		atMethod := origin{set: m.Settings.Set, text: fmt.Sprintf("%s:%d method", cfg.File, m.Line)}
		d.Methods = append(d.Methods, MethodSettings{
			Method: m.Verb + " " + m.Template, Line: m.Line, Settings: settings(m.Settings, atMethod, atStage),
		})
	}
	return d
}

// origin is one place in the file and the settings that it sets.
type origin struct {
	set  []string
	text string
}

// settings pairs every value with the first of the places that sets it.
func settings(v config.Settings, places ...origin) []Setting {
	all := []Setting{
		{Name: config.SetCaching, Value: v.Caching},
		{Name: config.SetTTL, Value: config.FormatDuration(v.TTL)},
		{Name: config.SetNegativeTTL, Value: config.FormatDuration(v.NegativeTTL)},
		{Name: config.SetStaleWhileRevalidate, Value: config.FormatDuration(v.StaleWhileRevalidate)},
		{Name: config.SetStaleIfError, Value: config.FormatDuration(v.StaleIfError)},
		{Name: config.SetEncrypt, Value: v.Encrypt},
		{Name: config.SetRequireAuthorization, Value: v.RequireAuthorization},
		{Name: config.SetStrategy, Value: v.Strategy},
		{Name: config.SetKeyMode, Value: v.Key.Mode},
		{Name: config.SetKeyHeaders, Value: list(v.Key.Headers)},
		{Name: config.SetKeyCookies, Value: list(v.Key.Cookies)},
		{Name: config.SetKeyQuery + ".include", Value: list(v.Key.Query.Include)},
		{Name: config.SetKeyQuery + ".exclude", Value: list(v.Key.Query.Exclude)},
		{Name: config.SetCacheKeyParameters, Value: list(v.CacheKeyParameters)},
		{Name: config.SetCacheNamespace, Value: v.CacheNamespace},
		{Name: config.SetForwardHeaders, Value: list(v.ForwardHeaders)},
		{Name: config.SetIgnoreCookies, Value: v.IgnoreCookies},
		{Name: config.SetSetCookie, Value: v.SetCookie},
	}
	for i := range all {
		if all[i].Origin = v.Origin; v.Origin != "" {
			continue
		}
		all[i].Origin = "default"
		for _, p := range places {
			if p.has(all[i].Name) {
				all[i].Origin = p.text
				break
			}
		}
	}
	return all
}

// has tells whether the place sets the value, or the whole group that it is part of ("key" for "key.headers").
func (o origin) has(name string) bool {
	for {
		if slices.Contains(o.set, name) {
			return true
		}
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return false
		}
		name = name[:i]
	}
}

// list is never null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
