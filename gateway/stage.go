package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/engine"
	"stagecache/gateway/config"
	"stagecache/gateway/metrics"
	"stagecache/gateway/policy"
)

// stage is one stage of one configuration. It does not change; what outlives a reload is in its site.
type stage struct {
	*site
	cfg     *config.Stage
	base    string // the base path, "" for the root
	hosts   []string
	routes  policy.Table[*route]
	methods policy.Table[*method]
	def     *method
}

type route struct {
	template string
	backend  *backend
	count    *metrics.Resource
}

// site is what a stage keeps across reloads: its store and what belongs to the entries in it.
type site struct {
	name     string
	counters counters
	marks    *marks
	budget   *budget

	refreshes *metrics.Refreshes
	logged    [2]atomic.Int64 // the second in which a refusal of nobody in particular, and of a false credential, was logged
	underWay  underWay

	// stripes guard the markers of resources that vary: who reads one, adds to it and puts it back holds its stripe.
	stripes [64]sync.Mutex

	store atomic.Pointer[engine.Store] // nil while it is being reopened: requests then pass by the cache
}

// sitesOf is a map of sites by name.
type sitesOf struct{ m sync.Map }

func (s *sitesOf) get(name string) *site {
	v, _ := s.m.Load(name)
	st, _ := v.(*site)
	return st
}

func (s *sitesOf) put(st *site) { s.m.Store(st.name, st) }

func newSite(name string, now func() time.Time, rec *metrics.Recorder) *site {
	return &site{name: name, marks: newMarks(now), budget: &budget{}, refreshes: rec.Refreshes(name)}
}

func newStage(cfg *config.Stage, backends map[string]*backend, st *site, rec *metrics.Recorder) (*stage, error) {
	fail := func(err error) (*stage, error) { return nil, fmt.Errorf("stage %s: %w", cfg.Name, err) }
	s := &stage{site: st, cfg: cfg, base: strings.TrimSuffix(cfg.BasePath, "/")}
	for _, h := range cfg.Hosts {
		s.hosts = append(s.hosts, strings.ToLower(h))
	}
	var err error
	if s.def, err = newMethod(cfg.Default, cfg.Mode, "", ""); err != nil {
		return fail(err)
	}
	for _, r := range cfg.Routes {
		tpl, err := policy.ParseTemplate(r.Path)
		if err != nil {
			return fail(err)
		}
		be := backends[r.Backend]
		if be == nil {
			return fail(fmt.Errorf("route %s names the backend %q, which is not there", r.Path, r.Backend))
		}
		if err := s.routes.Add(policy.Any, tpl, &route{template: r.Path, backend: be, count: rec.Resource(cfg.Name, r.Path)}); err != nil {
			return fail(err)
		}
	}
	for _, e := range cfg.Methods {
		tpl, err := policy.ParseTemplate(e.Template)
		if err != nil {
			return fail(err)
		}
		m, err := newMethod(e.Settings, cfg.Mode, e.Verb, e.Template)
		if err != nil {
			return fail(fmt.Errorf("%s %s: %w", e.Verb, e.Template, err))
		}
		m.count = rec.Resource(cfg.Name, e.Template)
		if err := s.methods.Add(e.Verb, tpl, m); err != nil {
			return fail(err)
		}
	}
	return s, nil
}

// settings are those of the most specific entry for a verb and a path, with its template.
func (s *stage) settings(verb, below string) (*method, *policy.Template) {
	if verb == http.MethodHead {
		verb = http.MethodGet
	}
	if m, tpl, ok := s.methods.Find(verb, below); ok {
		return m, tpl
	}
	return s.def, nil
}

// encrypts tells whether any of a stage's entries are to be encrypted.
func (s *stage) encrypts() bool {
	return s.cfg.Default.Encrypt || slices.ContainsFunc(s.cfg.Methods, func(m config.Method) bool { return m.Settings.Encrypt })
}

// answersTo tells whether a stage with hosts is meant by a clean host. A host without a port stands for every port.
func (s *stage) answersTo(host string) bool {
	if slices.Contains(s.hosts, host) {
		return true
	}
	i := strings.LastIndexByte(host, ':')
	return i > 0 && !strings.HasSuffix(host, "]") && slices.Contains(s.hosts, host[:i])
}

// below cuts the base path off an escaped path; what is left begins with "/". The base path ends where a segment does:
// /prod answers for /prod and /prod/x, not for /production.
func (s *stage) below(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, s.base)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, true
}

// sortStages brings stages into the order in which they are tried: those that name the host before those that take any,
// and among them the longest base path first.
func sortStages(stages []*stage) {
	slices.SortStableFunc(stages, func(a, b *stage) int {
		if (len(a.hosts) > 0) != (len(b.hosts) > 0) {
			if len(a.hosts) > 0 {
				return -1
			}
			return 1
		}
		return len(b.base) - len(a.base)
	})
}

// find gives the stage for a host and an escaped path, and the path below its base path.
func find(stages []*stage, host, path string) (*stage, string) {
	for _, s := range stages {
		if len(s.hosts) > 0 && !s.answersTo(host) {
			continue
		}
		if below, ok := s.below(path); ok {
			return s, below
		}
	}
	return nil, ""
}
