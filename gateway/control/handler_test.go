package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stagecache/gateway/config"
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

// A path that is not clean is not redirected: that would be a page in HTML.
func TestAPathThatIsNotCleanIsNowhere(t *testing.T) {
	h := Handler(&fake{}, HandlerOptions{})
	for _, path := range []string{"//v1/stats", "/v1/stages/../stats", "/v1/stats/"} {
		if status, v, _ := send(t, h, "GET", path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", path, status, v)
		}
	}
}

func TestEveryRouteReachesItsService(t *testing.T) {
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v1/stats", "", "stats"},
		{"GET", "/v1/stages", "", "stages"},
		{"GET", "/v1/stages/prod", "", "stage prod"},
		{"HEAD", "/v1/stages/prod", "", "stage prod"},
		{"DELETE", "/v1/stages/gone", "", "remove gone"},
		{"GET", "/v1/stages/prod/stats", "", "stats prod"},
		{"POST", "/v1/keys/rotate", "", "rotate"},
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

func TestMetricsAreAskedForWithGETAlone(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up 1") })
	h := Handler(&fake{}, HandlerOptions{Metrics: page})
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "http://localhost/metrics", nil))
		if w.Code != want || want == 200 && w.Body.String() != "up 1" {
			t.Errorf("%s: %d %q, want %d", method, w.Code, w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	Handler(&fake{}, HandlerOptions{}).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/metrics", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("without metrics: %d, want 404", w.Code)
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
		{"neither", "POST", "/v1/stages/prod/purge", `{}`, 400, "needs a path, a tag or a request"},
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
	notReady := errors.New("the gateway is stopping")
	var log bytes.Buffer
	h := Handler(&fake{}, HandlerOptions{Ready: func() error { return notReady }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if code, _, _ := send(t, h, "GET", "/healthz", ""); code != 200 {
		t.Errorf("healthz before ready: %d", code)
	}
	if code, v, _ := send(t, h, "GET", "/readyz", ""); code != 503 || v["message"] != "the gateway is stopping" {
		t.Errorf("readyz before ready: %d %v", code, v)
	}
	if log.Len() > 0 {
		t.Errorf("a probe is no failure to be logged: %s", &log)
	}
	notReady = nil
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
	if code != 400 || v["message"] != err.Error() || v["hint"] != "the old configuration stays in force" || v["errors"] != nil {
		t.Errorf("bad reload: %d %v", code, v)
	}
	err = &UnreachableError{Message: "no", HintText: "say yes"}
	if _, v, _ := send(t, h, "POST", "/v1/reload", ""); v["hint"] != "say yes; the old configuration stays in force" {
		t.Errorf("the hint of a reload that failed: %v", v)
	}
	err = fmt.Errorf("reload: %w", config.Errors{{File: "f.yaml", Line: 3, Field: "ttl", Message: "is wrong", Hint: "mend it"}, {File: "f.yaml", Message: "too"}})
	_, v, _ = send(t, h, "POST", "/v1/reload", "")
	if list, _ := json.Marshal(v["errors"]); string(list) != `[{"field":"ttl","file":"f.yaml","hint":"mend it","line":3,"message":"is wrong"},{"file":"f.yaml","message":"too"}]` {
		t.Errorf("what is wrong with a configuration: %s", list)
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
