package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseCacheControl(t *testing.T) {
	secs := func(v int64) Seconds { return Seconds{Value: v, Set: true} }
	bad := Seconds{Set: true, Bad: true}
	for _, c := range []struct {
		source string
		in     []string
		want   Directives
	}{
		{"absent", nil, Directives{}},
		{"empty members", []string{"", " , ,"}, Directives{}},
		{"RFC 9111 5.2.2: all of a response", []string{"max-age=1, s-maxage=2, no-store, no-cache, private, public, must-revalidate, proxy-revalidate, no-transform, must-understand"},
			Directives{MaxAge: secs(1), SMaxAge: secs(2), NoStore: true, NoCache: true, Private: true, Public: true, MustRevalidate: true, ProxyRevalidate: true, NoTransform: true, MustUnderstand: true}},
		{"RFC 9111 5.2.1: of a request", []string{"max-stale=5, min-fresh=6, only-if-cached"}, Directives{MaxStale: secs(5), MinFresh: secs(6), OnlyIfCached: true}},
		{"RFC 5861, RFC 8246", []string{"stale-while-revalidate=30, stale-if-error=60, immutable"}, Directives{StaleWhileRevalidate: secs(30), StaleIfError: secs(60), Immutable: true}},
		{"RFC 9111 5.2: any case", []string{"Max-Age=1, NO-STORE"}, Directives{MaxAge: secs(1), NoStore: true}},
		{"RFC 9111 5.2.3: unknown ones are ignored", []string{`x, community="UCI, no-store", y=1, max-age=2`}, Directives{MaxAge: secs(2)}},
		{"RFC 9110 5.3: several lines are one list", []string{"max-age=1", "no-store"}, Directives{MaxAge: secs(1), NoStore: true}},
		{"RFC 9111 5.2: a number in quotes", []string{`max-age="60"`}, Directives{MaxAge: secs(60)}},
		{"RFC 9111 5.2.2.7: private with fields counts in full", []string{`private="x-a, x-b", max-age=5`}, Directives{Private: true, MaxAge: secs(5)}},
		{"RFC 9111 5.2.2.4: no-cache with fields counts in full", []string{`no-cache="set-cookie"`}, Directives{NoCache: true}},
		{"RFC 9111 4.2.1: duplicates, the lowest", []string{"max-age=60, max-age=5", "max-age=10"}, Directives{MaxAge: secs(5)}},
		{"min-fresh: the highest is the strictest", []string{"min-fresh=6, min-fresh=9, min-fresh=1"}, Directives{MinFresh: secs(9)}},
		{"RFC 9111 4.2.1: malformed is stale", []string{"max-age=abc"}, Directives{MaxAge: bad}},
		{"negative", []string{"max-age=-1"}, Directives{MaxAge: bad}},
		{"decimals", []string{"max-age=1.5"}, Directives{MaxAge: bad}},
		{"sign", []string{"s-maxage=+1"}, Directives{SMaxAge: bad}},
		{"no argument", []string{"max-age"}, Directives{MaxAge: bad}},
		{"empty argument", []string{"max-age="}, Directives{MaxAge: bad}},
		{"a malformed duplicate", []string{"max-age=60, max-age=x"}, Directives{MaxAge: bad}},
		{"a malformed one first", []string{"max-age=x, max-age=0"}, Directives{MaxAge: bad}},
		{"RFC 9111 1.2.2: saturates", []string{"max-age=2147483649, s-maxage=99999999999999999999999"}, Directives{MaxAge: secs(1 << 31), SMaxAge: secs(1 << 31)}},
		{"RFC 9111 5.2.1.2: max-stale without a limit", []string{"max-stale"}, Directives{MaxStale: secs(1 << 31)}},
		{"max-stale, malformed", []string{"max-stale=x"}, Directives{MaxStale: bad}},
		{"spaces around =", []string{"max-age = 60"}, Directives{MaxAge: bad}},
		{"space after =", []string{"max-age= 60"}, Directives{MaxAge: bad}},
		{"white space around members", []string{" max-age=1 ,\tno-store "}, Directives{MaxAge: secs(1), NoStore: true}},
		{"semicolons: what forbids counts", []string{"public; private; max-age=60"}, Directives{Private: true, MaxAge: bad}},
		{"semicolon after a number", []string{"max-age=60; no-store"}, Directives{MaxAge: bad, NoStore: true}},
		{"space instead of a comma", []string{"no-cache no-store"}, Directives{NoCache: true, NoStore: true}},
		{"arguments where none belong: what permits does not count", []string{"public=1, immutable=x, must-understand=y"}, Directives{}},
		{"arguments where none belong: what forbids does", []string{"no-store=1, must-revalidate=x"}, Directives{NoStore: true, MustRevalidate: true}},
		{"an open quote hides nothing", []string{`max-age="60, no-store`}, Directives{MaxAge: bad, NoStore: true}},
		{"an open quote in a later member", []string{`x="a", private="b, no-store`}, Directives{Private: true, NoStore: true}},
		{"two stray quotes hide nothing", []string{`a="x, no-store, b="y`}, Directives{NoStore: true}},
		{"escaped quotes", []string{`a="x\", no-store, \"", max-age=1`}, Directives{MaxAge: secs(1)}},
		{"quotes do not reach into the next line", []string{`a="x`, `no-store"`, "no-store"}, Directives{NoStore: true}},
		{"names are not cut short", []string{"no-stores, xno-store, private-x"}, Directives{}},
	} {
		got := ParseCacheControl(c.in)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %q: %s", c.source, c.in, d)
		}
	}
}

