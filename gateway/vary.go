package gateway

import (
	"hash/maphash"
	"net/http"
	"slices"
	"strings"

	"stagecache/engine"
	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

// Where a resource's answers differ by request headers, its primary key holds a marker with the names of those headers and
// the ids of the variants, each of which is an entry under a key of its own (policy.AppendVariantKey). A variant that the
// marker does not list is a miss, whatever the store holds: so a resource never has more than stored.MaxVariants of them,
// and variants by other names are gone as soon as the backend's Vary changes.

// varyNames are the request headers by which an answer varies: those that it says; Origin if it came with one and the
// answer names who may read it; Accept-Encoding if the answer is encoded. Backends that forget to say so are common, and the
// answer for one would lock out another, let it in, or be unreadable to it.
func varyNames(req, resp http.Header) []string {
	names, _ := policy.ParseVary(resp["Vary"]) // an answer with "*" is not stored
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
			slices.Sort(names)
		}
	}
	// The one that may read it need not be spelled as the request had it: backends put it in lower case, or take one of several.
	if allowed := resp["Access-Control-Allow-Origin"]; len(req["Origin"]) > 0 && len(allowed) > 0 && !slices.Equal(allowed, []string{"*"}) {
		add("origin")
	}
	if coding := resp.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		add("accept-encoding")
	}
	return names
}

var stripeSeed = maphash.MakeSeed()

// putVariant stores one variant and sees to it that the resource's marker lists it. It ends the lease.
func (j *job) putVariant(value []byte, head *fillHead, meta engine.Meta) error {
	key := []byte(head.variant)
	lock := &j.stage.stripes[maphash.Bytes(stripeSeed, j.key)%uint64(len(j.stage.stripes))]
	lock.Lock()
	defer lock.Unlock()
	var m stored.Marker
	mark := meta
	mark.Tags = nil // a purge by tag is about the variants that have the tag
	if e, err := j.store.Get(nil, j.key); err == nil && (!e.Plain || !j.m.Encrypt) && stored.IsMarker(e.Value) {
		if m, err = stored.DecodeMarker(e.Value); err == nil {
			// The marker lives as long as the last of its variants.
			now := j.g.now()
			left := e.Expires.Sub(now)
			mark.Retain = max(mark.TTL+mark.Retain, e.Retain.Sub(now)) // the end of both, for the moment
			mark.TTL = max(mark.TTL, left)
			mark.Retain = max(mark.Retain-mark.TTL, 0)
		}
	}
	j.putAlias(head, meta)
	text := m.With(head.names, stored.NewVariantID(key)).Append(nil)
	// The entry under the leased key comes last, for it ends the lease. That one of the two is there without the other, for a
	// moment or because the second was refused, is a miss and nothing worse.
	if string(j.leaseKey) == head.variant {
		if err := j.lease.PutKey(j.key, text, mark); err != nil {
			return err
		}
		return j.lease.Put(value, meta)
	}
	if err := j.lease.PutKey(key, value, meta); err != nil {
		return err
	}
	return j.putUnder(j.key, text, mark)
}
