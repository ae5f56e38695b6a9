// Package audit records who invalidated or changed what, from where, and how much of it there was at most: one JSON object
// per line, to a file or to the log.
//
//	ctx = audit.With(ctx, audit.Actor{User: "deployer", Via: "token", Source: "192.0.2.7"})
//	log.Write(ctx, audit.Record{Action: "purge", Stage: "prod", What: "/products/*", AtMost: 12})
//
// A record is written when the thing is done, or was refused by whoever does it; then Error says why. A record that cannot be
// written is reported in the log, in full: what was done is done.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Actor is who asked.
type Actor struct {
	User   string // of the configuration; empty: nobody in particular
	Via    string // "token", "signature", "socket", "offline", or "anonymous"
	Source string // address of the client; empty on this machine
}

type key struct{}

// With puts an actor into a context.
func With(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, key{}, a) }

// From gives the actor of a context; the zero Actor where there is none.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(key{}).(Actor)
	return a
}

// Actions of records.
const (
	Flush   = "flush"
	Purge   = "purge"
	Refresh = "refresh"
	Set     = "set"
	Remove  = "remove"
	Reload  = "reload"
	Rotate  = "rotate"
)

// Record is what was done.
type Record struct {
	Action string
	Stage  string
	What   string // the path or tag, the settings, the directory
	Soft   bool
	AtMost int64 // entries; of a flush, a purge or a refresh
	Error  string
}

// line is a record as it is written.
type line struct {
	Time   string `json:"time"`
	User   string `json:"user,omitempty"`
	Via    string `json:"via"`
	Source string `json:"source,omitempty"`
	Action string `json:"action"`
	Stage  string `json:"stage,omitempty"`
	What   string `json:"what,omitempty"`
	Soft   bool   `json:"soft,omitempty"`
	AtMost *int64 `json:"at_most,omitempty"` // of what empties something
	Error  string `json:"error,omitempty"`
}

// Log is where records go. The zero Log, and a nil one, forgets them.
type Log struct {
	mu  sync.Mutex
	out *os.File     // guarded by mu; nil: the log
	log *slog.Logger // guarded by mu
}

// maxWhat bounds what a client's text takes of a line.
const maxWhat = 8 << 10

// Open begins a log: in a file, which is made with mode 0600 and appended to, or in log where path is empty.
func Open(path string, log *slog.Logger) (*Log, error) {
	l := &Log{}
	return l, l.Turn(path, log)
}

// Turn goes on in another file, or in the same one if it was moved away. With an error everything stays as it was.
func (l *Log) Turn(path string, log *slog.Logger) error {
	var out *os.File
	if path != "" {
		var err error
		if out, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("audit_file: %w", err)
		}
	}
	l.mu.Lock()
	old := l.out
	l.out, l.log = out, log
	l.mu.Unlock()
	if old != nil {
		old.Close() // every line was written when it was made
	}
	return nil
}

// Close ends it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil {
		return nil
	}
	err := l.out.Close()
	l.out = nil
	return err
}

// Write records what the actor of a context did, or could not do.
func (l *Log) Write(ctx context.Context, r Record) {
	if l == nil {
		return
	}
	a := From(ctx)
	rec := line{
		Time: time.Now().UTC().Format(time.RFC3339Nano), User: a.User, Via: a.Via, Source: a.Source,
		Action: r.Action, Stage: r.Stage, What: clip(r.What), Soft: r.Soft, Error: clip(r.Error),
	}
	switch r.Action {
	case Flush, Purge, Refresh:
		rec.AtMost = &r.AtMost
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out != nil {
		b, err := json.Marshal(rec)
		if err == nil {
			_, err = l.out.Write(append(b, '\n')) // one write: lines of several processes do not mix
		}
		if err == nil {
			return
		}
		if l.log != nil {
			l.log.Error("the audit file cannot be written", "error", err)
		}
	}
	if l.log != nil {
		l.log.LogAttrs(ctx, slog.LevelInfo, "audit", rec.attrs()...)
	}
}

// attrs is a record for the log, without what is empty.
func (r line) attrs() []slog.Attr {
	out := []slog.Attr{slog.String("action", r.Action)}
	for _, f := range [][2]string{{"stage", r.Stage}, {"what", r.What}, {"user", r.User}, {"via", r.Via}, {"source", r.Source}, {"error", r.Error}} {
		if f[1] != "" {
			out = append(out, slog.String(f[0], f[1]))
		}
	}
	if r.Soft {
		out = append(out, slog.Bool("soft", true))
	}
	if r.AtMost != nil {
		out = append(out, slog.Int64("at_most", *r.AtMost))
	}
	return out
}

func clip(s string) string {
	if len(s) > maxWhat {
		return s[:maxWhat] + "..."
	}
	return s
}

// Text is an error as a record has it; what was only interrupted is told by its cause.
func Text(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}
