package apigw

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/vfs"
)

// Storage keeps the notes of a control plane.
type Storage interface {
	Load() ([]byte, error) // nil if there are none yet
	Save([]byte) error     // returns when they survive a crash
	// SetAside moves away notes that cannot be read, and says where they are now.
	SetAside() (string, error)
}

// File keeps notes in a file, which it replaces as a whole.
func File(path string) Storage { return file(path) }

type file string

func (f file) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save writes beside the file, syncs, renames, and syncs the directory: a crash leaves the old notes or the new ones.
func (f file) Save(b []byte) error { return vfs.WriteFileAtomic(vfs.OS, string(f), b) }

func (f file) SetAside() (string, error) {
	aside := string(f) + ".damaged"
	return aside, os.Rename(string(f), aside)
}

const notesVersion = 1

// notes are what clients said that has no place in the configuration: how they spell a method, and settings that mean nothing
// here but have to come back as they were sent.
type notes struct {
	Version int                    `json:"version"`
	API     itemNotes              `json:"api"`
	Stages  map[string]*stageNotes `json:"stages,omitempty"`
}

type itemNotes struct {
	Tags map[string]string `json:"tags,omitempty"`
}

type stageNotes struct {
	itemNotes
	Updated     time.Time         `json:"updated"`
	Description string            `json:"description,omitempty"`
	Variables   map[string]string `json:"variables,omitempty"`
	AccessLog   *accessLog        `json:"accessLog,omitempty"`
	Tracing     bool              `json:"tracing,omitempty"`
	// Entries are under their shape ("GET /products/{}"): the file may call parameters otherwise some day.
	Entries map[string]*methodNotes `json:"entries,omitempty"`
}

type accessLog struct {
	Format         string `json:"format,omitempty"`
	DestinationARN string `json:"destinationArn,omitempty"`
}

type methodNotes struct {
	Keys      []string `json:"keys,omitempty"` // spellings that clients have used
	Metrics   bool     `json:"metrics,omitempty"`
	DataTrace bool     `json:"dataTrace,omitempty"`
	Logging   string   `json:"logging,omitempty"`
	Burst     *int     `json:"burst,omitempty"`
	Rate      *float64 `json:"rate,omitempty"`
}

// readNotes takes what is stored. A start needs no human: damaged notes are set aside and reported. Those of a newer program are an
// error, for they would be overwritten.
func readNotes(s Storage, log *slog.Logger) (*notes, error) {
	n := &notes{Version: notesVersion}
	b, err := s.Load()
	if err != nil {
		return nil, fmt.Errorf("reading the control plane's notes: %w", err)
	}
	if len(b) == 0 {
		return n, nil
	}
	if err := json.Unmarshal(b, n); err != nil {
		aside, bad := s.SetAside()
		if bad != nil {
			return nil, fmt.Errorf("the control plane's notes are damaged (%w), and cannot be set aside: %w", err, bad)
		}
		log.Error("the control plane's notes are damaged and set aside: spellings of paths, tags and settings without effect are lost", "file", aside, "error", err)
		return &notes{Version: notesVersion}, nil
	}
	if n.Version != notesVersion {
		return nil, fmt.Errorf("the control plane's notes are of version %d, and this program knows %d: use the program that wrote them, or move the file away", n.Version, notesVersion)
	}
	return n, nil
}

// clone makes a copy to change: what is in force is replaced when the change is stored, and not before.
func (n *notes) clone() *notes {
	c := &notes{}
	b, err := json.Marshal(n)
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		panic(err) // it came out of JSON, or holds nothing but texts and numbers
	}
	return c
}

func (n *notes) stage(name string) *stageNotes {
	if s := n.Stages[name]; s != nil {
		return s
	}
	return &stageNotes{}
}

// edit gives a stage's notes to change.
func (n *notes) edit(name string) *stageNotes {
	if n.Stages == nil {
		n.Stages = make(map[string]*stageNotes)
	}
	if n.Stages[name] == nil {
		n.Stages[name] = &stageNotes{}
	}
	return n.Stages[name]
}

// maxKeys bounds the spellings of one method; there are not many more.
const maxKeys = 8

func (s *stageNotes) entry(entry, key string) *methodNotes {
	if s.Entries == nil {
		s.Entries = make(map[string]*methodNotes)
	}
	m := s.Entries[shape(entry)]
	if m == nil {
		m = &methodNotes{}
		if d := s.Entries[shape(config.DefaultEntry)]; d != nil { // a new entry is a copy, of this too
			*m = *d
			m.Keys = nil
		}
		s.Entries[shape(entry)] = m
	}
	if !slices.Contains(m.Keys, key) && len(m.Keys) < maxKeys {
		m.Keys = append(m.Keys, key)
	}
	return m
}
