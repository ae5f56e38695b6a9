package apigw

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of API Gateway for tags.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// tagged finds what an ARN names: the API or one of its stages. The region is not looked at, for there is one gateway.
func (c *call) tagged() (stage string, err *Error) {
	arn := c.part(1)
	head, path, ok := strings.Cut(arn, "::/")
	if !ok || !strings.HasPrefix(head, "arn:aws:apigateway:") {
		return "", badRequest("Invalid ARN specified in the request: %q", clip(arn))
	}
	cfg := c.c.o.Stages.Config()
	parts := strings.Split(path, "/")
	switch {
	case len(parts) < 2 || parts[0] != "restapis" || len(parts) != 2 && (len(parts) != 4 || parts[2] != "stages"):
		return "", badRequest("Only the API and its stages have tags: %q is neither", clip(arn))
	case parts[1] != cfg.API.ID:
		return "", notFound(fmt.Sprintf("Invalid API identifier specified %s:%s", cfg.IAM.Account, clip(parts[1])))
	case len(parts) == 2:
		return "", nil
	case findStage(cfg, parts[3]) == nil:
		return "", notFound("Invalid stage identifier specified")
	}
	return parts[3], nil
}

// item gives the notes with the tags of a stage, or of the API.
func (n *notes) item(stage string) *itemNotes {
	if stage == "" {
		return &n.API
	}
	return &n.edit(stage).itemNotes
}

func (c *call) getTags() (any, *Error) {
	stage, err := c.tagged()
	if err != nil {
		return nil, err
	}
	tags := c.c.notes.Load().API.Tags
	if stage != "" {
		tags = c.c.notes.Load().stage(stage).Tags
	}
	if tags == nil {
		tags = map[string]string{}
	}
	return map[string]any{"tags": tags}, nil
}

// changeTags stores what change makes of the tags.
func (c *call) changeTags(what string, change func(tags map[string]string) *Error) (any, *Error) {
	stage, err := c.tagged()
	if err != nil {
		return nil, err
	}
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	next := c.c.notes.Load().clone()
	item := next.item(stage)
	tags := maps.Clone(item.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	if err := change(tags); err != nil {
		return nil, err
	}
	item.Tags = tags
	if err := c.c.keep(next); err != nil {
		return nil, err
	}
	c.c.record(c.r.Context(), stage, what)
	return nil, nil
}

func (c *call) tagResource() (any, *Error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return nil, serialization("tags is not a map of texts")
	}
	return c.changeTags("tags set: "+clip(strings.Join(slices.Sorted(maps.Keys(in.Tags)), ", ")), func(tags map[string]string) *Error {
		for k, v := range in.Tags {
			switch {
			case k == "" || len(k) > maxTagKey || len(v) > maxTagValue:
				return badRequest("A tag's key has 1 to %d characters and its value at most %d", maxTagKey, maxTagValue)
			case strings.HasPrefix(k, "aws:"):
				return badRequest("Tag keys that begin with aws: are reserved")
			}
			tags[k] = v
		}
		if len(tags) > maxTags {
			return badRequest("A resource has at most %d tags", maxTags)
		}
		return nil
	})
}

func (c *call) untagResource() (any, *Error) {
	keys := c.query["tagKeys"]
	if len(keys) == 0 {
		return nil, badRequest("tagKeys is required")
	}
	return c.changeTags("tags removed: "+clip(strings.Join(keys, ", ")), func(tags map[string]string) *Error {
		for _, k := range keys {
			delete(tags, k)
		}
		return nil
	})
}
