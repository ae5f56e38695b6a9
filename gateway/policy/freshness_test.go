package policy

import (
	"net/http"
	"testing"
	"time"
)

var came = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// at is the date so many seconds from when the answers of these tests come.
func at(seconds int) string {
	return came.Add(time.Duration(seconds) * time.Second).Format(http.TimeFormat)
}

func headerOf(pairs ...string) map[string][]string {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestLifetime(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		source string
		status int
		header map[string][]string
		want   time.Duration
		stated Stated
	}{
		{"9111 4.2.1: s-maxage first", 200, headerOf("Cache-Control", "s-maxage=1, max-age=2", "Expires", at(3)), s, Explicit},
		{"9111 4.2.1: then max-age", 200, headerOf("Cache-Control", "max-age=2", "Expires", at(3)), 2 * s, Explicit},
		{"9111 4.2.1: then Expires", 200, headerOf("Expires", at(3)), 3 * s, Explicit},
		{"9111 4.2.1: less Date", 200, headerOf("Expires", at(30), "Date", at(10)), 20 * s, Explicit},
		{"9111 4.2.1: never below zero", 200, headerOf("Expires", at(-3)), 0, Explicit},
		{"9111 4.2.1: a number that cannot be read", 200, headerOf("Cache-Control", "max-age=x", "Expires", at(3)), 0, Explicit},
		{"9111 5.3: Expires that cannot be read", 200, headerOf("Expires", "never", "Last-Modified", at(-100)), 0, Explicit},
		{"9111 4.2.1: two that differ", 200, headerOf("Expires", at(3), "Expires", at(4)), 0, Explicit},
		{"9111 4.2.1: two that do not", 200, headerOf("Expires", at(3), "Expires", at(3)), 3 * s, Explicit},
		{"9213 2.2: Expires beside a targeted field", 200, headerOf("Cdn-Cache-Control", "public", "Expires", at(3)), 0, NotStated},
		{"9111 4.2.2: a tenth", 200, headerOf("Last-Modified", at(-100), "Date", at(0)), 10 * s, Guessed},
		{"9111 4.2.2: a day at most", 200, headerOf("Last-Modified", at(-100*24*3600)), 24 * time.Hour, Guessed},
		{"D9: an error a minute at most", 404, headerOf("Last-Modified", at(-100*24*3600)), time.Minute, Guessed},
		{"9111 4.2.2: modified in the future", 200, headerOf("Last-Modified", at(100)), 0, Guessed},
		{"9110 15.1: not every status", 302, headerOf("Last-Modified", at(-100)), 0, NotStated},
		{"9111 5.2.2.9: but with public", 302, headerOf("Last-Modified", at(-100), "Cache-Control", "public"), 10 * s, Guessed},
		{"9111 4.2.2: without Last-Modified", 200, headerOf("Cache-Control", "public"), 0, NotStated},
		{"9111 1.2.2: saturation", 200, headerOf("Cache-Control", "max-age=99999999999"), maxSeconds * s, Explicit},
		{"9111 5.3: far Expires", 200, headerOf("Expires", "Sun, 21 Nov 2286 04:46:39 GMT"), maxSeconds * s, Explicit},
	} {
		cc, targeted := ResponseDirectives(c.header)
		got, stated := Lifetime(FreshnessInput{Status: c.status, Header: c.header, CC: cc, Targeted: targeted, Came: came})
		if got != c.want || stated != c.stated {
			t.Errorf("%s: %s, %d; want %s, %d", c.source, got, stated, c.want, c.stated)
		}
	}
}

