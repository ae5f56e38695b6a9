package gateway

import (
	"errors"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// found is an entry with its answer. Both are views into the exchange's value buffer: the next lookup overwrites them.
type found struct {
	entry  engine.Entry
	answer stored.Answer
}

// lookup finds the entry for the request, through the marker if its answers differ by request headers. Without one it says
// why, in the words of Cache-Status. Afterwards target is the key that an answer to this request would be looked for under.
func (x *exchange) lookup() (*found, string) {
	x.target = x.key
	e, ok := x.get(x.key)
	if !ok {
		return nil, policy.ForwardURIMiss
	}
	if stored.IsMarker(e.Value) {
		m, err := stored.DecodeMarker(e.Value)
		if err != nil {
			return nil, policy.ForwardURIMiss
		}
		x.useVariant(m.Names, x.variantHeader(m.Names))
		if !m.Has(stored.NewVariantID(x.variant)) {
			if f, ok := x.byLanguage(m); ok {
				return f, ""
			}
			return nil, policy.ForwardVaryMiss
		}
		if e, ok = x.get(x.variant); !ok {
			return nil, policy.ForwardVaryMiss
		}
	}
	a, err := stored.Decode(e.Value)
	if err != nil {
		// The store has authenticated the bytes, so this is another version's entry: the answer to come replaces it.
		return nil, policy.ForwardURIMiss
	}
	f := &x.first
	if !f.entry.Stored.IsZero() {
		f = new(found) // a later lookup's, while the first one's may still be in use
	}
	*f = found{e, a}
	return f, ""
}

// valueSlack is what the store usually reads beside a value and its key.
const valueSlack = 1 << 10

// get asks the store. An entry that was stored without encryption is none where the settings ask for encryption.
func (x *exchange) get(key []byte) (engine.Entry, bool) {
	get := x.store.Get
	if x.glancing {
		get = x.store.Peek
	}
	e, err := get(x.value[:0], key)
	if err != nil {
		if !errors.Is(err, engine.ErrMiss) && !errors.Is(err, engine.ErrClosed) {
			x.g.log.Debug("the store could not be read", "stage", x.stage.name, "error", err)
		}
		return engine.Entry{}, false
	}
	if need := len(e.Value) + len(key) + valueSlack; need > cap(x.value) && need <= maxKept {
		// The store had to make room. It needs more than the value to read one, so the next buffer has some to spare; what was
		// found lives in the store's.
		x.value = make([]byte, 0, need+need/4)
	}
	return e, !e.Plain || !x.m.Encrypt
}

// useVariant makes the variant of the resource that the request headers in h select the one that is looked for.
func (x *exchange) useVariant(names []string, h map[string][]string) {
	x.variant = policy.AppendVariantKey(x.variant[:0], x.key, names, h)
	x.target = x.variant
}

// variantHeader is where the values for a variant's key come from: the header as it is forwarded. Building that is spared
// where the names are all of headers that are forwarded as they come, as they usually are.
func (x *exchange) variantHeader(names []string) map[string][]string {
	if x.m.plainVary {
		plain := true
		for _, name := range names {
			plain = plain && plainName(name)
		}
		if plain {
			return x.header
		}
	}
	return x.outHeader(true)
}

// plainName tells a header that outHeader passes on as it came, or that is compared in the form in which it is sent.
func plainName(name string) bool {
	switch name {
	case "accept", "accept-encoding", "accept-language", "origin", "user-agent", "x-requested-with":
		return true
	}
	return false
}
