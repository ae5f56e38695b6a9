package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// send asks the handler and gives status and decoded body.
func send(t *testing.T, h http.Handler, method, path, body string) (int, map[string]any, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body)))
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: the answer is not JSON: %q", method, path, w.Body)
	}
	return w.Code, v, w.Header()
}

func TestEveryRouteReachesItsService(t *testing.T) {
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v1/stats", "", "stats"},
		{"GET", "/v1/stages", "", "stages"},
		{"GET", "/v1/stages/prod", "", "stage prod"},
		{"HEAD", "/v1/stages/prod", "", "stage prod"},
		{"DELETE", "/v1/stages/gone", "", "remove gone"},
		{"GET", "/v1/stages/prod/stats", "", "stats prod"},
		{"POST", "/v1/stages/prod/flush", "", "flush prod"},
		{"POST", "/v1/stages/prod/purge", `{"path":"/a/*"}`, "purge prod /a/*"},
		{"POST", "/v1/stages/prod/purge", `{"tag":"sale","soft":true}`, "purge prod sale"},
		{"GET", "/v1/stages/odd%2Fname/stats", "", "stats odd/name"},
	} {
		f := &fake{}
		code, v, _ := send(t, Handler(f, HandlerOptions{}), c.method, c.path, c.body)
		if code != http.StatusOK || !slices.Equal(f.asked, []string{c.want}) {
			t.Errorf("%s %s: %d %v, asked for %q, want %q", c.method, c.path, code, v, f.asked, c.want)
		}
	}
}

func TestWhatIsWrongWithARequestIsSaidInJSON(t *testing.T) {
	for _, c := range []struct {
		name, method, path, body string
		want                     int
		message                  string
	}{
		{"no such place", "GET", "/v2/stats", "", 404, "nothing at /v2/stats"},
		{"no such stage", "GET", "/v1/stages/none/stats", "", 404, `there is no stage "none"`},
		{"wrong method", "GET", "/v1/stages/prod/flush", "", 405, "takes POST"},
		{"wrong method for a stream", "GET", "/v1/stages/prod/compact", "", 405, "takes POST"},
		{"wrong method for two", "PUT", "/v1/stages/prod", "", 405, "takes DELETE, GET"},
		{"a purge sent to flush", "POST", "/v1/stages/prod/flush", `{"path":"/a"}`, 400, "takes no body"},
		{"no purge", "POST", "/v1/stages/prod/purge", "", 400, "reading the purge"},
		{"unknown field", "POST", "/v1/stages/prod/purge", `{"pth":"/a"}`, 400, "pth"},
		{"two purges", "POST", "/v1/stages/prod/purge", `{"path":"/a"}{"path":"/b"}`, 400, "there is more"},
		{"neither", "POST", "/v1/stages/prod/purge", `{}`, 400, "needs a path or a tag"},
		{"both", "POST", "/v1/stages/prod/purge", `{"path":"/a","tag":"b"}`, 400, "not both"},
		{"too large", "POST", "/v1/stages/prod/purge", strings.Repeat(" ", maxBody+1), 413, "larger than"},
		{"no reload offered", "POST", "/v1/reload", "", 404, "nothing at"},
	} {
		f := &fake{}
		code, v, header := send(t, Handler(f, HandlerOptions{}), c.method, c.path, c.body)
		message, _ := v["message"].(string)
		if code != c.want || !strings.Contains(message, c.message) {
			t.Errorf("%s: %d %v, want %d and %q", c.name, code, v, c.want, c.message)
		}
		if len(f.asked) > 0 {
			t.Errorf("%s: the service was asked %q", c.name, f.asked)
		}
		if code == 405 && header.Get("Allow") == "" {
			t.Errorf("%s: no Allow header", c.name)
		}
	}
}

func TestReadinessIsToldApartFromLife(t *testing.T) {
	ready := false
	h := Handler(&fake{}, HandlerOptions{Ready: func() bool { return ready }})
	if code, _, _ := send(t, h, "GET", "/healthz", ""); code != 200 {
		t.Errorf("healthz before ready: %d", code)
	}
	if code, _, _ := send(t, h, "GET", "/readyz", ""); code != 503 {
		t.Errorf("readyz before ready: %d", code)
	}
	ready = true
	if code, _, _ := send(t, h, "GET", "/readyz", ""); code != 200 {
		t.Errorf("readyz: %d", code)
	}
}

func TestReloadTellsWhyNot(t *testing.T) {
	var err error
	h := Handler(&fake{}, HandlerOptions{Reload: func(context.Context) error { return err }})
	if code, _, _ := send(t, h, "POST", "/v1/reload", ""); code != 200 {
		t.Errorf("reload: %d", code)
	}
	err = errors.New("stagecache.yaml:3: ttl: is too long")
	code, v, _ := send(t, h, "POST", "/v1/reload", "")
	if code != 400 || v["message"] != err.Error() || v["hint"] == nil {
		t.Errorf("bad reload: %d %v", code, v)
	}
}

// panics is a Service of which nothing works.
type panics struct{ Service }

func TestAPanicIsAnAnswer(t *testing.T) {
	h := Handler(panics{}, HandlerOptions{})
	for path, method := range map[string]string{"/v1/stats": "GET", "/v1/stages/prod/compact": "POST"} {
		if code, v, _ := send(t, h, method, path, ""); code != 500 || v["message"] == nil {
			t.Errorf("%s: %d %v", path, code, v)
		}
	}
}

func TestFailuresOfAStoreAre500(t *testing.T) {
	f := &fake{err: errors.New("stage prod: the disk is full")}
	code, v, _ := send(t, Handler(f, HandlerOptions{}), "POST", "/v1/stages/prod/flush", "")
	if code != 500 || v["message"] != f.err.Error() {
		t.Errorf("%d %v", code, v)
	}
}
