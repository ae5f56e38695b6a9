package policy

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestDecideReuse(t *testing.T) {
	const s = time.Second
	fresh := Held{Age: 10, Left: 50 * s}
	stale := Held{Age: 70, Left: -10 * s, Stale: true}
	with := func(h Held, change func(*Held)) Held { change(&h); return h }
	for _, c := range []struct {
		source string
		held   Held
		asks   string
		want   Reuse
	}{
		{"9111 4.2: fresh", fresh, "", Serve},
		{"9111 4.2: stale", stale, "", Validate},
		{"9111 5.2.1.4: no-cache", fresh, "no-cache", Validate},
		{"9111 5.2.1.1: max-age", fresh, "max-age=10", Serve},
		{"9111 5.2.1.1: too old", fresh, "max-age=9", Validate},
		{"max-age=0 asks for the backend", with(fresh, func(h *Held) { h.Age = 0 }), "max-age=0", Validate},
		{"max-age that cannot be read", fresh, "max-age=x", Serve},
		{"9111 5.2.1.3: min-fresh", fresh, "min-fresh=50", Serve},
		{"9111 5.2.1.3: not for long enough", fresh, "min-fresh=51", Validate},
		{"9111 5.2.1.2: max-stale", stale, "max-stale=10", ServeStale},
		{"9111 5.2.1.2: not so stale", stale, "max-stale=9", Validate},
		{"9111 5.2.1.2: however stale", stale, "max-stale", ServeStale},
		{"9111 4.2.4: forbidden", with(stale, func(h *Held) { h.NeverStale = true }), "max-stale", Validate},
		{"9111 5.2.1.1: max-age and max-stale", stale, "max-age=60, max-stale=20", Validate},
		{"5861 3: within the window", with(stale, func(h *Held) { h.StaleWhileRevalidate = 11 * s }), "", Refresh},
		{"5861 3: at its end", with(stale, func(h *Held) { h.StaleWhileRevalidate = 10 * s }), "", Validate},
		{"5861 3: forbidden", with(stale, func(h *Held) { h.StaleWhileRevalidate, h.NeverStale = 60*s, true }), "", Validate},
		{"softly purged", with(fresh, func(h *Held) { h.Stale = true }), "", Validate},
		{"softly purged, with a window", with(fresh, func(h *Held) { h.Stale, h.StaleWhileRevalidate = true, s }), "", Refresh},
		{"9111 5.2.1.5: no-store says nothing of reuse", fresh, "no-store", Serve},
	} {
		var d Directives
		if c.asks != "" {
			d = ParseCacheControl([]string{c.asks})
		}
		if got := DecideReuse(c.held, d); got != c.want {
			t.Errorf("%s: %d, want %d", c.source, got, c.want)
		}
		if !c.held.Stale && !Demands(d) && c.want != Serve {
			t.Errorf("%s: the request demands nothing, and is not served", c.source)
		}
	}
}

func TestRequestDirectives(t *testing.T) {
	for _, c := range []struct {
		source string
		header map[string][]string
		want   bool
	}{
		{"9111 5.4: Pragma", headerOf("Pragma", "no-cache"), true},
		{"9111 5.4: among others", headerOf("Pragma", "x, No-Cache"), true},
		{"9111 5.4: not beside Cache-Control", headerOf("Pragma", "no-cache", "Cache-Control", "x"), false},
		{"another pragma", headerOf("Pragma", "no-store"), false},
	} {
		if got := RequestDirectives(c.header); got.NoCache != c.want || got.NoStore {
			t.Errorf("%s: %+v", c.source, got)
		}
	}
}

func TestStaleIfError(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		source string
		in     StaleInput
		want   bool
	}{
		{"5861 4: the answer's window", StaleInput{HTTP: true, Stated: 10 * s, Past: 9 * s, Answered: true}, true},
		{"5861 4: past it", StaleInput{HTTP: true, Stated: 10 * s, Past: 10 * s}, false},
		{"the settings' window", StaleInput{Stated: -1, Setting: 10 * s, Past: 9 * s, Answered: true}, true},
		{"5861 4: the answer comes first", StaleInput{HTTP: true, Stated: 0, Setting: 10 * s, Past: s, Answered: true}, false},
		{"9111 4.2.4: disconnected", StaleInput{HTTP: true, Stated: -1, Past: 3599 * s}, true},
		{"9111 4.2.4: for an hour", StaleInput{HTTP: true, Stated: -1, Past: 3600 * s}, false},
		{"an error is an answer", StaleInput{HTTP: true, Stated: -1, Past: s, Answered: true}, false},
		{"the answer forbids it", StaleInput{HTTP: true, Stated: 0, Past: s}, false},
		{"mode apigateway goes by the settings", StaleInput{Stated: -1, Past: s}, false},
		{"9111 4.2.4: must-revalidate", StaleInput{HTTP: true, Stated: 10 * s, Past: s, NeverStale: true}, false},
		{"9111 5.2.1.4: the client asked for the backend", StaleInput{HTTP: true, Stated: 10 * s, Past: -s, Demanded: true}, false},
		{"softly purged", StaleInput{Stated: -1, Setting: s, Past: -100 * s, Answered: true}, true},
	} {
		if got := StaleIfError(c.in); got != c.want {
			t.Errorf("%s: %t", c.source, got)
		}
	}
}

