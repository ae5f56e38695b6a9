package control

import (
	"log/slog"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/config"
)

// Keys are the root keys of a data directory. Root is nil where no encryption is configured.
type Keys struct {
	Root *crypto.RootKey
	Old  []*crypto.RootKey
}

// HeadRoom is what a stored answer takes beside its body: max_object is about bodies. It is at least what the gateway
// allows for the head of an answer; with less, a command that works offline would take the largest answers for damaged.
const HeadRoom = 128 << 10

// StoreOptions is how the store of a stage is opened, by a running gateway and offline alike: a store that is opened with
// another capacity or name than the gateway's would evict, or not open at all.
func StoreOptions(s *config.Stage, k Keys, log *slog.Logger) engine.Options {
	o := engine.Options{
		Key:       k.Root,
		OldKeys:   k.Old,
		Plain:     k.Root == nil,
		Name:      s.Name,
		Capacity:  s.Cache.Capacity,
		Memory:    s.Cache.Memory,
		InFlight:  engine.MaxInFlight(s.Cache.Memory),
		MaxObject: s.Cache.MaxObject + HeadRoom,
	}
	if log != nil {
		log = log.With("stage", s.Name)
		o.Report = func(event, file string, err error) { log.Warn(event, "file", file, "error", err) }
	}
	return o
}
