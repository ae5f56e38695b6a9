package policy

import (
	"testing"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"
)

func TestCacheStatusAppend(t *testing.T) {
	for _, c := range []struct {
		source string
		in     CacheStatus
		want   string
	}{
		{"nothing known", CacheStatus{}, "stagecache"},
		{"RFC 9211 2.1: hit", CacheStatus{Hit: true, TTL: 12, HasTTL: true}, "stagecache; hit; ttl=12"},
		{"RFC 9211 2.4: a stale hit", CacheStatus{Hit: true, TTL: -3, HasTTL: true}, "stagecache; hit; ttl=-3"},
		{"RFC 9211 2.2: miss", CacheStatus{Forward: ForwardURIMiss, ForwardStatus: 200, Stored: true, TTL: 300, HasTTL: true}, "stagecache; fwd=uri-miss; fwd-status=200; ttl=300; stored"},
		{"RFC 9211 2.6: collapsed", CacheStatus{Forward: ForwardVaryMiss, Collapsed: true}, "stagecache; fwd=vary-miss; collapsed"},
		{"hit excludes what is forwarding's", CacheStatus{Hit: true, Forward: ForwardStale, ForwardStatus: 200, Stored: true, Collapsed: true}, "stagecache; hit"},
		{"RFC 9211 2.8: detail, token", CacheStatus{Forward: ForwardBypass, Detail: "set-cookie"}, "stagecache; fwd=bypass; detail=set-cookie"},
		{"RFC 9211 2.8: detail, string", CacheStatus{Hit: true, Detail: `a "b"\c`}, `stagecache; hit; detail="a \"b\"\\c"`},
		{"D10: no reflection", CacheStatus{Hit: true, Detail: "x\r\nSet-Cookie: a\x00é"}, `stagecache; hit; detail="x??Set-Cookie: a???"`},
		{"a forward that is no token", CacheStatus{Forward: "a b", ForwardStatus: 200}, "stagecache"},
		{"largest integer", CacheStatus{Hit: true, HasTTL: true, TTL: 1 << 62}, "stagecache; hit; ttl=999999999999999"},
		{"smallest integer", CacheStatus{Hit: true, HasTTL: true, TTL: -1 << 62}, "stagecache; hit; ttl=-999999999999999"},
	} {
		if got := string(c.in.Append([]byte("x: "))); got != "x: "+c.want {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
	buf := make([]byte, 0, 256)
	for _, s := range []CacheStatus{{Hit: true, TTL: 12, HasTTL: true}, {Forward: ForwardURIMiss, ForwardStatus: 200, Stored: true, Detail: "needs a string"}} {
		if n := testing.AllocsPerRun(100, func() { s.Append(buf) }); n != 0 {
			t.Errorf("%+v: %v allocations", s, n)
		}
	}
}

// What is written is what another implementation of structured fields reads.
func TestCacheStatusParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := CacheStatus{
			Hit: rapid.Bool().Draw(t, "hit"), Forward: rapid.SampledFrom([]string{"", "uri-miss", "stale", "bad token", "é"}).Draw(t, "forward"),
			ForwardStatus: rapid.IntRange(0, 599).Draw(t, "status"), Stored: rapid.Bool().Draw(t, "stored"), Collapsed: rapid.Bool().Draw(t, "collapsed"),
			TTL: rapid.Int64().Draw(t, "ttl"), HasTTL: rapid.Bool().Draw(t, "has ttl"), Detail: rapid.String().Draw(t, "detail"),
		}
		text := string(in.Append(nil))
		list, err := httpsfv.UnmarshalList([]string{text})
		if err != nil || len(list) != 1 {
			t.Fatalf("%q: %v", text, err)
		}
		item := list[0].(httpsfv.Item)
		if item.Value != httpsfv.Token("stagecache") {
			t.Fatalf("%q: %v", text, item.Value)
		}
		for name, want := range map[string]bool{
			"hit": in.Hit, "stored": in.Stored && !in.Hit, "collapsed": in.Collapsed && !in.Hit, "ttl": in.HasTTL, "detail": in.Detail != "",
			"fwd": !in.Hit && isToken(in.Forward), "fwd-status": !in.Hit && isToken(in.Forward) && in.ForwardStatus != 0,
		} {
			if _, got := item.Params.Get(name); got != want {
				t.Fatalf("%q: %s is there: %v, want %v", text, name, got, want)
			}
		}
	})
}
