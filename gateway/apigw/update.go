package apigw

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"stagecache/gateway/config"
)

// update works out what the operations of one UpdateStage come to. It changes nothing but its own copies.
type update struct {
	stage      *config.Stage // as it works
	file       *config.Stage // as the file has it
	deployment string
	overridden func(entry string) bool

	change Change
	notes  *stageNotes // a copy
	inert  []string    // paths that were kept and mean nothing here
}

// apply does one operation after the other; the first that cannot be done ends it.
func (u *update) apply(ops []patchOperation) *Error {
	u.change.Entries = make(map[string]*Values)
	for _, op := range ops {
		if err := u.one(op); err != nil {
			return err
		}
	}
	return nil
}

func (u *update) one(op patchOperation) *Error {
	if op.Op == "copy" {
		return u.promote(op)
	}
	if key, what, ok := methodPath(op.Path); ok {
		if op.Op != "replace" {
			return unsupported(op)
		}
		return u.method(op, key, what)
	}
	if op.Op == "remove" {
		return u.remove(op)
	}
	if op.Op != "replace" && op.Op != "add" {
		return unsupported(op)
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	switch {
	case !strings.HasPrefix(op.Path, "/"):
	case name == "canarySettings" && rest != "":
		return badRequest("Canary releases are not supported: the gateway's stages have one deployment each")
	case name == "variables" && rest != "" || op.Path == "/accessLogSettings" || name == "accessLogSettings" && (rest == "format" || rest == "destinationArn"):
		return u.kept(op, name, rest)
	case rest != "":
	default:
		if known, err := u.plain(op, name); known {
			return err
		}
	}
	return unknownPath(op.Path)
}

// plain are the stage's own members.
func (u *update) plain(op patchOperation, name string) (known bool, err *Error) {
	if op.Op == "add" && slices.Contains([]string{"cacheClusterEnabled", "cacheClusterSize", "deploymentId", "description", "tracingEnabled", "clientCertificateId"}, name) {
		return true, unsupported(op)
	}
	switch name {
	case "cacheClusterEnabled":
		on, err := boolean(op)
		if err == nil {
			u.change.Enabled = &on
		}
		return true, err
	case "cacheClusterSize":
		n, err := bytesOf(op.Value)
		if err == nil {
			u.change.Capacity = &n
		}
		return true, err
	case "deploymentId":
		if op.Value != u.deployment {
			return true, badRequest("Deployment id does not exist")
		}
		return true, nil
	case "clientCertificateId":
		if op.Value == "" {
			return true, nil
		}
		return true, badRequest("Client certificates are not supported: name one for the backend in the gateway's configuration file (backends.NAME.tls)")
	case "description":
		u.notes.Description = op.Value
		return true, nil
	case "tracingEnabled":
		on, err := boolean(op)
		if err == nil {
			u.notes.Tracing = on
			u.inert = append(u.inert, op.Path)
		}
		return true, err
	}
	return false, nil
}

// kept are members that are stored for who sent them.
func (u *update) kept(op patchOperation, name, rest string) *Error {
	u.inert = append(u.inert, op.Path)
	if name == "variables" {
		vars := maps.Clone(u.notes.Variables)
		if vars == nil {
			vars = make(map[string]string)
		}
		vars[unescape(rest)] = op.Value
		u.notes.Variables = vars
		return nil
	}
	l := accessLog{}
	if u.notes.AccessLog != nil {
		l = *u.notes.AccessLog
	}
	switch rest {
	case "format":
		l.Format = op.Value
	case "destinationArn":
		l.DestinationARN = op.Value
	default:
		return unsupported(op) // the whole can be removed only
	}
	u.notes.AccessLog = &l
	return nil
}

func (u *update) remove(op patchOperation) *Error {
	name, rest, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	switch {
	case !strings.HasPrefix(op.Path, "/"):
	case name == "canarySettings":
		return badRequest("Canary releases are not supported: there is none to remove")
	case name == "variables" && rest != "":
		vars := maps.Clone(u.notes.Variables)
		delete(vars, unescape(rest))
		u.notes.Variables = vars
		return nil
	case op.Path == "/accessLogSettings":
		u.notes.AccessLog = nil
		return nil
	case op.Path == "/accessLogSettings/format", op.Path == "/accessLogSettings/destinationArn":
		u.removeAccessLog(rest)
		return nil
	case rest == "" && slices.Contains([]string{"description", "cacheClusterEnabled", "cacheClusterSize", "deploymentId", "tracingEnabled", "clientCertificateId", "variables"}, name):
		return unsupported(op)
	default:
		key := op.Path[1:]
		entry, ok := u.entry(key)
		if !ok {
			break
		}
		v, changed := u.change.Entries[entry]
		there := u.overridden(entry) || u.notes.Entries[shape(entry)] != nil
		if changed {
			there = v != nil
		}
		if !there {
			return badRequest("Cannot remove method setting %s because there is no method setting for this method ", key)
		}
		u.change.Entries[entry] = nil
		delete(u.notes.Entries, shape(entry))
		return nil
	}
	return unknownPath(op.Path)
}

// removeAccessLog removes one of the two values.
func (u *update) removeAccessLog(member string) {
	if u.notes.AccessLog == nil {
		return
	}
	l := *u.notes.AccessLog
	if member == "format" {
		l.Format = ""
	} else {
		l.DestinationARN = ""
	}
	if u.notes.AccessLog = &l; l == (accessLog{}) {
		u.notes.AccessLog = nil
	}
}

// entry finds the entry that a key means, also one that an operation before this one has made.
func (u *update) entry(key string) (string, bool) {
	entry, ok := entryFor(u.stage, key)
	for known := range u.change.Entries {
		if shape(known) == shape(entry) {
			return known, ok
		}
	}
	return entry, ok
}

// method changes one setting of one entry. The first change of an entry copies all its values.
func (u *update) method(op patchOperation, key, what string) *Error {
	entry, ok := u.entry(key)
	if !ok {
		return unknownPath(op.Path)
	}
	v := u.change.Entries[entry]
	if v == nil {
		s := config.EntrySettings(u.stage, entry)
		if _, removed := u.change.Entries[entry]; removed {
			s = config.EntrySettings(u.file, entry) // by an operation before this one
		}
		v = &Values{Caching: s.Caching, TTL: s.TTL, Encrypt: s.Encrypt, RequireAuthorization: s.RequireAuthorization, Strategy: s.Strategy}
	}
	m := u.notes.entry(entry, key)
	var err *Error
	switch what {
	case "caching/enabled":
		v.Caching, err = boolean(op)
	case "caching/ttlInSeconds":
		v.TTL, err = u.ttl(op)
	case "caching/dataEncrypted":
		v.Encrypt, err = boolean(op)
	case "caching/requireAuthorizationForCacheControl":
		v.RequireAuthorization, err = boolean(op)
	case "caching/unauthorizedCacheControlHeaderStrategy":
		v.Strategy, err = oneOf(op, config.FailWith403, config.SucceedWithResponseHeader, config.SucceedWithoutResponseHeader)
	default:
		u.inert = append(u.inert, op.Path)
		err = m.inert(op, what)
	}
	if err == nil {
		u.change.Entries[entry] = v
	}
	return err
}

// inert keeps a setting that means nothing here.
func (m *methodNotes) inert(op patchOperation, what string) (err *Error) {
	switch what {
	case "metrics/enabled":
		m.Metrics, err = boolean(op)
	case "logging/dataTrace":
		m.DataTrace, err = boolean(op)
	case "logging/loglevel":
		m.Logging, err = oneOf(op, "OFF", "ERROR", "INFO")
	case "throttling/burstLimit":
		n, bad := strconv.Atoi(op.Value)
		if bad != nil || n < -1 {
			return invalid(op, "a whole number, or -1 for no limit")
		}
		m.Burst = &n
	case "throttling/rateLimit":
		f, bad := strconv.ParseFloat(op.Value, 64)
		if bad != nil || strings.ContainsAny(op.Value, "_xX") || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 && f != -1 {
			return invalid(op, "a number, or -1 for no limit")
		}
		m.Rate = &f
	}
	return err
}

// promote answers "copy", with which a canary takes over. There are none.
func (u *update) promote(op patchOperation) *Error {
	from := []string{"/canarySettings/deploymentId", "/canarySettings/stageVariableOverrides"}
	if op.Path != "/deploymentId" && op.Path != "/variables" || !slices.Contains(from, op.From) {
		return badRequest("Invalid copy operation with path: %s and from %s. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [%s]",
			op.Path, op.From, strings.Join(from, ", "))
	}
	return badRequest("Promotion not available. Canary does not exist.")
}

// methodSettings are the parts of a patch path that follow the key of a method.
var methodSettings = []string{
	"metrics/enabled", "logging/dataTrace", "logging/loglevel", "throttling/burstLimit", "throttling/rateLimit",
	"caching/ttlInSeconds", "caching/enabled", "caching/dataEncrypted",
	"caching/requireAuthorizationForCacheControl", "caching/unauthorizedCacheControlHeaderStrategy",
}

// methodPath takes "/~1products/GET/caching/enabled" apart.
func methodPath(path string) (key, what string, ok bool) {
	for _, what := range methodSettings {
		if head, found := strings.CutSuffix(path, "/"+what); found && len(head) > 1 && head[0] == '/' {
			return head[1:], what, true
		}
	}
	return "", "", false
}

func (u *update) ttl(op patchOperation) (time.Duration, *Error) {
	n, err := strconv.ParseInt(op.Value, 10, 64)
	most := int64(u.stage.Cache.MaxTTL / time.Second)
	if err != nil || n < 0 || n > most {
		return 0, invalid(op, "a whole number of seconds from 0 to "+strconv.FormatInt(most, 10)+", the stage's max_ttl")
	}
	return time.Duration(n) * time.Second, nil
}

func boolean(op patchOperation) (bool, *Error) {
	switch {
	case strings.EqualFold(op.Value, "true"):
		return true, nil
	case strings.EqualFold(op.Value, "false"):
		return false, nil
	}
	return false, invalid(op, "true or false")
}

func oneOf(op patchOperation, values ...string) (string, *Error) {
	if slices.Contains(values, op.Value) {
		return op.Value, nil
	}
	return "", invalid(op, "one of ["+strings.Join(values, ", ")+"]")
}

func invalid(op patchOperation, want string) *Error {
	return badRequest("Invalid value %q specified for path %s: it must be %s", clip(op.Value), op.Path, want)
}

func unsupported(op patchOperation) *Error {
	return badRequest("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations", op.Path, op.Op)
}

// patchPaths is API Gateway's own list, with its odd commas.
const patchPaths = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, " +
	"/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, " +
	"/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, " +
	"/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, " +
	"/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, " +
	"/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, " +
	"/*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, " +
	"/*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, " +
	"/*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled"

func unknownPath(path string) *Error {
	return badRequest("Invalid method setting path: %s. Must be one of: [%s]", path, patchPaths)
}

func unescape(s string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(s) }

// clip bounds a client's text in an answer.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}
