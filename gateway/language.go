package gateway

import (
	"slices"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// Browsers send Accept-Language in thousands of forms, of which most come to the same answer. So in mode http a variant that
// says which one language it is in can also be found by a request that would rather have that language than any other: no
// variant could suit it better. An alias under a key of the language leads to the variant. That is done only where the
// header is a plain list of language ranges, in which nothing else can be told to the backend, or through it to others.

// putAlias makes a variant known by its language. It is a help, so that it fails is no error.
func (j *job) putAlias(head *fillHead, meta engine.Meta) {
	if !j.m.http || meta.TTL <= 0 {
		return
	}
	tag, ok := policy.ContentLanguage(head.header["Content-Language"])
	if !ok || !policy.ListsLanguages(j.shared["Accept-Language"]) {
		return
	}
	key, ok := policy.AppendLanguageKey(nil, j.key, head.names, j.shared, tag)
	if !ok {
		return
	}
	meta.Retain = 0
	if err := j.lease.PutKey(key, stored.AppendAlias(nil, []byte(head.variant)), meta); err != nil {
		j.g.log.Debug("a variant was not made known by its language", "stage", j.stage.name, "reason", err)
	}
}

// byLanguage looks for a fresh variant in the language that the request prefers.
func (x *exchange) byLanguage(m stored.Marker) (*found, bool) {
	if !x.m.http || x.glancing || !slices.Contains(m.Names, "accept-language") {
		return nil, false
	}
	h := x.variantHeader(m.Names)
	tag, ok := policy.PreferredLanguage(h["Accept-Language"])
	if !ok {
		return nil, false
	}
	key, _ := policy.AppendLanguageKey(nil, x.key, m.Names, h, tag)
	alias, err := x.store.Get(nil, key)
	if err != nil || alias.Stale || alias.Plain && x.m.Encrypt {
		return nil, false
	}
	variant, ok := stored.DecodeAlias(alias.Value)
	if !ok || !m.Has(stored.NewVariantID(variant)) {
		return nil, false
	}
	e, ok := x.get(variant)
	if !ok || e.Stale {
		return nil, false
	}
	a, err := stored.Decode(e.Value)
	if err != nil {
		return nil, false
	}
	// Whatever else the variant's own request said, its answer must still be in this language.
	if in, ok := policy.ContentLanguage([]string{a.Get("Content-Language")}); !ok || in != tag {
		return nil, false
	}
	return &found{e, a}, true
}
