package admin

import (
	"net/http"
	"net/url"
	"strings"

	"stagecache/gateway/identity"
)

// permission is what a route needs.
type permission struct {
	method string
	path   string // {s} is the name of a stage
	action string
	arn    func(n identity.Names, stage string) string
}

const (
	get    = "apigateway:GET"
	patch  = "apigateway:PATCH"
	remove = "apigateway:DELETE"
)

func theAPI(n identity.Names, _ string) string        { return n.RestAPI() }
func allStages(n identity.Names, _ string) string     { return n.Stages() }
func oneStage(n identity.Names, stage string) string  { return n.Stage(stage) }
func cacheData(n identity.Names, stage string) string { return n.CacheData(stage) }

// permissions are those of the routes of package control. HEAD needs what GET needs.
var permissions = []permission{
	{"GET", "/metrics", get, allStages},
	{"GET", "/v1/stats", get, allStages},
	{"GET", "/v1/stages", get, allStages},
	{"GET", "/v1/stages/{s}", get, oneStage},
	{"GET", "/v1/stages/{s}/stats", get, oneStage},
	{"GET", "/v1/stages/{s}/explain", get, oneStage},
	{"POST", "/v1/stages/{s}/explain", get, oneStage},
	{"POST", "/v1/stages/{s}/flush", remove, cacheData},
	{"POST", "/v1/stages/{s}/purge", remove, cacheData},
	{"PATCH", "/v1/stages/{s}", patch, oneStage},
	{"POST", "/v1/stages/{s}/compact", patch, oneStage},
	{"DELETE", "/v1/stages/{s}", remove, oneStage},
	{"POST", "/v1/reload", patch, theAPI},
	{"POST", "/v1/keys/rotate", patch, theAPI},
}

// needed gives the action and the ARN for a request; false where no route of the table is meant.
func needed(r *http.Request, n identity.Names) (action, arn string, ok bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	// The escaped path: a stage's name with a slash in it must not become another route.
	parts := strings.Split(r.URL.EscapedPath(), "/")
	for _, p := range permissions {
		if p.method != method {
			continue
		}
		if stage, match := p.matches(parts); match {
			return p.action, p.arn(n, stage), true
		}
	}
	return "", "", false
}

func (p permission) matches(parts []string) (stage string, ok bool) {
	want := strings.Split(p.path, "/")
	if len(want) != len(parts) {
		return "", false
	}
	for i, w := range want {
		switch {
		case w == "{s}":
			name, err := url.PathUnescape(parts[i])
			// What a stage cannot be called must not get into an ARN, where it could look like something else.
			if err != nil || name == "" || strings.Trim(name, nameChars) != "" {
				return "", false
			}
			stage = name
		case w != parts[i]:
			return "", false
		}
	}
	return stage, true
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
