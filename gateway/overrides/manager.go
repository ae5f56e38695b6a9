package overrides

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/vfs"
)

// Change is what is set of one stage: all of it or, with an error, nothing.
type Change struct {
	// Cache changes the stage's cache; nil: as it is.
	Cache func(*config.Cache) error
	// DropCache removes the cache's override: the file counts again.
	DropCache bool
	// Entries change the settings of entries, each beginning with the values that it has now; a nil function removes the
	// entry's override.
	Entries map[string]func(*config.Settings) error
	// By is who does it, for displays of origin.
	By string
}

// Manager keeps the overrides of one data directory. Whoever has it has the directory's lock.
type Manager struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	fs   vfs.FS

	mu    sync.Mutex
	doc   *document                  // guarded by mu; replaced as a whole
	file  *config.Config             // guarded by mu: without overrides
	apply func(*config.Config) error // guarded by mu: puts a configuration in force; nil: nothing runs
}

// ErrNotSet: there is no override to remove.
var ErrNotSet = errors.New("nothing is set there at run time")

// Open reads what a data directory has. A nil logger is none.
func Open(dataDir string, log *slog.Logger) (*Manager, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{path: filepath.Join(dataDir, FileName), log: log, now: time.Now, fs: vfs.OS}
	doc, err := read(m.path)
	switch {
	case err == nil:
	case errors.Is(err, errNewer) || errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: %w", m.path, err)
	default:
		// A start needs no human: what was set is lost, and said to be.
		aside := m.path + ".damaged"
		if rename := os.Rename(m.path, aside); rename != nil {
			return nil, fmt.Errorf("%s: %w; and it cannot be set aside: %w", m.path, err, rename)
		}
		log.Error("what was set at run time cannot be read and counts no more; the file is set aside", "file", aside, "error", err)
		doc = &document{Version: version, Stages: make(map[string]*stage)}
	}
	m.doc = doc
	return m, nil
}

// Use says what to put changes over, and how; it gives the configuration that works now. A nil apply means that nothing runs.
func (m *Manager) Use(file *config.Config, apply func(*config.Config) error) *config.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.file, m.apply = file, apply
	return merge(file, m.doc, m.log)
}

// Reload puts another file in force, with what was set over it. With an error the old one stays.
func (m *Manager) Reload(file *config.Config) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.apply(merge(file, m.doc, m.log)); err != nil {
		return err
	}
	m.file = file
	return nil
}

// Rekey puts other root keys in force, by do, and the file's encryption with them. With an error the old ones stay.
func (m *Manager) Rekey(e config.Encryption, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	file := *m.file
	file.Encryption = e
	m.file = &file
	return nil
}

// File is the configuration without what was set.
func (m *Manager) File() *config.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.file
}

// Overridden tells whether an entry of a stage was set at run time.
func (m *Manager) Overridden(stage, entry string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.doc.Stages[stage]
	return s != nil && s.Entries[entry] != nil
}

// Change sets or removes values of one stage. It returns when they are in force and will survive a crash.
func (m *Manager) Change(ctx context.Context, stageName string, c Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	old := merge(m.file, m.doc, m.log)
	doc := m.doc.clone()
	if err := m.edit(doc, old, stageName, c); err != nil {
		return err
	}
	next := merge(m.file, doc, m.log)
	if m.apply != nil {
		if err := m.apply(next); err != nil {
			return err
		}
	}
	if err := doc.write(m.fs, m.path); err != nil {
		err = fmt.Errorf("what was set cannot be kept: %w", err)
		if m.apply != nil {
			// Not to survive a restart would be worse than not to be.
			err = errors.Join(err, m.apply(old))
		}
		return err
	}
	m.doc = doc
	return nil
}

// edit works a change into a document.
func (m *Manager) edit(doc *document, now *config.Config, name string, c Change) error {
	at := stageOf(now, name)
	if at == nil {
		return fmt.Errorf("there is no stage %q", name)
	}
	s := doc.Stages[name]
	if s == nil {
		s = &stage{}
		doc.Stages[name] = s
	}
	if s.Entries == nil {
		s.Entries = make(map[string]*entry)
	}
	by := mark{At: m.now().UTC().Truncate(time.Second), By: c.By}
	if c.DropCache {
		if s.Cache == nil {
			return fmt.Errorf("the cache of stage %s: %w", name, ErrNotSet)
		}
		s.Cache = nil
	}
	if c.Cache != nil {
		v := at.Cache
		if err := c.Cache(&v); err != nil {
			return err
		}
		s.Cache = cacheOf(v, by)
	}
	for written, change := range c.Entries {
		key, err := config.EntryName(at, written)
		if err != nil {
			return err
		}
		if change == nil {
			if s.Entries[key] == nil {
				return fmt.Errorf("%s of stage %s: %w", key, name, ErrNotSet)
			}
			delete(s.Entries, key)
			continue
		}
		v := config.EntrySettings(at, key)
		if err := change(&v); err != nil {
			return err
		}
		s.Entries[key] = entryOf(v, by)
	}
	if len(s.Entries) > maxEntries {
		return fmt.Errorf("stage %s has more than %d entries that were set at run time", name, maxEntries)
	}
	if s.Cache == nil && len(s.Entries) == 0 {
		delete(doc.Stages, name)
	}
	return nil
}

func stageOf(cfg *config.Config, name string) *config.Stage {
	for _, s := range cfg.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}
