package config

import (
	"slices"
	"strings"
)

func (b *builder) stages(top *value, backends map[string]*Backend) []*Stage {
	v := top.get("stages")
	if !wrong(v) && (v == nil || len(v.names) == 0) {
		line := top.line
		if v != nil {
			line = v.line
		}
		b.add(line, "stages", `write stages: {prod: {routes: [{path: "/{proxy+}", backend: NAME}]}}`, "at least one stage is needed")
		return nil
	}
	var out []*Stage
	if v == nil {
		return out
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range backends {
			if !yield(name) {
				return
			}
		}
	})
	for _, name := range v.names {
		if e := v.keys[name]; e.ok() {
			out = append(out, b.stage(name, e, backends, names))
		}
	}
	b.overlaps(out)
	slices.SortFunc(out, func(a, b *Stage) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (b *builder) stage(name string, v *value, backends map[string]*Backend, backendNames []string) *Stage {
	s := &Stage{Name: name, Mode: str(v.get("mode"), ModeAPIGateway), Line: v.line}
	if !validName(name) {
		b.add(v.line, v.field, "", "a stage's name is 1 to 128 letters, digits, - or _")
	}
	s.BasePath = "/" + name
	if p := v.get("base_path"); p.ok() {
		s.BasePath = strings.ReplaceAll(p.text, "{stage}", name)
		if err := checkBasePath(s.BasePath); err != nil {
			b.add(p.line, p.field, "write / or /"+shown(name), "%s: %s", quote(p.text), err)
			s.BasePath = ""
		}
	}
	for _, h := range b.listed(v.get("hosts")) {
		host, err := cleanHost(h.text)
		switch {
		case err != nil:
			b.add(h.line, h.field, "write api.example.com", "%s %s", quote(h.text), err)
		case slices.Contains(s.Hosts, host):
			b.add(h.line, h.field, "", "%s is listed twice", quote(h.text))
		default:
			s.Hosts = append(s.Hosts, host)
		}
	}
	if p := v.get("purge_method"); p.ok() {
		s.Purge = p.flag
	}
	cv, mv := v.get("cache"), v.get("methods")
	s.Cache = b.cache(cv)
	limits := limits{maxTTL: s.Cache.MaxTTL}
	base := defaultSettings(s.Mode, s.Cache.MaxTTL)
	def := b.settings(cv, base, limits)
	if star := mv.get("*"); star.ok() {
		set := def.Set
		def = b.settings(star, def, limits)
		def.Set = merged(set, def.Set)
	}
	s.Default = def.effective()
	s.Methods = b.methods(mv, def, limits)
	for i := range s.Methods {
		if m := &s.Methods[i].Settings; m.IsSet(SetCacheKeyParameters) || m.IsSet(SetKeyHeaders) || m.IsSet(SetKeyMode) {
			*m = m.effective()
		} else {
			m.Key.Headers = s.Default.Key.Headers
		}
	}
	s.Routes = b.routes(v, backends, backendNames)
	return s
}

func merged(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// overlaps reports stages that would answer the same requests. A stage with hosts and one without may share a base path:
// the one that names the host is asked first.
func (b *builder) overlaps(stages []*Stage) {
	type place struct{ base, host string }
	taken := make(map[place]*Stage)
	for _, s := range stages {
		if s.BasePath == "" {
			continue // reported already
		}
		hosts := s.Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, h := range hosts {
			first, clash := taken[place{s.BasePath, h}]
			if !clash {
				taken[place{s.BasePath, h}] = s
				continue
			}
			on := ""
			if h != "" {
				on = " on host " + h
			}
			b.add(s.Line, label("stages", s.Name), "give one of them another base_path, or hosts of its own",
				"has the base path %s%s of stage %s (lines %d and %d)", shown(s.BasePath), on, shown(first.Name), first.Line, s.Line)
			break
		}
	}
}

func (b *builder) cache(v *value) Cache {
	c := Cache{Enabled: true, Capacity: defaultCapacity, Memory: defaultMemory, MaxObject: defaultMaxObject, MaxTTL: defaultMaxTTL}
	if e := v.get("enabled"); e.ok() {
		c.Enabled = e.flag
	}
	if x := v.get("capacity"); x.ok() {
		if c.Capacity = x.num; x.num < minCapacity {
			b.add(x.line, x.field, "write "+FormatSize(minCapacity)+" or more", "%s is less than one segment: the least capacity is %s (%d bytes)", shown(x.text), FormatSize(minCapacity), minCapacity)
		}
	}
	if x := v.get("memory"); x.ok() {
		if c.Memory = x.num; x.num > 0 && x.num < minMemory {
			b.add(x.line, x.field, "write 0 for a store on disk only, or "+FormatSize(minMemory)+" and more", "%s is less than %s", shown(x.text), FormatSize(minMemory))
		}
	}
	if x := v.get("max_object"); x.ok() {
		switch {
		case x.num < 1:
			b.add(x.line, x.field, "write enabled: false or caching: false to store nothing", "is 0")
		case x.num > largestObject:
			b.add(x.line, x.field, "", "%s is more than %s", shown(x.text), FormatSize(largestObject))
		case x.num > c.Capacity/objectsInCapacity && c.Capacity >= minCapacity:
			b.add(x.line, x.field, "raise capacity or lower max_object", "%s is more than an eighth of the capacity (%s)", shown(x.text), FormatSize(c.Capacity))
		default:
			c.MaxObject = int(x.num)
		}
	}
	if x := v.get("max_ttl"); x.ok() {
		if c.MaxTTL = x.dur; x.dur <= 0 || x.dur > longestTTL {
			b.add(x.line, x.field, "", "%s is not between 1s and 365d", x.text)
			c.MaxTTL = longestTTL // so that no ttl is reported for it as well
		}
	}
	return c
}

func (b *builder) methods(v *value, def Settings, l limits) []Method {
	if v == nil {
		return nil
	}
	var out []Method
	first := make(map[string]int)
	for _, name := range v.names {
		e := v.keys[name]
		if name == "*" || e.bad {
			continue
		}
		verb, t, hint, err := parseMethod(name)
		if err != "" {
			b.add(e.line, e.field, hint, "%s", err)
			b.settings(e, def, l) // its keys are looked at nevertheless
			continue
		}
		if line, ok := first[verb+" "+t.shape]; ok {
			b.add(e.line, e.field, "", "matches the same requests as the entry on line %d", line)
		}
		first[verb+" "+t.shape] = e.line
		base, own := def, l
		if verb != "GET" && verb != "ANY" {
			base.Caching = false // caching for a whole stage means GET only; others must ask for it by name
		}
		own.template = &t
		out = append(out, Method{Verb: verb, Template: t.text, Line: e.line, Settings: b.settings(e, base, own)})
	}
	return out
}

// parseMethod reads "GET /products/{id}". Its errors are text, with a hint.
func parseMethod(name string) (verb string, t template, hint, problem string) {
	const form = `write "METHOD /template", such as "GET /products/{id}", or "*" for the stage's default`
	parts := strings.Fields(name)
	if len(parts) != 2 {
		if len(parts) == 1 && strings.HasPrefix(parts[0], "/") {
			return "", t, `write "GET ` + shown(parts[0]) + `"`, "has no method"
		}
		return "", t, form, "is not a method and a path template"
	}
	verb = parts[0]
	if !contains(verbs, verb) {
		switch upper := strings.ToUpper(verb); {
		case verb == "*":
			return "", t, `write "ANY ` + shown(parts[1]) + `"`, `"*" is not a method`
		case contains(verbs, upper):
			return "", t, `write "` + upper + " " + shown(parts[1]) + `"`, "methods are written in capitals"
		}
		if hint = didYouMean(verb, verbs); hint == "" {
			hint = "the methods are " + strings.Join(verbs, ", ")
		}
		return "", t, hint, quote(verb) + " is not a method"
	}
	t, err := parseTemplate(parts[1])
	if err != nil {
		return "", t, "", err.Error()
	}
	return verb, t, "", ""
}

func (b *builder) routes(stage *value, backends map[string]*Backend, names []string) []Route {
	v := stage.get("routes")
	if !wrong(v) && (v == nil || len(v.items) == 0) {
		line, name := stage.line, "NAME"
		if v != nil {
			line = v.line
		}
		if len(names) > 0 {
			name = names[0]
		}
		b.add(line, label(stage.field, "routes"), `write routes: [{path: "/{proxy+}", backend: `+shown(name)+`}]`, "at least one route is needed")
		return nil
	}
	var out []Route
	first := make(map[string]int)
	for _, e := range itemsOf(v) {
		r := Route{Line: e.line, Path: str(e.get("path"), ""), Backend: str(e.get("backend"), "")}
		if p := e.get("path"); r.Path != "" {
			t, err := parseTemplate(r.Path)
			if line, twice := first[t.shape]; err != nil {
				b.add(p.line, p.field, "", "%s: %s", quote(r.Path), err)
			} else if twice {
				b.add(p.line, p.field, "remove one of them", "%s matches the same paths as the route on line %d", quote(r.Path), line)
			} else {
				first[t.shape] = p.line
			}
		} else if !wrong(p) {
			b.add(e.line, e.field, `write path: "/{proxy+}" for every path`, "has no path")
		}
		k := e.get("backend")
		switch _, known := backends[r.Backend]; {
		case r.Backend == "" && !wrong(k):
			b.add(e.line, e.field, "write backend: and one of the names under backends", "has no backend")
		case r.Backend != "" && !known:
			b.add(k.line, k.field, b.backendHint(r.Backend, names), "there is no backend %s", quote(r.Backend))
		}
		out = append(out, r)
	}
	return out
}

func (b *builder) backendHint(name string, names []string) string {
	if b.full() {
		return ""
	}
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	if len(names) == 0 {
		return "name it under backends: {" + shown(name) + ": {url: http://127.0.0.1:9000}}"
	}
	return "the backends are " + shown(strings.Join(names, ", "))
}