func TestFreshen(t *testing.T) {
	stored := headerOf("X", "old", "Y", "kept", "Date", "then", "Content-Type", "text/a", "Content-Encoding", "gzip", "Cache-Control", "max-age=1")
	before := maps.Clone(stored)
	got := Freshen(stored, headerOf("X", "new", "Content-Type", "text/b", "Content-Encoding", "br", "Content-Length", "9",
		"Content-Range", "x", "Set-Cookie", "a=b", "Cache-Control", "max-age=2", "Date", "now", "Z", "added"))
	want := headerOf("X", "new", "Y", "kept", "Date", "now", "Content-Type", "text/a", "Content-Encoding", "gzip", "Cache-Control", "max-age=2", "Z", "added")
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !maps.EqualFunc(stored, before, slices.Equal) {
		t.Error("the stored header was changed")
	}
	if got := Freshen(stored, nil); got["Date"] != nil {
		t.Error("without a Date in the 304 the old one stays, and with it the old age")
	}
}

func TestNotModifiedIsAbout(t *testing.T) {
	both := Validators{ETag: `"a"`, LastModified: at(-100)}
	for _, c := range []struct {
		source string
		update map[string][]string
		held   Validators
		want   bool
	}{
		{"9111 4.3.4: the same tag", headerOf("Etag", `"a"`), both, true},
		{"9111 4.3.4: weakly", headerOf("Etag", `W/"a"`), both, true},
		{"9111 4.3.4: another tag", headerOf("Etag", `"b"`, "Last-Modified", at(-100)), both, false},
		{"two tags", headerOf("Etag", `"a"`, "Etag", `"b"`), both, false},
		{"9111 4.3.4: by date", headerOf("Last-Modified", at(-100)), both, true},
		{"9111 4.3.4: another date", headerOf("Last-Modified", at(-99)), both, false},
		{"9111 4.3.4: neither", headerOf("X", "1"), both, true},
		{"a date where there was none", headerOf("Last-Modified", at(-99)), Validators{ETag: `"a"`}, true},
	} {
		if got := NotModifiedIsAbout(c.update, c.held); got != c.want {
			t.Errorf("%s: %t", c.source, got)
		}
	}
}

func TestSameBody(t *testing.T) {
	held := Validators{ETag: `"a"`, LastModified: at(-9)}
	for _, c := range []struct {
		source string
		head   map[string][]string
		want   bool
	}{
		{"9111 4.3.5: all the same", headerOf("Etag", `"a"`, "Last-Modified", at(-9), "Content-Length", "4"), true},
		{"9111 4.3.5: what is not said does not differ", headerOf(), true},
		{"9111 4.3.5: another tag", headerOf("Etag", `"b"`), false},
		{"9111 4.3.5: another date", headerOf("Last-Modified", at(-8)), false},
		{"9111 4.3.5: another length", headerOf("Etag", `"a"`, "Content-Length", "5"), false},
	} {
		if got := SameBody(c.head, held, "4"); got != c.want {
			t.Errorf("%s: %t", c.source, got)
		}
	}
}

func TestConfirms(t *testing.T) {
	both := Validators{ETag: `W/"a"`, LastModified: at(-9)}
	for _, c := range []struct {
		source string
		head   map[string][]string
		held   Validators
		want   bool
	}{
		{"9111 4.3.5: the tag", headerOf("Etag", `W/"a"`), both, true},
		{"9111 4.3.5: another tag", headerOf("Etag", `W/"b"`, "Last-Modified", at(-9)), both, false},
		{"a date says less than a tag that is not there", headerOf("Last-Modified", at(-9)), both, false},
		{"9111 4.3.5: the date", headerOf("Last-Modified", at(-9)), Validators{LastModified: at(-9)}, true},
		{"another date", headerOf("Last-Modified", at(-8)), Validators{LastModified: at(-9)}, false},
		{"no validator", headerOf("Content-Length", "4"), Validators{}, false},
		{"none that is one", headerOf("Etag", "a", "Last-Modified", "b"), Validators{ETag: "a", LastModified: "b"}, false},
		{"two tags", headerOf("Etag", `W/"a"`, "Etag", `W/"a"`), both, false},
	} {
		if got := Confirms(c.head, c.held); got != c.want {
			t.Errorf("%s: %t", c.source, got)
		}
	}
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		held Validators
		want map[string][]string
	}{
		{Validators{}, headerOf()},
		{Validators{ETag: `W/"a"`}, headerOf("If-None-Match", `W/"a"`)},
		{Validators{ETag: "a"}, headerOf()}, // no tag: what a backend makes of it is anybody's guess
		{Validators{LastModified: at(-9)}, headerOf("If-Modified-Since", at(-9))},
		{Validators{ETag: `"a"`, LastModified: "x"}, headerOf("If-None-Match", `"a"`)},
	} {
		h := headerOf()
		c.held.Conditions(h)
		if !maps.EqualFunc(h, c.want, slices.Equal) || c.held.Usable() != (len(c.want) > 0) {
			t.Errorf("%+v: %v, usable %t", c.held, h, c.held.Usable())
		}
	}
}
