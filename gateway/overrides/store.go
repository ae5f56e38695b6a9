package overrides

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/vfs"
)

// FileName is where they are kept, in the data directory.
const FileName = "overrides.json"

const (
	version    = 1
	maxFile    = 16 << 20 // bytes
	maxEntries = 1000     // of one stage
)

// document is the file.
type document struct {
	Version int               `json:"version"`
	Stages  map[string]*stage `json:"stages"`
}

type stage struct {
	Cache   *cache            `json:"cache,omitempty"`
	Entries map[string]*entry `json:"entries,omitempty"`
}

// mark says when something was set, and by whom.
type mark struct {
	At time.Time `json:"at"`
	By string    `json:"by,omitempty"`
}

func (m mark) origin() string {
	s := "set at run time, " + m.At.UTC().Format(time.RFC3339)
	if m.By != "" {
		s += " by " + m.By
	}
	return s
}

type cache struct {
	mark
	Enabled   bool   `json:"enabled"`
	Capacity  int64  `json:"capacity"`
	Memory    int64  `json:"memory"`
	MaxObject int    `json:"max_object"`
	MaxTTL    string `json:"max_ttl"`
}

type entry struct {
	mark
	Caching              bool     `json:"caching"`
	TTL                  string   `json:"ttl"`
	NegativeTTL          string   `json:"negative_ttl"`
	StaleWhileRevalidate string   `json:"stale_while_revalidate"`
	StaleIfError         string   `json:"stale_if_error"`
	Encrypt              bool     `json:"encrypt"`
	RequireAuthorization bool     `json:"requireAuthorizationForCacheControl"`
	Strategy             string   `json:"unauthorizedCacheControlHeaderStrategy"`
	KeyMode              string   `json:"key_mode"`
	KeyHeaders           []string `json:"key_headers,omitempty"`
	KeyCookies           []string `json:"key_cookies,omitempty"`
	QueryInclude         []string `json:"query_include,omitempty"`
	QueryExclude         []string `json:"query_exclude,omitempty"`
	CacheKeyParameters   []string `json:"cacheKeyParameters,omitempty"`
	CacheNamespace       string   `json:"cacheNamespace,omitempty"`
	ForwardHeaders       []string `json:"forward_headers"` // null: no allow-list
	IgnoreCookies        bool     `json:"ignore_cookies"`
	SetCookie            string   `json:"set_cookie,omitempty"` // empty: refuse
	Set                  []string `json:"set,omitempty"`        // which of them somebody set, rather than copied
}

func cacheOf(c config.Cache, m mark) *cache {
	return &cache{mark: m, Enabled: c.Enabled, Capacity: c.Capacity, Memory: c.Memory, MaxObject: c.MaxObject, MaxTTL: c.MaxTTL.String()}
}

func (c *cache) config() (config.Cache, error) {
	ttl, err := time.ParseDuration(c.MaxTTL)
	return config.Cache{Enabled: c.Enabled, Capacity: c.Capacity, Memory: c.Memory, MaxObject: c.MaxObject, MaxTTL: ttl, Origin: c.origin()}, err
}

func entryOf(s config.Settings, m mark) *entry {
	return &entry{
		mark: m, Caching: s.Caching, TTL: s.TTL.String(), NegativeTTL: s.NegativeTTL.String(),
		StaleWhileRevalidate: s.StaleWhileRevalidate.String(), StaleIfError: s.StaleIfError.String(), Encrypt: s.Encrypt,
		RequireAuthorization: s.RequireAuthorization, Strategy: s.Strategy, KeyMode: s.Key.Mode, KeyHeaders: s.Key.Headers,
		KeyCookies: s.Key.Cookies, QueryInclude: s.Key.Query.Include, QueryExclude: s.Key.Query.Exclude,
		CacheKeyParameters: s.CacheKeyParameters, CacheNamespace: s.CacheNamespace, ForwardHeaders: s.ForwardHeaders,
		IgnoreCookies: s.IgnoreCookies, SetCookie: s.SetCookie, Set: s.Set,
	}
}

func (e *entry) config() (config.Settings, error) {
	s := config.Settings{
		Caching: e.Caching, Encrypt: e.Encrypt, RequireAuthorization: e.RequireAuthorization, Strategy: e.Strategy,
		Key:                config.KeySpec{Mode: e.KeyMode, Headers: e.KeyHeaders, Cookies: e.KeyCookies, Query: config.QuerySpec{Include: e.QueryInclude, Exclude: e.QueryExclude}},
		CacheKeyParameters: e.CacheKeyParameters, CacheNamespace: e.CacheNamespace, ForwardHeaders: e.ForwardHeaders,
		IgnoreCookies: e.IgnoreCookies, SetCookie: cmp.Or(e.SetCookie, config.SetCookieRefuse), Set: e.Set, Origin: e.origin(),
	}
	var errs []error
	for _, d := range []struct {
		to   *time.Duration
		text string
	}{{&s.TTL, e.TTL}, {&s.NegativeTTL, e.NegativeTTL}, {&s.StaleWhileRevalidate, e.StaleWhileRevalidate}, {&s.StaleIfError, e.StaleIfError}} {
		var err error
		if *d.to, err = time.ParseDuration(d.text); err == nil && *d.to < 0 {
			err = fmt.Errorf("%s is negative", d.text)
		}
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

var errNewer = errors.New("is of a newer version than this program knows: use the program that wrote it, or move the file away")

// read takes the file. There may be none. The error is errNewer, or that the file cannot be used.
func read(path string) (*document, error) {
	empty := &document{Version: version, Stages: make(map[string]*stage)}
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return empty, nil
	case err != nil:
		return nil, err
	case fi.Size() > maxFile:
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Parse checks the text of a file.
func Parse(b []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, err
	}
	switch {
	case d.Version > version:
		return nil, errNewer
	case d.Version < 1:
		return nil, errors.New("has no version")
	}
	if d.Stages == nil {
		d.Stages = make(map[string]*stage)
	}
	for name, s := range d.Stages {
		if s == nil {
			return nil, fmt.Errorf("stage %q is empty", name)
		}
		if s.Cache != nil {
			if _, err := s.Cache.config(); err != nil {
				return nil, fmt.Errorf("stage %q: %w", name, err)
			}
		}
		for e, v := range s.Entries {
			if v == nil {
				return nil, fmt.Errorf("stage %q, %q is empty", name, e)
			}
			if _, err := v.config(); err != nil {
				return nil, fmt.Errorf("stage %q, %q: %w", name, e, err)
			}
		}
	}
	return d, nil
}

// clone is a copy to change.
func (d *document) clone() *document {
	b, err := json.Marshal(d)
	c := &document{}
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		panic(err) // texts, numbers and booleans
	}
	if c.Stages == nil {
		c.Stages = make(map[string]*stage)
	}
	return c
}

// write replaces the file: write, fsync, rename, fsync of the directory. A crash leaves the old file or the new one.
func (d *document) write(fsys vfs.FS, path string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(fsys, path, append(b, '\n'))
}
