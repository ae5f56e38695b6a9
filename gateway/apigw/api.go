package apigw

import (
	"encoding/json"
	"time"

	"stagecache/gateway/config"
)

type apiDoc struct {
	ID                        string            `json:"id"`
	Name                      string            `json:"name"`
	Description               string            `json:"description"`
	CreatedDate               int64             `json:"createdDate"`
	APIKeySource              string            `json:"apiKeySource"`
	EndpointConfiguration     endpointDoc       `json:"endpointConfiguration"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	RootResourceID            string            `json:"rootResourceId"`
	Tags                      map[string]string `json:"tags,omitempty"`
}

type endpointDoc struct {
	Types []string `json:"types"`
}

func (c *call) apiDocument(cfg *config.Config) apiDoc {
	return apiDoc{
		ID: cfg.API.ID, Name: cfg.API.Name, Description: "stagecache", CreatedDate: c.c.origin(cfg).Unix(), APIKeySource: "HEADER",
		EndpointConfiguration: endpointDoc{Types: []string{"REGIONAL"}}, RootResourceID: resourceID("/"), Tags: c.c.notes.Load().API.Tags,
	}
}

func (c *call) getRestAPIs() (any, *Error) {
	all := []apiDoc{c.apiDocument(c.c.o.Stages.Config())}
	return asAny(page(all, func(d apiDoc) string { return d.ID }, c.query))
}

// asAny gives a nil any with an error, so that nobody takes an empty list for an answer.
func asAny[T any](v T, err *Error) (any, *Error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (c *call) getRestAPI() (any, *Error) {
	cfg, err := c.api()
	if err != nil {
		return nil, err
	}
	return c.apiDocument(cfg), nil
}

// deploymentID is the file's: what was set at run time is no deployment.
func (c *control) deploymentID() string { return deploymentID(c.o.Stages.File()) }

func (c *call) stageDocument(cfg *config.Config, s *config.Stage, n *notes) stageDoc {
	return document(s, n.stage(s.Name), c.c.origin(cfg), c.c.deploymentID())
}

func (c *call) getStages() (any, *Error) {
	cfg, err := c.api()
	if err != nil {
		return nil, err
	}
	out := list[stageDoc]{Item: []stageDoc{}}
	want := c.query.Get("deploymentId")
	for _, s := range cfg.Stages {
		if want == "" || want == c.c.deploymentID() {
			out.Item = append(out.Item, c.stageDocument(cfg, s, c.c.notes.Load()))
		}
	}
	return out, nil
}

func (c *call) getStage() (any, *Error) {
	cfg, s, err := c.stage()
	if err != nil {
		return nil, err
	}
	return c.stageDocument(cfg, s, c.c.notes.Load()), nil
}

// updateStage changes settings, all of them or none.
func (c *call) updateStage() (any, *Error) {
	ops, err := readPatch(c.body)
	if err != nil {
		return nil, err
	}
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	_, s, err := c.stage()
	if err != nil {
		return nil, err
	}
	file := findStage(c.c.o.Stages.File(), s.Name)
	if file == nil {
		file = s
	}
	next := c.c.notes.Load().clone()
	u := &update{
		stage: s, file: file, deployment: c.c.deploymentID(), notes: next.edit(s.Name),
		overridden: func(entry string) bool { return c.c.o.Stages.Overridden(s.Name, entry) },
	}
	if err := u.apply(ops); err != nil {
		return nil, err
	}
	if len(ops) > 0 {
		u.notes.Updated = c.c.o.Now().UTC().Truncate(time.Second)
		if err := c.change(s.Name, next, u.change); err != nil {
			return nil, err
		}
	}
	if kept := pathsOf(noted(ops)); kept != "" {
		c.c.record(c.r.Context(), s.Name, kept) // the others are recorded where they are made
	}
	if len(u.inert) > 0 {
		c.c.o.Logger.Warn("settings were kept that have no effect here", "stage", s.Name, "paths", u.inert)
	}
	cfg, s, err := c.stage() // as it is now
	if err != nil {
		return nil, err
	}
	return c.stageDocument(cfg, s, next), nil
}

// change puts notes and settings in force. The notes come first, because they can be taken back: what they say of settings that
// are not there does no harm.
func (c *call) change(stage string, next *notes, change Change) *Error {
	old := c.c.notes.Load()
	if err := c.c.keep(next); err != nil {
		return err
	}
	if change.empty() {
		return nil
	}
	err := c.c.o.Stages.Change(c.r.Context(), stage, change)
	if err == nil {
		return nil
	}
	if back := c.c.keep(old); back != nil {
		c.c.o.Logger.Error("notes of a change that was not made could not be taken back", "stage", stage, "error", back.Message)
		c.c.notes.Store(old)
	}
	return failed(err)
}

func (c *call) flushStage() (any, *Error) {
	_, s, err := c.stage()
	if err != nil {
		return nil, err
	}
	if err := c.c.o.Stages.Flush(c.r.Context(), s.Name); err != nil {
		return nil, failed(err)
	}
	return nil, nil
}

// flushAuthorizers has nothing to do: there are no authorizers whose answers could be cached.
func (c *call) flushAuthorizers() (any, *Error) {
	_, _, err := c.stage()
	return nil, err
}

type deploymentDoc struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	CreatedDate int64  `json:"createdDate"`
}

func (c *call) deployment(cfg *config.Config) deploymentDoc {
	return deploymentDoc{ID: c.c.deploymentID(), Description: "the gateway's configuration file", CreatedDate: c.c.origin(cfg).Unix()}
}

func (c *call) getDeployments() (any, *Error) {
	cfg, err := c.api()
	if err != nil {
		return nil, err
	}
	return asAny(page([]deploymentDoc{c.deployment(cfg)}, func(d deploymentDoc) string { return d.ID }, c.query))
}

func (c *call) getDeployment() (any, *Error) {
	cfg, err := c.api()
	if err != nil {
		return nil, err
	}
	if d := c.deployment(cfg); d.ID == c.part(3) {
		return d, nil
	}
	return nil, notFound("Invalid Deployment identifier specified")
}

func (c *call) getResources() (any, *Error) {
	if _, err := c.api(); err != nil {
		return nil, err
	}
	embed := false
	for _, e := range c.query["embed"] {
		embed = embed || e == "methods"
	}
	var all []resourceDoc
	for _, r := range resources(c.c.o.Stages.File()) {
		all = append(all, r.document(embed))
	}
	return asAny(page(all, func(d resourceDoc) string { return d.ID }, c.query))
}

func (c *call) resource() (*resource, *Error) {
	if _, err := c.api(); err != nil {
		return nil, err
	}
	for _, r := range resources(c.c.o.Stages.File()) {
		if resourceID(r.path) == c.part(3) {
			return r, nil
		}
	}
	return nil, notFound("Invalid Resource identifier specified")
}

func (c *call) getResource() (any, *Error) {
	r, err := c.resource()
	if err != nil {
		return nil, err
	}
	return r.document(c.query.Get("embed") == "methods"), nil
}

func (c *call) getMethod() (any, *Error) {
	r, err := c.resource()
	if err != nil {
		return nil, err
	}
	if _, ok := r.methods[c.part(5)]; !ok {
		return nil, notFound("Invalid Method identifier specified")
	}
	return r.method(c.part(5)), nil
}

func (c *call) getIntegration() (any, *Error) {
	r, err := c.resource()
	if err != nil {
		return nil, err
	}
	if _, ok := r.methods[c.part(5)]; !ok {
		return nil, notFound("Invalid Integration identifier specified")
	}
	return r.integration(c.part(5)), nil
}

func (c *call) getAccount() (any, *Error) {
	return map[string]any{
		"apiKeyVersion": "4", "features": []string{"UsagePlans"},
		"throttleSettings": map[string]any{"burstLimit": usualBurst, "rateLimit": decimal(usualRate)},
	}, nil
}

func marshalNotes(n *notes) ([]byte, error) { return json.MarshalIndent(n, "", "  ") }
