package apigw

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/config"
)

const testFile = `
data_dir: /nowhere
encryption: {key_env: UNUSED}
api: {id: shop, name: The shop}
iam: {account: "123456789012", region: eu-west-1}
backends:
  shop: {url: "http://127.0.0.1:9000/api"}
stages:
  dev:
    cache: {enabled: false, capacity: 500MB}
    routes:
      - {path: "/{proxy+}", backend: shop}
  prod:
    cache: {capacity: 6.1GB, memory: 512MB, ttl: 120s}
    methods:
      "GET /products/{id}": {ttl: 60s, cacheKeyParameters: [method.request.path.id, method.request.querystring.q]}
      "POST /search": {caching: true}
    routes:
      - {path: "/", backend: shop}
      - {path: "/{proxy+}", backend: shop}
`

// fakeStages is a configuration in memory whose changes last as long as it does.
type fakeStages struct {
	file, cfg *config.Config
	over      map[string]bool // "prod GET /x"
	flushed   []string
	changes   []Change
	err       error
	changing  func() // called while a change is made
}

func parse(t testing.TB) *config.Config {
	t.Helper()
	cfg, err := config.Parse("stagecache.yaml", []byte(testFile), config.Options{SkipFiles: true})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newFakeStages(t testing.TB) *fakeStages {
	return &fakeStages{file: parse(t), cfg: parse(t), over: make(map[string]bool)}
}

func (f *fakeStages) Config() *config.Config              { return f.cfg }
func (f *fakeStages) File() *config.Config                { return f.file }
func (f *fakeStages) Overridden(stage, entry string) bool { return f.over[stage+" "+entry] }
func (f *fakeStages) Flush(_ context.Context, s string) error {
	if f.err == nil {
		f.flushed = append(f.flushed, s)
	}
	return f.err
}

func (f *fakeStages) Change(_ context.Context, stage string, c Change) error {
	if f.err != nil {
		return f.err
	}
	if f.changing != nil {
		f.changing()
	}
	f.changes = append(f.changes, c)
	s, file := findStage(f.cfg, stage), findStage(f.file, stage)
	if c.Enabled != nil {
		s.Cache.Enabled = *c.Enabled
	}
	if c.Capacity != nil {
		s.Cache.Capacity = *c.Capacity
	}
	for entry, v := range c.Entries {
		f.over[stage+" "+entry] = v != nil
		verb, path, _ := strings.Cut(entry, " ")
		i := slices.IndexFunc(s.Methods, func(m config.Method) bool { return m.Entry() == entry })
		switch {
		case v == nil && entry == config.DefaultEntry:
			s.Default = file.Default
		case v == nil:
			s.Methods = slices.Delete(s.Methods, i, i+1)
			for _, m := range file.Methods {
				if m.Entry() == entry {
					s.Methods = append(s.Methods, m)
				}
			}
		default:
			if entry != config.DefaultEntry && i < 0 {
				i = len(s.Methods)
				s.Methods = append(s.Methods, config.Method{Verb: verb, Template: path, Settings: s.Default})
			}
			to := &s.Default
			if i >= 0 {
				to = &s.Methods[i].Settings
			}
			to.Caching, to.TTL, to.Encrypt, to.RequireAuthorization, to.Strategy = v.Caching, v.TTL, v.Encrypt, v.RequireAuthorization, v.Strategy
		}
	}
	return nil
}

// memory is a Storage that a test can look into.
type memory struct {
	b   []byte
	err error
}

func (m *memory) Load() ([]byte, error) { return m.b, nil }
func (m *memory) Save(b []byte) error {
	if m.err == nil {
		m.b = b
	}
	return m.err
}

func (m *memory) SetAside() (string, error) { m.b = nil; return "aside", nil }

// rig is a control plane over a fake.
type rig struct {
	t      testing.TB
	stages *fakeStages
	notes  *memory
	h      http.Handler
	asked  []string // what permissions were asked for
	deny   bool

	recorded []string // changes that the stages were not told of
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, stages: newFakeStages(t), notes: &memory{}}
	r.start()
	return r
}

// start makes the control plane anew, as a restart does.
func (r *rig) start() {
	r.t.Helper()
	h, err := New(Options{
		Stages: r.stages, Notes: r.notes,
		Authorize: func(_ *http.Request, action, arn string) error {
			r.asked = append(r.asked, action+" "+arn)
			if r.deny {
				return errors.New("User: nobody is not authorized to perform: " + action + " on resource: " + arn)
			}
			return nil
		},
		Record: func(_ context.Context, stage, what string) { r.recorded = append(r.recorded, stage+": "+what) },
		Now:    func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.h = h
}

type reply struct {
	status int
	header http.Header
	text   string
	v      map[string]any
}

func (r *rig) do(method, target, body string) reply {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body)))
	out := reply{status: w.Code, header: w.Header(), text: w.Body.String()}
	if out.text != "" {
		if err := json.Unmarshal(w.Body.Bytes(), &out.v); err != nil {
			r.t.Fatalf("%s %s: the answer is not JSON: %q", method, target, out.text)
		}
	}
	return out
}

func op(fields ...string) string {
	m := make(map[string]string)
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}

func replace(path, value string) string { return op("op", "replace", "path", path, "value", value) }

func (r *rig) patch(ops ...string) reply {
	r.t.Helper()
	return r.do("PATCH", "/restapis/shop/stages/prod", `{"patchOperations":[`+strings.Join(ops, ",")+`]}`)
}

// patched is a patch that must succeed; it gives methodSettings.
func (r *rig) patched(ops ...string) map[string]any {
	r.t.Helper()
	got := r.patch(ops...)
	if got.status != http.StatusOK {
		r.t.Fatalf("%v: %d %s", ops, got.status, got.text)
	}
	return got.v["methodSettings"].(map[string]any)
}

func (r *rig) stage() map[string]any {
	r.t.Helper()
	return r.do("GET", "/restapis/shop/stages/prod", "").v
}
