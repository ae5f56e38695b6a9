package fuzz

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"stagecache/gateway/policy"
	"stagecache/gateway/stored"
)

func FuzzPolicyDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "", "0", "Sun,", "Sun, 31 Feb 1994 08:00:00 GMT"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := policy.ParseDate(s, now)
		if !ok {
			return
		}
		again, ok := policy.ParseDate(got.Format(http.TimeFormat), now)
		if !ok || !again.Equal(got) {
			t.Fatalf("%q is %s, which is read as %s", s, got, again)
		}
		if loose, err := http.ParseTime(s); err == nil && strings.Contains(s, ",") && !strings.Contains(s, "-") && !loose.Equal(got) {
			t.Fatalf("%q is %s, and %s elsewhere", s, got, loose)
		}
	})
}

func FuzzPolicyResponse(f *testing.F) {
	for _, cc := range []string{"", "max-age=60", "no-cache", "s-maxage=1, public", "max-age=60, must-understand, no-store", "stale-if-error=9, max-age=-1"} {
		f.Add(cc, "max-age=5, no-store=?0", "Thu, 26 Nov 2026 00:00:00 GMT", "7", 200)
		f.Add(cc, "", "0", "x", 404)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cc, targeted, expires, age string, status int) {
		h := map[string][]string{"Cache-Control": {cc}, "Expires": {expires}, "Age": {age}, "Date": {now.Format(http.TimeFormat)}}
		if targeted != "" {
			h["Cdn-Cache-Control"] = []string{targeted}
		}
		in := policy.StoreInput{Method: "GET", Status: status, Header: h, Asked: now, Came: now}
		d := policy.DecideHTTP(in)
		if d.Store && (d.Reason != "" || d.Retain < 0 || d.InitialAge < 0 || d.InitialAge > 1<<31 || d.TTL > 1<<31*time.Second) {
			t.Fatalf("%+v", d)
		}
		if !d.Store && d.Reason == "" {
			t.Fatal("not stored, and nobody knows why")
		}
		directives, _ := policy.ResponseDirectives(h)
		if d.Store && (directives.Private || directives.NoStore && !directives.MustUnderstand || directives.NoCache && d.TTL > 0) {
			t.Fatalf("%+v gives %+v", directives, d)
		}
		// However old it is when it comes, it lives no longer.
		h["Age"] = []string{"99999"}
		if older := policy.DecideHTTP(in); older.Store && d.Store && older.TTL > d.TTL {
			t.Fatalf("older, and longer: %s, %s", older.TTL, d.TTL)
		}
	})
}

func FuzzPolicyLanguage(f *testing.F) {
	for _, s := range []string{"", "*", "de", "en-US,en;q=0.9, de;q=0.8", "de;q=0", "a b", "en;q=2", ",,", "x-very-long-subtag;q=1.000"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		key := func(v string) string {
			return string(policy.AppendVariantKey(nil, []byte("k"), []string{"accept-language"}, map[string][]string{"Accept-Language": {v}}))
		}
		first, ok := policy.PreferredLanguage([]string{a})
		if !ok {
			return
		}
		if !strings.Contains(strings.ToLower(a), first) {
			t.Fatalf("%q prefers %q", a, first)
		}
		if other, ok := policy.PreferredLanguage([]string{b}); key(a) == key(b) && (!ok || other != first) {
			t.Fatalf("%q and %q are one variant and prefer %q and %q", a, b, first, other)
		}
	})
}

func FuzzPolicyPart(f *testing.F) {
	for _, s := range []string{"bytes 0-4/10", "bytes */10", "bytes 5-4/10", "", "bytes 0-9999999999999999999/1"} {
		f.Add(s, "bytes=0-4")
	}
	f.Fuzz(func(t *testing.T, contentRange, asked string) {
		p, ok := policy.ParseContentRange([]string{contentRange})
		if !ok {
			return
		}
		if p.First < 0 || p.Last < p.First || p.Size <= p.Last {
			t.Fatalf("%q: %+v", contentRange, p)
		}
		if policy.OneRange(asked) {
			if parts, verdict := policy.ParseRange(asked, p.Size); verdict == policy.Satisfiable && len(parts) != 1 {
				t.Fatalf("%q is one range, and %d", asked, len(parts))
			}
		}
	})
}

