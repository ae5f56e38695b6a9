package apigw

import (
	"slices"
	"strings"

	"stagecache/gateway/config"
	"stagecache/gateway/policy"
)

// wildcard is the key of a stage's default in methodSettings.
const wildcard = "*/*"

var verbs = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", policy.Any}

// parseKey reads a key of methodSettings: a resource's path and a method, "~1products~1{id}/GET". API Gateway wants the
// slashes of the path written as ~1, and takes without effect what Terraform's users send instead: "products/{id}/GET",
// "/products/{id}/GET". Here all of them mean the same method.
func parseKey(key string) (verb, path string, ok bool) {
	if key == wildcard {
		return "", "", true
	}
	cut := strings.LastIndexByte(key, '/')
	if cut < 0 {
		return "", "", false
	}
	verb, path = key[cut+1:], key[:cut]
	if !slices.Contains(verbs, verb) || path == "*" {
		return "", "", false
	}
	path = strings.NewReplacer("~1", "/", "~0", "~").Replace(path)
	path = "/" + strings.Trim(path, "/")
	if _, err := policy.ParseTemplate(path); err != nil {
		return "", "", false
	}
	return verb, path, true
}

// keyOf is the key under which an entry is shown if no client has another spelling for it.
func keyOf(entry string) string {
	verb, path, _ := strings.Cut(entry, " ")
	if entry == config.DefaultEntry {
		return wildcard
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + verb
}

// entryFor finds the entry of a stage that a key means: one that matches the same requests, whatever its parameters are called,
// else a new one.
func entryFor(s *config.Stage, key string) (string, bool) {
	verb, path, ok := parseKey(key)
	switch {
	case !ok:
		return "", false
	case verb == "":
		return config.DefaultEntry, true
	}
	entry, err := config.EntryName(s, verb+" "+path)
	return entry, err == nil
}

// shape is a template without the names of its parameters.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") && strings.HasSuffix(p, "}") {
			parts[i] = "{}"
			if strings.HasSuffix(p, "+}") {
				parts[i] = "{+}"
			}
		}
	}
	return strings.Join(parts, "/")
}
