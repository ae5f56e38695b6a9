package apigw

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asJSON compares as clients see it: numbers are numbers, booleans are booleans.
func asJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAStageHasEverySettingOfTheFile(t *testing.T) {
	r := newRig(t)
	got := r.stage()
	for _, name := range []string{"createdDate", "lastUpdatedDate"} {
		if n, ok := got[name].(float64); !ok || n < 1e9 {
			t.Errorf("%s is %v, want seconds as a number", name, got[name])
		}
		delete(got, name)
	}
	id := r.do("GET", "/restapis/shop/deployments", "").v["item"].([]any)[0].(map[string]any)["id"]
	want := asJSON(t, `{"stageName":"prod","cacheClusterEnabled":true,"cacheClusterSize":"6.1","cacheClusterStatus":"AVAILABLE","tracingEnabled":false,
		"methodSettings":{
		"*/*":{"cacheDataEncrypted":true,"cacheTtlInSeconds":120,"cachingEnabled":true,"dataTraceEnabled":false,"metricsEnabled":false,
			"requireAuthorizationForCacheControl":true,"throttlingBurstLimit":5000,"throttlingRateLimit":10000.0,"unauthorizedCacheControlHeaderStrategy":"SUCCEED_WITH_RESPONSE_HEADER"},
		"~1products~1{id}/GET":{"cacheDataEncrypted":true,"cacheTtlInSeconds":60,"cachingEnabled":true,"dataTraceEnabled":false,"metricsEnabled":false,
			"requireAuthorizationForCacheControl":true,"throttlingBurstLimit":5000,"throttlingRateLimit":10000.0,"unauthorizedCacheControlHeaderStrategy":"SUCCEED_WITH_RESPONSE_HEADER"},
		"~1search/POST":{"cacheDataEncrypted":true,"cacheTtlInSeconds":120,"cachingEnabled":true,"dataTraceEnabled":false,"metricsEnabled":false,
			"requireAuthorizationForCacheControl":true,"throttlingBurstLimit":5000,"throttlingRateLimit":10000.0,"unauthorizedCacheControlHeaderStrategy":"SUCCEED_WITH_RESPONSE_HEADER"}}}`)
	want["deploymentId"] = id
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	dev := r.do("GET", "/restapis/shop/stages/dev", "").v
	if dev["cacheClusterEnabled"] != false || dev["cacheClusterStatus"] != "NOT_AVAILABLE" || dev["cacheClusterSize"] != "0.5" {
		t.Errorf("a stage whose cache is off: %v", dev)
	}
}

func TestRatesAreWrittenWithTheirPoint(t *testing.T) {
	for v, want := range map[decimal]string{10000: "10000.0", -1: "-1.0", 0.5: "0.5"} {
		if b, err := json.Marshal(v); err != nil || string(b) != want {
			t.Errorf("%v is %s, %v, want %s", float64(v), b, err, want)
		}
	}
}

func TestSizesGoThereAndBack(t *testing.T) {
	for _, s := range sizes {
		n, err := bytesOf(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := gigabytes(n); got != s {
			t.Errorf("%s comes back as %s", s, got)
		}
	}
	for n, want := range map[int64]string{64_000_000: "0.064", 8 << 20: "0.008388608", 1_000_000_000_000: "1000"} {
		if got := gigabytes(n); got != want {
			t.Errorf("%d bytes are %s GB, want %s", n, got, want)
		}
	}
}
