package apigw

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryPatchPathIsTaken(t *testing.T) {
	id := deploymentID(parse(t))
	for _, c := range []struct {
		path, value, key, member string
		want                     any
	}{
		{"/cacheClusterEnabled", "false", "", "cacheClusterEnabled", false},
		{"/cacheClusterSize", "237", "", "cacheClusterSize", "237"},
		{"/description", "the shop", "", "description", "the shop"},
		{"/tracingEnabled", "true", "", "tracingEnabled", true},
		{"/deploymentId", id, "", "deploymentId", id},
		{"/variables/colour", "blue", "", "variables", map[string]any{"colour": "blue"}},
		{"/accessLogSettings/format", "$context.requestId", "", "accessLogSettings", map[string]any{"format": "$context.requestId"}},
		{"/accessLogSettings/destinationArn", "arn:aws:logs:x", "", "accessLogSettings", map[string]any{"destinationArn": "arn:aws:logs:x"}},
		{"/*/*/caching/enabled", "false", "*/*", "cachingEnabled", false},
		{"/*/*/caching/ttlInSeconds", "3600", "*/*", "cacheTtlInSeconds", 3600.0},
		{"/*/*/caching/dataEncrypted", "false", "*/*", "cacheDataEncrypted", false},
		{"/*/*/caching/requireAuthorizationForCacheControl", "false", "*/*", "requireAuthorizationForCacheControl", false},
		{"/*/*/caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403", "*/*", "unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"},
		{"/*/*/metrics/enabled", "true", "*/*", "metricsEnabled", true},
		{"/*/*/logging/dataTrace", "true", "*/*", "dataTraceEnabled", true},
		{"/*/*/logging/loglevel", "INFO", "*/*", "loggingLevel", "INFO"},
		{"/*/*/throttling/burstLimit", "-1", "*/*", "throttlingBurstLimit", -1.0},
		{"/*/*/throttling/rateLimit", "-1.000000", "*/*", "throttlingRateLimit", -1.0},
		{"/~1products~1{id}/GET/caching/ttlInSeconds", "7", "~1products~1{id}/GET", "cacheTtlInSeconds", 7.0},
		{"/~1/GET/caching/enabled", "False", "~1/GET", "cachingEnabled", false},
		{"/~1a~1b/POST/caching/enabled", "true", "~1a~1b/POST", "cachingEnabled", true},
		{"/a/b/GET/caching/ttlInSeconds", "0", "a/b/GET", "cacheTtlInSeconds", 0.0},
		{"//tenant/{x}/codes/GET/caching/ttlInSeconds", "9", "/tenant/{x}/codes/GET", "cacheTtlInSeconds", 9.0},
		{"/{proxy+}/ANY/caching/ttlInSeconds", "9", "{proxy+}/ANY", "cacheTtlInSeconds", 9.0},
	} {
		r := newRig(t)
		got := r.patch(replace(c.path, c.value))
		if got.status != 200 {
			t.Errorf("%s: %d %s", c.path, got.status, got.text)
			continue
		}
		for from, v := range map[string]map[string]any{"UpdateStage": got.v, "GetStage": r.stage()} {
			if c.key != "" {
				v, _ = v["methodSettings"].(map[string]any)[c.key].(map[string]any)
			}
			if d := cmp.Diff(c.want, v[c.member]); d != "" {
				t.Errorf("%s %s: %s", from, c.path, d)
			}
		}
		r.start()
		if d := cmp.Diff(got.v, r.stage()); d != "" {
			t.Errorf("%s: after a restart: %s", c.path, d)
		}
	}
}