func FuzzGatewayStoredAlias(f *testing.F) {
	f.Add(stored.AppendAlias(nil, []byte("key")))
	f.Add([]byte{})
	f.Add([]byte{2, 'L', 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		key, ok := stored.DecodeAlias(value)
		if !ok {
			return
		}
		if again, ok := stored.DecodeAlias(stored.AppendAlias(nil, key)); !ok || string(again) != string(key) {
			t.Fatalf("%q became %q", key, again)
		}
		if stored.IsAnswer(value) || stored.IsMarker(value) {
			t.Fatal("an alias is something else, too")
		}
	})
}

// What is stale by its own word is never served without the backend's, and a request's word never makes an entry fresher.
func FuzzPolicyReuse(f *testing.F) {
	for _, cc := range []string{"", "no-cache", "max-age=0", "max-age=5", "max-stale", "max-stale=9", "min-fresh=9", "max-age=x", "only-if-cached, max-stale=1"} {
		f.Add(cc, int64(3), int64(5), false, int64(0))
		f.Add(cc, int64(9), int64(-4), false, int64(10))
		f.Add(cc, int64(9), int64(-4), true, int64(10))
	}
	f.Fuzz(func(t *testing.T, cc string, age, left int64, never bool, window int64) {
		const most = 1 << 31
		if age < 0 || age > most || left < -most || left > most || window < 0 || window > most {
			return
		}
		held := policy.Held{
			Age: age, Left: time.Duration(left) * time.Second, Stale: left <= 0, NeverStale: never,
			StaleWhileRevalidate: time.Duration(window) * time.Second,
		}
		want := policy.RequestDirectives(map[string][]string{"Cache-Control": {cc}})
		got := policy.DecideReuse(held, want)
		switch {
		case held.Stale && (got == policy.Serve || never && got != policy.Validate):
			t.Fatalf("%+v for %q: %d", held, cc, got)
		case want.NoCache && got != policy.Validate:
			t.Fatalf("%+v for %q: %d", held, cc, got)
		case got == policy.Refresh && -held.Left >= held.StaleWhileRevalidate:
			t.Fatalf("%+v for %q: past its window", held, cc)
		case got == policy.Serve && policy.DecideReuse(held, policy.Directives{}) != policy.Serve:
			t.Fatalf("%+v is served for %q, and not for nothing", held, cc)
		}
	})
}

// A 304 changes what it says, and nothing about the body that is stored.
func FuzzPolicyUpdate(f *testing.F) {
	for _, name := range []string{"X", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Set-Cookie", "Date", "Age", "Cache-Control"} {
		f.Add(name, "old", "new", `"a"`, `W/"a"`)
	}
	f.Add("", "", "", "", "")
	f.Add("X", "old", "new", `"a"`, ` "a"`+"\t") // white space around a field's value is no part of it (RFC 9110 5.5)
	f.Fuzz(func(t *testing.T, name, before, after, held, came string) {
		name = http.CanonicalHeaderKey(name)
		stored := map[string][]string{name: {before}, "Etag": {held}}
		update := map[string][]string{name: {after}, "Etag": {came}}
		h := policy.Freshen(stored, update)
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Set-Cookie":
			if h[name][0] != before {
				t.Fatalf("%s is %q", name, h[name])
			}
		case "Etag":
		default:
			if h[name][0] != after {
				t.Fatalf("%s is %q", name, h[name])
			}
		}
		v := policy.NewValidators(held, "", "")
		about := policy.NotModifiedIsAbout(update, v)
		if confirms := policy.Confirms(update, v); confirms && !about {
			t.Fatalf("%q says that the body is that of %q, and a 304 with it does not", came, held)
		}
		if !about && came == held {
			t.Fatalf("%q is not about itself", came)
		}
		opaque := func(s string) string { return strings.TrimPrefix(strings.Trim(s, " \t"), "W/") }
		if weak := opaque(held) == opaque(came); about && !weak {
			t.Fatalf("%q is about %q", came, held)
		}
	})
}

func FuzzPolicyGroups(f *testing.F) {
	for _, s := range []string{`"a"`, `"a", "b c"`, `"a";x=1`, `a`, `("a")`, `"a`, "", `"\\" , "\""`, `1, "a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		seen := make(map[string]bool)
		for _, g := range policy.Groups([]string{line}) {
			if seen[g] {
				t.Fatalf("%q: %q comes twice", line, g)
			}
			seen[g] = true
			if len(g) > len(line) {
				t.Fatalf("%q: %q is longer", line, g)
			}
		}
	})
}
