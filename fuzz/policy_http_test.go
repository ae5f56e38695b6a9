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
