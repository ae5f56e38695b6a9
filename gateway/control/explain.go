package control

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"stagecache/gateway/config"
)

// ExplainRequest is a request that a client might send.
type ExplainRequest struct {
	Method string `json:"method"`
	// URL is absolute, or a path with its query. A path that is not below the stage's base path is relative to the stage.
	URL string `json:"url"`
	// Header holds the request's fields; a Host counts where URL has none.
	Header map[string][]string `json:"header,omitempty"`
}

// Explanation says what would become of a request, and why. Nothing is asked of a backend for it, and nothing changes.
type Explanation struct {
	Stage    string `json:"stage"`
	Mode     string `json:"mode"`
	BasePath string `json:"base_path"`
	Method   string `json:"method"`
	URL      string `json:"url"` // as the gateway takes it

	Route      string `json:"route"` // the template
	Backend    string `json:"backend"`
	BackendURL string `json:"backend_url"` // what the backend would be asked for

	Entry    string    `json:"entry"` // of the stage's methods, "*" for its default
	Settings []Setting `json:"settings"`

	Key    []KeyPart    `json:"key"` // empty where the cache has no part in it
	Stored *StoredEntry `json:"stored"`

	Next Next `json:"next"`
}

// KeyPart is one part of the cache key. What is not among them makes no difference.
type KeyPart struct {
	Name   string   `json:"name"` // "path", "header Accept-Language", "vary Accept-Encoding"
	Values []string `json:"values"`
	Absent bool     `json:"absent,omitempty"`
}

// StoredEntry is what the store has for a request.
type StoredEntry struct {
	Status     int       `json:"status"`
	StoredAt   time.Time `json:"stored_at"`
	AgeSeconds int64     `json:"age_seconds"`
	// TTLSeconds is the freshness left, below zero where it is over; RetainedSeconds is how long the entry is kept from now on.
	TTLSeconds      float64  `json:"ttl_seconds"`
	RetainedSeconds float64  `json:"retained_seconds"`
	Stale           bool     `json:"stale"`
	Encrypted       bool     `json:"encrypted"`
	SizeBytes       int      `json:"size_bytes"` // of the body
	Tier            string   `json:"tier"`       // memory or disk
	Tags            []string `json:"tags"`
	ETag            string   `json:"etag,omitempty"`
	LastModified    string   `json:"last_modified,omitempty"`
	Vary            []string `json:"vary"`     // the request headers that its answers differ by
	Variants        int      `json:"variants"` // of the resource; 0 where there are none
}

// Next is what would happen.
type Next struct {
	// Outcome is "hit", "stale" (answered from a stale entry), "validate" (the backend is asked whether the entry still holds),
	// "miss", "bypass" (the cache has no part in it) or "refused".
	Outcome string `json:"outcome"`
	// Reason says in one word why it is a miss, or why the backend is asked: "never-stored", "expired", "purged", "vary",
	// "uncacheable", "plain", "credentials", "stale" or "request". Empty otherwise.
	Reason string `json:"reason,omitempty"`
	Why    string `json:"why"`
}

// explainer is a Source that can explain: a running gateway.
type explainer interface {
	Explain(ctx context.Context, stage string, r ExplainRequest) (Explanation, error)
}

// Explain implements Service.
func (l *Local) Explain(ctx context.Context, stage string, r ExplainRequest) (Explanation, error) {
	cfg := l.src.Config()
	s := findStage(cfg, stage)
	if s == nil {
		return Explanation{}, noStage(cfg, stage)
	}
	if err := r.Check(); err != nil {
		return Explanation{}, err
	}
	src, ok := l.src.(explainer)
	if !ok {
		return Explanation{}, &UnreachableError{
			Message:  "the gateway is not running, and only it can say what it would do",
			HintText: "start it with cachectl serve",
		}
	}
	e, err := src.Explain(ctx, stage, r)
	if err != nil {
		return Explanation{}, err
	}
	e.Settings = settingsOf(cfg, s, e.Entry)
	return e, nil
}

// Check says what is wrong with the request as such.
func (r ExplainRequest) Check() error {
	if r.Method == "" || strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") != "" {
		return badRequest("write GET", "%q is not a method", r.Method)
	}
	if r.URL == "" {
		return badRequest("write /products/1 or http://127.0.0.1:8080/prod/products/1", "there is no URL")
	}
	return nil
}

// settingsOf are the settings of one entry with their origins.
func settingsOf(cfg *config.Config, s *config.Stage, entry string) []Setting {
	for _, m := range detail(cfg, s).Methods {
		if m.Method == entry {
			return m.Settings
		}
	}
	return []Setting{}
}

// NotThisStage is the error of an explanation for a URL that another stage answers, or none.
func NotThisStage(stage, url, other string) error {
	if other == "" {
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("no stage answers %s", url), HintText: "cachectl stage list shows the base paths"}
	}
	return conflict("cachectl explain --stage "+other, "%s is answered by stage %s, not by %s", url, other, stage)
}

// Explain implements Service.
func (c *Client) Explain(ctx context.Context, stage string, r ExplainRequest) (e Explanation, err error) {
	err = c.atStage(ctx, http.MethodPost, stage, "/explain", r, &e)
	return e, err
}

func (h *handler) explain(r *http.Request) (any, error) {
	var q ExplainRequest
	if err := decode(r, "the request to explain", `send {"method": "GET", "url": "/products/1"}`, &q); err != nil {
		return nil, err
	}
	return h.svc.Explain(r.Context(), r.PathValue("s"), q)
}
