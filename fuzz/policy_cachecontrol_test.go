package fuzz

import (
	"strings"
	"testing"

	"stagecache/gateway/policy"
)

func FuzzPolicyCacheControl(f *testing.F) {
	for _, s := range []string{
		"", "no-store", "max-age=0", "public, max-age=60, stale-while-revalidate=30", `private="a, b", s-maxage="5"`,
		`max-age="60, no-store`, `a="x, no-store, b="y`, `x="\"", no-cache`, "private; max-age=1", "max-stale, min-fresh=99999999999999999999",
	} {
		f.Add(s, "max-age=7")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		d := policy.ParseCacheControl([]string{a, b})
		for name, s := range map[string]policy.Seconds{
			"max-age": d.MaxAge, "s-maxage": d.SMaxAge, "max-stale": d.MaxStale, "min-fresh": d.MinFresh,
			"stale-while-revalidate": d.StaleWhileRevalidate, "stale-if-error": d.StaleIfError,
		} {
			if s.Value < 0 || s.Value > 1<<31 || !s.Set && (s.Value != 0 || s.Bad) {
				t.Fatalf("%s: %+v", name, s)
			}
		}
		// The order of the lines does not count.
		if got := policy.ParseCacheControl([]string{b, a}); got != d {
			t.Fatalf("%q %q: %+v, the other way round %+v", a, b, d, got)
		}
		// A further line can only forbid more and live shorter.
		more := policy.ParseCacheControl([]string{a, b, "no-store, private, no-cache, max-age=3"})
		if !more.NoStore || !more.Private || !more.NoCache || more.MaxAge.Value > 3 {
			t.Fatalf("%q %q hide a further line: %+v", a, b, more)
		}
		if policy.ClientRefresh(d) && !strings.Contains(strings.ToLower(a+b), "max-age=") {
			t.Fatalf("%q %q ask for a refresh", a, b)
		}
		in := policy.StoreInput{Method: "GET", Status: 200, CC: d, TTL: 1}
		if got := policy.DecideAPIGateway(in); got.Store == (d.NoStore || d.Private || d.NoCache) {
			t.Fatalf("%+v gives %+v", d, got)
		}
	})
}
