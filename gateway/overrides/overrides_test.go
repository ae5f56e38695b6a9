package overrides

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/config"
)

const file = `encryption: {key_file: root.key}
backends: {shop: {url: http://127.0.0.1:9000}}
stages:
  prod:
    routes: [{path: "/{proxy+}", backend: shop}]
    methods:
      "GET /products/{id}": {ttl: 60s}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("stagecache.yaml", []byte(text), config.Options{SkipFiles: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, dir string) *Manager {
	t.Helper()
	m, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }
	return m
}

func ttl(d time.Duration) func(*config.Settings) error {
	return func(s *config.Settings) error { s.TTL = d; return nil }
}

func TestAnEntryIsCopiedAndThenItsOwn(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	var works *config.Config
	works = m.Use(parse(t, file), func(c *config.Config) error { works = c; return nil })
	change := func(c Change) {
		t.Helper()
		if err := m.Change(t.Context(), "prod", c); err != nil {
			t.Fatal(err)
		}
	}
	change(Change{Entries: map[string]func(*config.Settings) error{"*": ttl(90 * time.Second)}, By: "deployer"})
	change(Change{Entries: map[string]func(*config.Settings) error{"GET /other": func(s *config.Settings) error { s.Encrypt = false; return nil }}})
	change(Change{Entries: map[string]func(*config.Settings) error{"*": ttl(10 * time.Second), "GET /products/{name}": ttl(5 * time.Second)}})
	change(Change{Cache: func(c *config.Cache) error { c.Capacity = 1e9; return nil }})

	check := func(c *config.Config) {
		t.Helper()
		s := c.Stages[0]
		other, product := config.EntrySettings(s, "GET /other"), config.EntrySettings(s, "GET /products/{id}")
		if s.Default.TTL != 10*time.Second || other.TTL != 90*time.Second || other.Encrypt || product.TTL != 5*time.Second || s.Cache.Capacity != 1e9 {
			t.Errorf("%v %v %v %v %d", s.Default.TTL, other.TTL, other.Encrypt, product.TTL, s.Cache.Capacity)
		}
		if s.Default.Origin != "set at run time, 2026-01-02T03:04:05Z" || s.Cache.Origin == "" || len(s.Methods) != 2 {
			t.Errorf("%q %q %d", s.Default.Origin, s.Cache.Origin, len(s.Methods))
		}
	}
	check(works)
	if was := m.File().Stages[0]; was.Default.TTL != 300*time.Second || was.Methods[0].Settings.TTL != 60*time.Second || was.Cache.Origin != "" {
		t.Errorf("the file was changed: %+v", was)
	}
	// The file says something else: what was set counts.
	if err := m.Reload(parse(t, strings.Replace(file, "ttl: 60s", "ttl: 1s", 1))); err != nil {
		t.Fatal(err)
	}
	check(works)
	// And so it does after a restart.
	again := open(t, dir)
	check(again.Use(parse(t, file), nil))
	if !again.Overridden("prod", "GET /products/{id}") || again.Overridden("prod", "GET /products/{name}") || again.Overridden("dev", "*") {
		t.Error("what is overridden is not known")
	}
	// Until it is removed.
	none := map[string]func(*config.Settings) error{"*": nil, "GET /other": nil, "GET /products/{id}": nil}
	if err := again.Change(t.Context(), "prod", Change{Entries: none, DropCache: true}); err != nil {
		t.Fatal(err)
	}
	if s := open(t, dir).Use(parse(t, file), nil).Stages[0]; s.Default.TTL != 300*time.Second || s.Default.Origin != "" || len(s.Methods) != 1 || s.Cache.Origin != "" {
		t.Errorf("%+v", s)
	}
	if err := again.Change(t.Context(), "prod", Change{DropCache: true}); !errors.Is(err, ErrNotSet) {
		t.Errorf("%v", err)
	}
}

func TestAChangeIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	refuse := errors.New("no")
	var applied []time.Duration
	var answer error
	m.Use(parse(t, file), func(c *config.Config) error {
		applied = append(applied, c.Stages[0].Default.TTL)
		return answer
	})
	set := func(stage string, entries map[string]func(*config.Settings) error) error {
		return m.Change(t.Context(), stage, Change{Entries: entries})
	}
	star := map[string]func(*config.Settings) error{"*": ttl(time.Second)}
	bad := map[string]func(*config.Settings) error{"*": ttl(time.Second), "GET /x": func(*config.Settings) error { return refuse }}
	for name, err := range map[string]error{
		"no such stage": set("dev", star), "a bad entry": set("prod", map[string]func(*config.Settings) error{"GET": ttl(0)}),
		"a refusal": set("prod", bad), "nothing to remove": set("prod", map[string]func(*config.Settings) error{"GET /x": nil}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	answer = refuse
	if err := set("prod", star); !errors.Is(err, refuse) {
		t.Errorf("a configuration that does not work: %v", err)
	}
	if m.Overridden("prod", "*") {
		t.Error("kept all the same")
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	// What cannot be kept is taken back.
	answer, applied = nil, nil
	m.path = filepath.Join(dir, "none", FileName)
	if err := set("prod", star); err == nil || len(applied) != 2 || applied[0] != time.Second || applied[1] != 300*time.Second || m.Overridden("prod", "*") {
		t.Errorf("%v, applied %v", err, applied)
	}
}

func TestMergeIsHeldToTheFile(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	m.Use(parse(t, file), nil)
	if err := m.Change(t.Context(), "prod", Change{Entries: map[string]func(*config.Settings) error{"*": ttl(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	// The file has lowered max_ttl since; and a file without the stage keeps what was set.
	if s := m.Use(parse(t, strings.Replace(file, "    routes", "    cache: {max_ttl: 60s}\n    routes", 1)), nil).Stages[0]; s.Default.TTL != time.Minute {
		t.Errorf("%v", s.Default.TTL)
	}
	m.Use(parse(t, strings.Replace(file, "prod:", "dev:", 1)), nil)
	if s := m.Use(parse(t, file), nil).Stages[0]; s.Default.TTL != time.Hour {
		t.Errorf("%v", s.Default.TTL)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	for text, aside := range map[string]bool{
		"{": true, "null": true, "{}": true, `{"version":1,"stages":{"prod":null}}`: true,
		`{"version":1,"stages":{"prod":{"entries":{"*":null}}}}`:        true,
		`{"version":1,"stages":{"prod":{"entries":{"*":{"ttl":"x"}}}}}`: true,
		`{"version":1,"stages":{"prod":{"cache":{"max_ttl":""}}}}`:      true,
		`{"version":2}`: false,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(dir, nil)
		if !aside {
			if err == nil || !strings.Contains(err.Error(), "newer") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != text {
			t.Errorf("%s: not set aside: %v", text, err)
		}
		if s := m.Use(parse(t, file), nil).Stages[0]; s.Default.TTL != 300*time.Second {
			t.Errorf("%s: %v", text, s.Default)
		}
	}
}