func TestWhatIsWrongWithAPatchIsSaidInItsWords(t *testing.T) {
	unknown := ". Must be one of: [/deploymentId, /description, /cacheClusterEnabled, "
	for _, c := range []struct{ ops, kind, message string }{
		{replace("/nothing", "x"), "BadRequestException", "Invalid method setting path: /nothing" + unknown},
		{replace("cacheClusterEnabled", "true"), "BadRequestException", "Invalid method setting path: cacheClusterEnabled" + unknown},
		{replace("/*/*/caching/nothing", "x"), "BadRequestException", "Invalid method setting path: /*/*/caching/nothing" + unknown},
		{replace("/*/GET/caching/enabled", "true"), "BadRequestException", "Invalid method setting path: /*/GET/caching/enabled" + unknown},
		{replace("/a/FETCH/caching/enabled", "true"), "BadRequestException", "Invalid method setting path: /a/FETCH/caching/enabled" + unknown},
		{replace("/a{b/GET/caching/enabled", "true"), "BadRequestException", "Invalid method setting path: /a{b/GET/caching/enabled" + unknown},
		{replace("", "true"), "BadRequestException", "Invalid method setting path: " + unknown},
		{op("op", "remove", "path", "/*/*"), "BadRequestException", "Cannot remove method setting */* because there is no method setting for this method "},
		{op("op", "remove", "path", "/~1products~1{id}/GET"), "BadRequestException", "Cannot remove method setting ~1products~1{id}/GET because there is no method setting for this method "},
		{op("op", "remove", "path", "/*/*/caching/enabled"), "BadRequestException", "Invalid patch path  '/*/*/caching/enabled' specified for op 'remove'. Please choose supported operations"},
		{op("op", "add", "path", "/cacheClusterEnabled", "value", "true"), "BadRequestException", "Invalid patch path  '/cacheClusterEnabled' specified for op 'add'. Please choose supported operations"},
		{op("op", "move", "path", "/description", "from", "/x"), "BadRequestException", "Invalid patch path  '/description' specified for op 'move'. Please choose supported operations"},
		{op("op", "subtract", "path", "/description"), "ValidationException", "1 validation error detected: Value 'subtract' at 'updateStageInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]"},
		{replace("/description", "x") + "," + op("op", "x", "path", "/description"), "ValidationException", "'updateStageInput.patchOperations.2.member.op'"},
		{`{"op":"replace","path":"/cacheClusterEnabled","value":true}`, "SerializationException", "class java.lang.Boolean can not be converted to an String"},
		{`{"op":"replace","path":"/*/*/caching/ttlInSeconds","value":5}`, "SerializationException", "class java.lang.Integer can not be converted to an String"},
		{`"x"`, "SerializationException", "patchOperations is not a list of objects"},
		{`{`, "SerializationException", "not valid JSON"},
		{replace("/deploymentId", "nope"), "BadRequestException", "Deployment id does not exist"},
		{op("op", "copy", "path", "/deploymentId", "from", "/canarySettings/deploymentId"), "BadRequestException", "Promotion not available. Canary does not exist."},
		{op("op", "copy", "path", "/canarySettings/x", "from", "/variables"), "BadRequestException", "Invalid copy operation with path: /canarySettings/x and from /variables. Valid copy:path are [/deploymentId, /variables]"},
		{replace("/canarySettings/percentTraffic", "10"), "BadRequestException", "Canary releases are not supported"},
		{replace("/cacheClusterSize", "7"), "BadRequestException", "Must be one of: [0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237]"},
		{replace("/cacheClusterEnabled", "yes"), "BadRequestException", "must be true or false"},
		{replace("/*/*/caching/ttlInSeconds", "3601"), "BadRequestException", "from 0 to 3600"},
		{replace("/*/*/caching/ttlInSeconds", "-1"), "BadRequestException", "from 0 to 3600"},
		{replace("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "FAIL"), "BadRequestException", "[FAIL_WITH_403, SUCCEED_WITH_RESPONSE_HEADER, SUCCEED_WITHOUT_RESPONSE_HEADER]"},
		{replace("/*/*/throttling/rateLimit", "NaN"), "BadRequestException", "-1 for no limit"},
		{replace("/*/*/throttling/rateLimit", "1_0"), "BadRequestException", "-1 for no limit"},
		{replace("/clientCertificateId", "abc"), "BadRequestException", "Client certificates are not supported"},
	} {
		r := newRig(t)
		before := r.stage()
		got := r.patch(c.ops)
		if got.status != 400 || got.header.Get("x-amzn-ErrorType") != c.kind || !strings.Contains(got.v["message"].(string), c.message) {
			t.Errorf("%s:\n%d %s %s\nwant 400 %s %s", c.ops, got.status, got.header.Get("x-amzn-ErrorType"), got.text, c.kind, c.message)
		}
		// One wrong operation makes all of them undone, wherever it stands.
		r.patch(replace("/~1search/POST/caching/ttlInSeconds", "1"), replace("/description", "x"), c.ops)
		if d := cmp.Diff(before, r.stage()); d != "" || len(r.stages.changes) > 0 {
			t.Errorf("%s: a refused patch has changed something: %s", c.ops, d)
		}
	}
}

// What terraform-provider-aws looks for when a setting that it removes is gone already.
func TestRemovingNothingSaysWhatTerraformLooksFor(t *testing.T) {
	if got := newRig(t).patch(op("op", "remove", "path", "/*/*")); !strings.Contains(got.text, "no method setting for this method") {
		t.Error(got.text)
	}
}

func TestAnEntryIsACopyAndInheritsNothing(t *testing.T) {
	r := newRig(t)
	r.patched(replace("/*/*/caching/ttlInSeconds", "300"), replace("/*/*/caching/dataEncrypted", "false"))
	got := r.patched(replace("/test/GET/logging/dataTrace", "true"))["test/GET"].(map[string]any)
	if got["cacheTtlInSeconds"] != 300.0 || got["cacheDataEncrypted"] != false || got["dataTraceEnabled"] != true {
		t.Errorf("a new entry is no copy of the stage's values: %v", got)
	}
	got = r.patched(replace("/*/*/caching/ttlInSeconds", "5"))
	if ttl := got["test/GET"].(map[string]any)["cacheTtlInSeconds"]; ttl != 300.0 {
		t.Errorf("a change of */* has changed another entry: %v", ttl)
	}
	if v := r.stages.changes[1].Entries["GET /test"]; v == nil || *v != (Values{Caching: true, TTL: 300 * time.Second, RequireAuthorization: true, Strategy: "SUCCEED_WITH_RESPONSE_HEADER"}) {
		t.Errorf("the gateway was told %+v", v)
	}
}

// What has no effect here is copied like the rest.
func TestACopyHasTheStagesOtherSettings(t *testing.T) {
	r := newRig(t)
	r.patched(replace("/*/*/metrics/enabled", "true"), replace("/*/*/logging/loglevel", "INFO"), replace("/*/*/throttling/burstLimit", "7"))
	r.patched(replace("/test/GET/caching/ttlInSeconds", "5"))
	got := r.patched(replace("/*/*/metrics/enabled", "false"), replace("/*/*/throttling/burstLimit", "8"))["test/GET"].(map[string]any)
	if got["metricsEnabled"] != true || got["loggingLevel"] != "INFO" || got["throttlingBurstLimit"] != 7.0 {
		t.Errorf("got %v", got)
	}
}

func TestPartsOfTheAccessLogAreRemoved(t *testing.T) {
	r := newRig(t)
	r.patched(replace("/accessLogSettings/format", "f"), replace("/accessLogSettings/destinationArn", "d"))
	r.patched(op("op", "remove", "path", "/accessLogSettings/format"))
	if got := r.stage()["accessLogSettings"]; fmt.Sprint(got) != "map[destinationArn:d]" {
		t.Errorf("got %v", got)
	}
	r.patched(op("op", "remove", "path", "/accessLogSettings/destinationArn"), op("op", "remove", "path", "/accessLogSettings/format"))
	if got, there := r.stage()["accessLogSettings"]; there {
		t.Errorf("got %v", got)
	}
}

func TestOtherMethodsAreNotCachedByACopy(t *testing.T) {
	r := newRig(t)
	got := r.patched(replace("/a/POST/caching/ttlInSeconds", "5"), replace("/a/GET/caching/ttlInSeconds", "5"))
	if got["a/POST"].(map[string]any)["cachingEnabled"] != false || got["a/GET"].(map[string]any)["cachingEnabled"] != true {
		t.Errorf("got %v", got)
	}
}

func TestAllSpellingsMeanOneMethod(t *testing.T) {
	r := newRig(t)
	keys := []string{"~1products~1{id}/GET", "products/{id}/GET", "/products/{id}/GET", "products~1{other}/GET"}
	for i, key := range keys {
		r.patched(replace("/"+key+"/caching/ttlInSeconds", string(rune('1'+i))))
	}
	got := r.stage()["methodSettings"].(map[string]any)
	for _, key := range keys {
		if v, ok := got[key].(map[string]any); !ok || v["cacheTtlInSeconds"] != 4.0 {
			t.Errorf("%s is %v, want the last value under every spelling", key, got[key])
		}
	}
	for _, c := range r.stages.changes {
		if k := slices.Collect(maps.Keys(c.Entries)); !slices.Equal(k, []string{"GET /products/{id}"}) {
			t.Errorf("the gateway was told of %v", k)
		}
	}
	if got := r.patched(op("op", "remove", "path", "/"+keys[1])); len(got) != 3 || got["~1products~1{id}/GET"].(map[string]any)["cacheTtlInSeconds"] != 60.0 {
		t.Errorf("removed under one spelling, the file's value is not back: %v", got)
	}
}

func TestARemovedEntryIsGoneOrTheFilesAgain(t *testing.T) {
	r := newRig(t)
	r.patched(replace("/*/*/caching/ttlInSeconds", "9"), replace("/new/GET/caching/ttlInSeconds", "9"))
	got := r.patched(op("op", "remove", "path", "/new/GET"), op("op", "remove", "path", "/*/*"))
	if got["*/*"].(map[string]any)["cacheTtlInSeconds"] != 120.0 || got["new/GET"] != nil {
		t.Errorf("got %v", got)
	}
	if again := r.patch(op("op", "remove", "path", "/*/*")); again.status != 400 {
		t.Errorf("removed twice: %d", again.status)
	}
	// Within one request: what is removed and set again begins with the file's values.
	r.patched(replace("/*/*/caching/ttlInSeconds", "9"))
	got = r.patched(op("op", "remove", "path", "/*/*"), replace("/*/*/caching/dataEncrypted", "false"))
	if got["*/*"].(map[string]any)["cacheTtlInSeconds"] != 120.0 {
		t.Errorf("got %v", got)
	}
}

func TestWhatTheGatewayRefusesIsSaidAndForgotten(t *testing.T) {
	r := newRig(t)
	before := r.stage()
	r.stages.err = errors.New("stage prod is to be encrypted, but there is no root key")
	got := r.patch(replace("/*/*/caching/dataEncrypted", "true"), replace("/description", "x"))
	if got.status != 400 || !strings.Contains(got.text, "there is no root key") {
		t.Errorf("%d %s", got.status, got.text)
	}
	r.start()
	if d := cmp.Diff(before, r.stage()); d != "" {
		t.Errorf("something was kept: %s", d)
	}
	r.stages.err = fmt.Errorf("what was set cannot be kept: %w", &fs.PathError{Op: "write", Path: "overrides.json", Err: syscall.ENOSPC})
	if got := r.patch(replace("/*/*/caching/ttlInSeconds", "1")); got.status != 500 {
		t.Errorf("a full disk: %d %s", got.status, got.text)
	}
	r.stages.err, r.notes.err = nil, errors.New("disk full")
	if got := r.patch(replace("/description", "x"), replace("/*/*/caching/ttlInSeconds", "1")); got.status != 500 || got.header.Get("x-amzn-ErrorType") != "InternalServerErrorException" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if d := cmp.Diff(before, r.stage()); d != "" || len(r.stages.changes) > 0 {
		t.Errorf("what could not be stored counts: %s", d)
	}
}

// What is set at run time is recorded by whoever sets it; the rest is, too.
func TestEveryChangeIsRecordedOnce(t *testing.T) {
	r := newRig(t)
	r.patched(replace("/*/*/caching/ttlInSeconds", "1"), replace("/description", "x"))
	r.patched(replace("/description", "y"), op("op", "remove", "path", "/variables/a"))
	r.patched()
	r.patch(replace("/nothing", "y"))
	r.do("PUT", "/tags/arn:aws:apigateway:eu-west-1::/restapis/shop", `{"tags":{"a":"b"}}`)
	if want := []string{"prod: replace /description", "prod: replace /description; remove /variables/a", ": tags set: a"}; !slices.Equal(r.recorded, want) || len(r.stages.changes) != 1 {
		t.Errorf("recorded %q and %d changes, want %q and one", r.recorded, len(r.stages.changes), want)
	}
}

// A new entry is no new resource, and no new deployment: those are the file's.
func TestWhatIsSetIsNoDeployment(t *testing.T) {
	r := newRig(t)
	before, list := r.stage()["deploymentId"], r.do("GET", "/restapis/shop/resources", "").text
	r.patched(replace("/new/path/GET/caching/ttlInSeconds", "1"))
	if r.stage()["deploymentId"] != before || r.do("GET", "/restapis/shop/resources", "").text != list {
		t.Error("a setting has changed the deployment or the resources")
	}
}

// Reading does not wait for a change that takes its time.
func TestReadingDoesNotWaitForAChange(t *testing.T) {
	r := newRig(t)
	var during map[string]any
	r.stages.changing = func() { during = r.stage() }
	r.patched(replace("/*/*/caching/ttlInSeconds", "1"))
	if during["stageName"] != "prod" {
		t.Errorf("got %v", during)
	}
}