func TestInitialAge(t *testing.T) {
	for _, c := range []struct {
		source string
		header map[string][]string
		took   time.Duration
		want   int64
	}{
		{"9111 4.2.3: nothing", headerOf(), 0, 0},
		{"9111 4.2.3: an old Date", headerOf("Date", at(-7)), 0, 7},
		{"9111 4.2.3: a Date ahead", headerOf("Date", at(7)), 0, 0},
		{"9111 4.2.3: Age", headerOf("Date", at(-7), "Age", "9"), 0, 9},
		{"9111 4.2.3: Age and the time it took", headerOf("Age", "9"), 3 * time.Second, 12},
		{"9111 4.2.3: the larger", headerOf("Date", at(-20), "Age", "9"), 3 * time.Second, 20},
		{"9111 5.1: the first of a list", headerOf("Age", "1, 2"), 0, 1},
		{"9111 5.1: the first line", headerOf("Age", "1", "Age", "2"), 0, 1},
		{"9111 5.1: no number", headerOf("Age", "-1"), 0, 0},
		{"9111 5.1: nor this", headerOf("Age", "1.0"), 0, 0},
		{"9111 5.1: nor that", headerOf("Age", `"1"`), 0, 0},
		{"9111 1.2.2: saturation", headerOf("Age", "99999999999999999999"), time.Second, 1 << 31},
	} {
		if got := InitialAge(c.header, came.Add(-c.took), came); got != c.want {
			t.Errorf("%s: %d, want %d", c.source, got, c.want)
		}
	}
}

func TestResponseDirectives(t *testing.T) {
	seconds := func(n int64) Seconds { return Seconds{Value: n, Set: true} }
	for _, c := range []struct {
		source   string
		header   map[string][]string
		want     Directives
		targeted bool
	}{
		{"9213 2.2: the first of the list", headerOf("Stagecache-Cache-Control", "max-age=1", "Cdn-Cache-Control", "max-age=2", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(1)}, true},
		{"9213 2.2: the next", headerOf("Cdn-Cache-Control", "max-age=2", "Cache-Control", "no-store"), Directives{MaxAge: seconds(2)}, true},
		{"9213 2.1: several lines", headerOf("Cdn-Cache-Control", "max-age=2", "Cdn-Cache-Control", "must-revalidate"), Directives{MaxAge: seconds(2), MustRevalidate: true}, true},
		{"9213 2.1: the last of two", headerOf("Cdn-Cache-Control", "max-age=2, max-age=3"), Directives{MaxAge: seconds(3)}, true},
		{"9213 2.1: parameters are ignored", headerOf("Cdn-Cache-Control", "max-age=2;x=y, no-store;a"), Directives{MaxAge: seconds(2), NoStore: true}, true},
		{"9213 2.1: unknown directives are ignored", headerOf("Cdn-Cache-Control", "foo, bar=(1 2), max-age=2"), Directives{MaxAge: seconds(2)}, true},
		{"9651 3.3.6: false", headerOf("Cdn-Cache-Control", "no-store=?0, max-age=2"), Directives{MaxAge: seconds(2)}, true},
		{"9111 5.2.2.7: with fields", headerOf("Cdn-Cache-Control", `private="a", no-cache=(a b)`), Directives{Private: true, NoCache: true}, true},
		{"a number below zero", headerOf("Cdn-Cache-Control", "max-age=-1"), Directives{MaxAge: Seconds{Set: true, Bad: true}}, true},
		{"9213 2.1: empty", headerOf("Cdn-Cache-Control", "", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
		{"9213 2.1: malformed", headerOf("Cdn-Cache-Control", "max-age=2, &", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
		{"9213 2.1: upper case is malformed", headerOf("Cdn-Cache-Control", "Max-Age=2", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
		{"9213 2.1: a number of another type", headerOf("Cdn-Cache-Control", "max-age=2.5", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
		{"9213 2.1: a list for a number", headerOf("Cdn-Cache-Control", "max-age=(2)", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
		{"9213 2.1: a number for a flag", headerOf("Cdn-Cache-Control", "no-store=1", "Cache-Control", "max-age=3"), Directives{MaxAge: seconds(3)}, false},
	} {
		if got, targeted := ResponseDirectives(c.header); got != c.want || targeted != c.targeted {
			t.Errorf("%s: %+v, %t; want %+v", c.source, got, targeted, c.want)
		}
	}
}
