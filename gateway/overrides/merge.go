package overrides

import (
	"log/slog"
	"maps"
	"slices"

	"stagecache/gateway/config"
)

// merge puts what was set over a file, which it leaves as it is.
func merge(file *config.Config, doc *document, log *slog.Logger) *config.Config {
	out := *file
	out.Stages = slices.Clone(file.Stages)
	for i, s := range out.Stages {
		if set := doc.Stages[s.Name]; set != nil {
			out.Stages[i] = set.over(s, log)
		}
	}
	return &out
}

func (set *stage) over(s *config.Stage, log *slog.Logger) *config.Stage {
	out := *s
	out.Methods = slices.Clone(s.Methods)
	if set.Cache != nil {
		out.Cache, _ = set.Cache.config() // checked when it was read or made
	}
	for _, key := range slices.Sorted(maps.Keys(set.Entries)) {
		v, _ := set.Entries[key].config()
		if v.TTL > out.Cache.MaxTTL {
			// The stage's limit was lowered since.
			log.Warn("a lifetime that was set at run time is above the stage's max_ttl, which counts", "stage", s.Name, "entry", key)
			v.TTL = out.Cache.MaxTTL
		}
		if key == config.DefaultEntry {
			out.Default = v
			continue
		}
		name, err := config.EntryName(s, key) // the file may have the same entry under other names of its parameters
		if err != nil {
			log.Warn("what was set at run time for this entry does not count any more", "stage", s.Name, "entry", key, "error", err)
			continue
		}
		if at := slices.IndexFunc(out.Methods, func(m config.Method) bool { return m.Entry() == name }); at >= 0 {
			out.Methods[at].Settings = v
		} else if verb, template, ok := config.SplitEntry(name); ok {
			out.Methods = append(out.Methods, config.Method{Verb: verb, Template: template, Settings: v})
		}
	}
	return &out
}