// Joining well-formed lines by commas, or adding a directive that forbids, never
// changes what was there for the worse.
func TestParseCacheControlProperties(t *testing.T) {
	member := rapid.SampledFrom([]string{"no-store", "private", `private="a, b"`, "max-age=5", "max-age=x", `max-age="7"`, "public", "s-maxage=3", "max-stale", "min-fresh=4", "", "foo=bar", `foo="a\"b, no-store"`})
	noise := rapid.StringOfN(rapid.SampledFrom([]rune(`a=,;" \-`)), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for range rapid.IntRange(0, 4).Draw(t, "lines") {
			lines = append(lines, strings.Join(rapid.SliceOfN(member, 0, 3).Draw(t, "members"), ","))
		}
		if d := cmp.Diff(ParseCacheControl(lines), ParseCacheControl([]string{strings.Join(lines, ", ")})); d != "" {
			t.Fatalf("%q: lines and list differ: %s", lines, d)
		}
		front := noise.Draw(t, "noise")
		if !ParseCacheControl([]string{front, "no-store"}).NoStore {
			t.Fatalf("%q hid the next line", front)
		}
		if !strings.Contains(front, `"`) && !ParseCacheControl([]string{front + ",no-store"}).NoStore {
			t.Fatalf("%q hid no-store", front)
		}
	})
}

func TestParseCacheControlIsLinear(t *testing.T) {
	// Each of these once cost a scan of the rest of the line per quote; a
	// quadratic reading of 512 KiB would not come back before the test times out.
	for _, unit := range []string{`"\"`, `\"`, `""`, `"x`, `",`, `"`, ";", " "} {
		ParseCacheControl([]string{strings.Repeat(unit, 512<<10/len(unit))})
	}
}

func TestParseCacheControlAllocs(t *testing.T) {
	lines := []string{`public, max-age=60, private="a, b"`}
	if n := testing.AllocsPerRun(100, func() { ParseCacheControl(lines) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestClientRefresh(t *testing.T) {
	for in, want := range map[string]bool{
		"max-age=0": true, "no-transform, Max-Age=0": true, `max-age="0"`: true, "max-age=00": true, "max-age=5, max-age=0": true,
		"": false, "max-age=1": false, "no-cache": false, "no-store": false, "s-maxage=0": false, "max-age=x": false, "max-age": false, "max-age=-0": false,
	} {
		if got := ClientRefresh(ParseCacheControl([]string{in})); got != want {
			t.Errorf("API Gateway, invalidate an entry: %q: %v, want %v", in, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	t0 := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		source  string
		now     time.Time
		initial int64
		want    int64
	}{
		{"just stored", t0, 0, 0},
		{"RFC 9111 4.2.3: resident time", t0.Add(90 * time.Second), 0, 90},
		{"whole seconds", t0.Add(1999 * time.Millisecond), 0, 1},
		{"RFC 9111 4.2.3: age before", t0.Add(10 * time.Second), 30, 40},
		{"the clock went back", t0.Add(-time.Hour), 30, 30},
		{"negative age from the backend", t0.Add(5 * time.Second), -7, 5},
		{"RFC 9111 1.2.2: saturates", t0.Add(time.Second), 1<<31 - 1, 1 << 31},
		{"too large from the backend", t0, 1 << 62, 1 << 31},
		{"centuries", t0.AddDate(400, 0, 0), 1, 1 << 31},
	} {
		if got := Age(t0, c.now, c.initial); got != c.want {
			t.Errorf("%s: %d, want %d", c.source, got, c.want)
		}
	}
}
