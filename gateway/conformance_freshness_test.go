package gateway

import (
	"fmt"
	"net/http"
	"time"
)

const day = 24 * 60 * 60

// freshness is about what is stored, and for how long.
func (b book) freshness() {
	b.reused("9111 4.2.1: max-age", "Cache-Control", "max-age=3600")
	b.notReused("9111 4.2: past max-age", "Cache-Control", "max-age=2")
	b.notReused("9111 4.2.1: nothing says how long", "X", "1")
	b.reused("9111 4.2.1: s-maxage before max-age", "Cache-Control", "max-age=1, s-maxage=3600")
	b.notReused("9111 4.2.1: a short s-maxage before max-age", "Cache-Control", "max-age=3600", "Cache-Control", "s-maxage=1")
	b.reused("9111 4.2.1: max-age before Expires", "Cache-Control", "max-age=3600", "Expires", "@-60")
	b.notReused("9111 4.2.1: max-age=0 before Expires", "Cache-Control", "max-age=0", "Expires", "@60")
	b.reused("9111 5.3: Expires", "Expires", "@60")
	b.notReused("9111 5.3: Expires that is no date", "Expires", "0", "Last-Modified", "@-86400")
	b.notReused("9111 5.3: Expires is compared with Date", "Date", "@100", "Expires", "@50")
	b.reused("9110 6.6.1: a Date that is none counts as now", "Date", "soon", "Expires", "@60")
	b.reused("9110 5.6.7: RFC 850 dates", "Expires", time.Now().AddDate(20, 0, 0).UTC().Format("Monday, 02-Jan-06 15:04:05 GMT"))
	b.reused("9110 5.6.7: asctime dates", "Expires", time.Now().AddDate(20, 0, 0).UTC().Format(time.ANSIC))
	b.notReused("9110 5.6.7: a zone that is not GMT", "Expires", "Fri, 01 Jan 2049 00:00:00 UTC")
	b.notReused("9110 5.6.7: an hour of one digit", "Expires", "Fri, 01 Jan 2049 0:00:00 GMT")
	b.notReused("9111 4.2.3: Age counts", "Cache-Control", "max-age=3600", "Age", "3600")
	b.reused("9111 5.1: of several ages the first", "Cache-Control", "max-age=3600", "Age", "0, 7200")
	b.notReused("9111 5.1: of several lines of Age the first", "Cache-Control", "max-age=3600", "Age", "7200", "Age", "0")
	b.reused("9111 5.1: an Age that is no number is none", "Cache-Control", "max-age=3600", "Age", "7200.0")
	b.notReused("9111 1.2.2: a large Age is large", "Cache-Control", "max-age=3600", "Age", "99999999999")
	b.reused("9111 1.2.2: a large max-age is large", "Cache-Control", "max-age=99999999999")
	b.notReused("9111 4.2.3: an old Date counts", "Cache-Control", "max-age=3600", "Date", "@-7200")
	b.notReused("9111 4.2.1: a number that is none is stale", "Cache-Control", "max-age='60'")
	b.notReused("9111 5.2: what is quoted is no directive", "Cache-Control", `x="max-age=3600", max-age=1`)

	for _, status := range []int{200, 203, 204, 404, 405, 410, 414, 501} {
		b.add(fmt.Sprintf("9111 4.2.2: %d by Last-Modified", status),
			step{status: status, say: []string{"Last-Modified", fmt.Sprint("@-", day)}, from: "backend"},
			step{wait: 3 * time.Second, from: "store", got: status})
	}
	for _, status := range []int{201, 302, 400, 403, 500, 503, 599} {
		b.add(fmt.Sprintf("9111 4.2.2: %d not by Last-Modified", status),
			step{status: status, say: []string{"Last-Modified", fmt.Sprint("@-", day)}, from: "backend"},
			step{status: status, from: "backend"})
		b.add(fmt.Sprintf("9111 3: %d by its own word", status),
			step{status: status, say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
			step{wait: 3 * time.Second, from: "store", got: status})
	}
	b.add("9111 4.2.2: a tenth, and an error for a minute at most",
		step{status: 404, say: []string{"Last-Modified", fmt.Sprint("@-", day)}, from: "backend"},
		step{wait: 61 * time.Second, status: 404, from: "backend"})
	b.add("9111 5.2.2.9: public makes any status one",
		step{status: 599, say: []string{"Last-Modified", fmt.Sprint("@-", day), "Cache-Control", "public"}, from: "backend"},
		step{from: "store", got: 599})

	b.notReused("9111 5.2.2.5: no-store", "Cache-Control", "max-age=60, No-Store")
	b.notReused("9111 5.2.2.7: private", "Cache-Control", "private, max-age=60")
	b.notReused("9111 7.3: Set-Cookie", "Cache-Control", "max-age=60", "Set-Cookie", "a=b")
	b.reused("9111 5.2.2.3: must-understand lifts no-store", "Cache-Control", "max-age=60, no-store, must-understand")
	b.add("9111 5.2.2.3: must-understand, and a status that is not understood",
		step{status: 299, say: []string{"Cache-Control", "max-age=60, must-understand"}, from: "backend"},
		step{status: 299, from: "backend"})
	b.notReused("9111 4.1: Vary: *", "Cache-Control", "max-age=60", "Vary", "Foo", "Vary", ", *")

	b.reused("9213: CDN-Cache-Control", "CDN-Cache-Control", "max-age=60")
	b.reused("9213 2.2: it comes before all else", "CDN-Cache-Control", "max-age=60", "Cache-Control", "no-store", "Expires", "@-9")
	b.notReused("9213 2.2: also to forbid", "CDN-Cache-Control", "no-store", "Cache-Control", "max-age=60")
	b.notReused("9213 2.2: and to shorten", "CDN-Cache-Control", "max-age=1", "Cache-Control", "max-age=60")
	b.notReused("9213 2.2: Expires does not help it", "CDN-Cache-Control", "max-age=0", "Expires", "@60")
	b.notReused("9213 2.1: one that is malformed is none", "CDN-Cache-Control", "max-age=60, &&", "Cache-Control", "no-store")
	b.notReused("9213 2.1: one of the wrong type is none", "CDN-Cache-Control", `max-age="60"`, "Cache-Control", "no-store")
	b.reused("9213 3.1: ours comes before that of others", "Stagecache-Cache-Control", "max-age=60", "CDN-Cache-Control", "no-store")

}

// requests is about what a request may ask for, and who may share.
func (b book) requests() {
	b.add("9111 5.2.1.1: max-age of a request",
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{wait: 5 * time.Second, ask: []string{"Cache-Control", "max-age=10"}, from: "store"},
		step{ask: []string{"Cache-Control", "max-age=4"}, from: "backend"})
	b.add("9111 5.2.1.2: max-stale",
		step{say: []string{"Cache-Control", "max-age=2"}, from: "backend"},
		step{wait: 5 * time.Second, ask: []string{"Cache-Control", "max-stale=10"}, from: "store"},
		step{ask: []string{"Cache-Control", "max-stale=2"}, from: "backend"})
	b.add("9111 5.2.2.2: max-stale against must-revalidate",
		step{say: []string{"Cache-Control", "max-age=2, must-revalidate", "Etag", `"a"`}, from: "backend"},
		step{wait: 5 * time.Second, ask: []string{"Cache-Control", "max-stale"}, from: "backend"})
	b.add("9111 5.2.1.3: min-fresh",
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{wait: 5 * time.Second, ask: []string{"Cache-Control", "min-fresh=50"}, from: "store"},
		step{ask: []string{"Cache-Control", "min-fresh=56"}, from: "backend"})
	b.add("9111 5.2.1.4: no-cache validates, and the answer serves the next",
		step{say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend"},
		step{ask: []string{"Cache-Control", "no-cache"}, say: []string{"Etag", `"a"`, "X", "new"}, from: "backend", got: 200, text: "step 1", sent: []string{"If-None-Match", `"a"`}},
		step{from: "store", have: []string{"X", "new"}})
	b.add("9111 5.4: Pragma, where there is no Cache-Control",
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{ask: []string{"Pragma", "no-cache", "Cache-Control", "x"}, from: "store"},
		step{ask: []string{"Pragma", "no-cache"}, from: "backend"})
	b.add("9111 5.2.1.5: the answer to no-store is not stored",
		step{ask: []string{"Cache-Control", "no-store"}, say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{ask: []string{"Cache-Control", "no-store"}, from: "store"})
	b.add("9111 5.2.1.7: only-if-cached",
		step{ask: []string{"Cache-Control", "only-if-cached"}, got: http.StatusGatewayTimeout},
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{ask: []string{"Cache-Control", "only-if-cached"}, from: "store"})

	// Who may share.
	b.add("9111 3.5: Authorization",
		step{ask: []string{"Authorization", "x"}, say: []string{"Expires", "@60"}, from: "backend", sent: []string{"Authorization", "x"}},
		step{from: "backend"})
	for _, directive := range []string{"public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"} {
		b.add("9111 3.5: Authorization and "+directive,
			step{ask: []string{"Authorization", "x"}, say: []string{"Cache-Control", directive}, from: "backend"},
			step{from: "store"}, step{ask: []string{"Authorization", "y"}, from: "store"})
	}
	b.add("a cookie, and a lifetime that is a guess",
		step{ask: []string{"Cookie", "a=b"}, say: []string{"Last-Modified", fmt.Sprint("@-", day)}, from: "backend"},
		step{from: "backend"})
	b.add("a cookie, and the backend's word",
		step{ask: []string{"Cookie", "a=b"}, say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{ask: []string{"Cookie", "c=d"}, from: "store"})
}
