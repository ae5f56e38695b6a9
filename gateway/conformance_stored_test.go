package gateway

import (
	"fmt"
	"net/http"
	"time"
)

// validation is about stale answers.
func (b book) validation() {
	const modified = "Wed, 01 Jan 2025 00:00:00 GMT"
	for _, c := range []struct{ name, value, condition string }{
		{"Etag", `"a"`, "If-None-Match"}, {"Etag", `W/"a"`, "If-None-Match"}, {"Last-Modified", modified, "If-Modified-Since"},
	} {
		b.add("9111 4.3.1: validated by "+c.value,
			step{say: []string{"Cache-Control", "max-age=2", c.name, c.value, "X", "old", "Y", "kept"}, from: "backend", body: "body"},
			step{wait: 3 * time.Second, say: []string{c.name, c.value, "X", "new", "Cache-Control", "max-age=100"}, from: "backend",
				got: 200, text: "body", sent: []string{c.condition, c.value}, have: []string{"X", "new", "Y", "kept"}},
			step{wait: 50 * time.Second, from: "store", text: "body", have: []string{"X", "new", "Y", "kept", "Age", "50"}})
	}
	b.add("9111 3.2: what a 304 does not change",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`, "Content-Type", "text/a", "Content-Encoding", "x"}, from: "backend", body: "12345"},
		step{wait: 3 * time.Second, say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`, "Content-Type", "text/b", "Content-Encoding", "y", "Set-Cookie", "a=b"},
			from: "backend", got: 200, have: []string{"Content-Type", "text/a", "Content-Encoding", "x", "Content-Length", "5", "Set-Cookie", "-"}},
		step{from: "store", have: []string{"Content-Type", "text/a", "Content-Encoding", "x", "Set-Cookie", "-"}})
	b.add("9111 4.3.4: a 304 that says no-store is the last",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, say: []string{"Cache-Control", "no-store", "Etag", `"a"`}, from: "backend", got: 200, text: "step 1"},
		step{from: "backend", text: "step 3", sent: []string{"If-None-Match", "-"}})
	b.add("9111 4.3.3: a new answer takes the place",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, say: []string{"Cache-Control", "max-age=60", "Etag", `"b"`}, from: "backend", text: "step 2"},
		step{from: "store", text: "step 2"})
	b.add("9111 5.2.2.4: no-cache is stored, and asked about each time",
		step{say: []string{"Cache-Control", "max-age=60, no-cache", "Etag", `"a"`}, from: "backend"},
		step{say: []string{"Cache-Control", "max-age=60, no-cache", "Etag", `"a"`}, from: "backend", got: 200, text: "step 1", sent: []string{"If-None-Match", `"a"`}},
		step{status: -1, from: "backend", got: http.StatusBadGateway})
	b.add("9111 4.3.2: the client's conditions",
		step{ask: []string{"If-None-Match", `"a"`}, say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`, "Last-Modified", modified}, from: "backend",
			got: 304, sent: []string{"If-None-Match", "-"}},
		step{ask: []string{"If-None-Match", `"x", W/"a"`}, from: "store", got: 304, have: []string{"Etag", `"a"`, "Content-Type", "-"}},
		step{ask: []string{"If-None-Match", `"x"`, "If-Modified-Since", modified}, from: "store", text: "step 1"},
		step{ask: []string{"If-Modified-Since", "Wednesday, 01-Jan-25 00:00:00 GMT"}, from: "store", got: 304},
		step{ask: []string{"If-Modified-Since", "Tue, 31 Dec 2024 23:59:59 GMT"}, from: "store", text: "step 1"})
	b.add("9111 4.3.2: a condition on what is not stored",
		step{ask: []string{"If-None-Match", `"a"`}, say: []string{"Cache-Control", "no-store", "Etag", `"b"`, "Content-Type", "text/x"}, from: "backend", text: "step 1", sent: []string{"If-None-Match", "-"}},
		step{at: "/b", ask: []string{"If-None-Match", `"a"`}, say: []string{"Cache-Control", "private", "Etag", `"a"`, "X", "1"}, from: "backend", got: 304,
			have: []string{"Etag", `"a"`, "X", "1", "Content-Type", "-", "Content-Length", "-"}},
		step{at: "/c", ask: []string{"If-Modified-Since", modified}, say: []string{"Cache-Control", "no-store", "Last-Modified", modified}, from: "backend", got: 304},
		step{at: "/d", ask: []string{"If-None-Match", `"a"`}, say: []string{"Cache-Control", "no-store", "Etag", `"a"`}, status: 404, from: "backend", text: "step 4"})
	b.add("9111 4.3.2: a condition on what is stale",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, ask: []string{"If-None-Match", `"a"`}, say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend", got: 304},
		step{from: "store", text: "step 1"})
	b.add("9110 9.3.2: HEAD from GET",
		step{say: []string{"Cache-Control", "max-age=60", "X", "1"}, from: "backend"},
		step{method: "HEAD", from: "store", have: []string{"X", "1", "Content-Length", "6"}})
	b.add("9110 9.3.2: HEAD first stores nothing for GET",
		step{method: "HEAD", say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend", text: "step 2"})

	b.add("9111 4.3.5: HEAD shows that the body is another",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, method: "HEAD", say: []string{"Etag", `"b"`}, from: "backend"},
		step{status: -1, from: "backend", got: http.StatusBadGateway})
	b.add("9111 4.3.5: HEAD brings what is stored up to date",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`, "X", "old", "Y", "kept"}, from: "backend"},
		step{wait: 3 * time.Second, method: "HEAD", say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`, "X", "new", "Set-Cookie", "a=b"}, from: "backend"},
		step{wait: 50 * time.Second, from: "store", text: "step 1", have: []string{"X", "new", "Y", "kept", "Content-Length", "6", "Age", "50", "Set-Cookie", "-"}},
		step{wait: 11 * time.Second, say: []string{"Etag", `"a"`}, from: "backend", got: 200, text: "step 1", sent: []string{"If-None-Match", `"a"`}})
	b.add("9111 4.3.5: also a variant",
		step{ask: []string{"Foo", "1"}, say: []string{"Vary", "Foo", "Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, method: "HEAD", ask: []string{"Foo", "1"}, say: []string{"Vary", "Foo", "Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend"},
		step{ask: []string{"Foo", "1"}, from: "store", text: "step 1"},
		step{ask: []string{"Foo", "2"}, from: "backend"})
	b.add("9111 4.3.5: not without a validator",
		step{say: []string{"Cache-Control", "max-age=2"}, from: "backend"},
		step{wait: 3 * time.Second, method: "HEAD", say: []string{"Cache-Control", "max-age=60"}, from: "backend"},
		step{from: "backend", text: "step 3"})
	b.add("9111 4.3.5: HEAD shows that it is not",
		step{say: []string{"Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, method: "HEAD", say: []string{"Etag", `"a"`}, from: "backend"},
		step{status: -1, from: "store", text: "step 1"})

	b.add("5861 3: stale while it is fetched anew, for a while",
		step{say: []string{"Cache-Control", "max-age=2, stale-while-revalidate=10", "Etag", `"a"`}, from: "backend"},
		step{wait: 5 * time.Second, say: []string{"Cache-Control", "max-age=2, stale-while-revalidate=10", "Etag", `"b"`}, from: "both", text: "step 1"},
		step{from: "store", text: "step 2"},
		step{wait: 13 * time.Second, from: "backend"})
	b.add("5861 3: an error does not take the place of what may still be served",
		step{say: []string{"Cache-Control", "max-age=2, stale-while-revalidate=60"}, from: "backend"},
		step{wait: 3 * time.Second, status: 503, say: []string{"Cache-Control", "max-age=30"}, from: "both", text: "step 1"},
		step{say: []string{"Cache-Control", "max-age=2"}, from: "both", text: "step 1"},
		step{from: "store", text: "step 3"})
	b.add("5861 4: stale for an error",
		step{say: []string{"Cache-Control", "max-age=2, stale-if-error=60"}, from: "backend"},
		step{wait: 3 * time.Second, status: 503, from: "store", text: "step 1"},
		step{status: 404, from: "backend"})
	b.add("5861 4: not for longer",
		step{say: []string{"Cache-Control", "max-age=2, stale-if-error=10"}, from: "backend"},
		step{wait: 13 * time.Second, status: -1, from: "backend", got: http.StatusBadGateway})
	b.add("9111 4.2.4: stale where the backend does not answer",
		step{say: []string{"Cache-Control", "max-age=2"}, from: "backend"},
		step{wait: 3 * time.Second, status: -1, from: "store", text: "step 1"},
		step{status: 503, from: "backend"})
	for _, directive := range []string{"must-revalidate", "proxy-revalidate", "s-maxage=2", "no-cache", "stale-if-error=0"} {
		b.add("9111 4.2.4: never stale with "+directive,
			step{say: []string{"Cache-Control", "max-age=2, " + directive, "Etag", `"a"`}, from: "backend"},
			step{wait: 3 * time.Second, status: -1, from: "backend", got: http.StatusBadGateway})
	}
	b.add("an error does not take the place of what stands in for it",
		step{say: []string{"Cache-Control", "max-age=2, stale-if-error=60", "Etag", `"a"`}, from: "backend"},
		step{wait: 3 * time.Second, status: 503, say: []string{"Cache-Control", "max-age=60"}, from: "store", text: "step 1"},
		step{say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend", got: 200, text: "step 1"})
}

// parts is about ranges.
func (b book) parts() {
	b.add("9110 14.2: a range of what is stored",
		step{say: []string{"Cache-Control", "max-age=60", "X", "1"}, from: "backend", body: "0123456789"},
		step{ask: []string{"Range", "bytes=2-4"}, from: "store", got: 206, text: "234", have: []string{"Content-Range", "bytes 2-4/10", "X", "1"}},
		step{ask: []string{"Range", "bytes=-2"}, from: "store", got: 206, text: "89"},
		step{ask: []string{"Range", "bytes=10-"}, from: "store", got: 416})
	part := []string{"Cache-Control", "max-age=60", "Content-Range", "bytes 2-5/10"}
	b.add("9111 3.3: a part is not the whole",
		step{ask: []string{"Range", "bytes=2-5"}, status: 206, say: part, body: "2345", from: "backend", sent: []string{"Range", "bytes=2-5"}},
		step{ask: []string{"Range", "bytes=2-5"}, from: "store", got: 206, text: "2345", have: []string{"Content-Range", "bytes 2-5/10", "Range", "-"}},
		step{ask: []string{"Range", "bytes=3-4"}, from: "store", got: 206, text: "34", have: []string{"Content-Range", "bytes 3-4/10"}},
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend", body: "0123456789", text: "0123456789", sent: []string{"Range", "-"}},
		step{ask: []string{"Range", "bytes=8-"}, from: "store", got: 206, text: "89"})
	b.add("another part than the first fetches the whole",
		step{ask: []string{"Range", "bytes=2-5"}, status: 206, say: part, body: "2345", from: "backend"},
		step{ask: []string{"Range", "bytes=4-7"}, say: []string{"Cache-Control", "max-age=60"}, body: "0123456789", from: "backend", got: 206, text: "4567", sent: []string{"Range", "-"}},
		step{from: "store", text: "0123456789"})
	b.rests()
	b.add("a backend that does not do ranges",
		step{ask: []string{"Range", "bytes=2-5"}, say: []string{"Cache-Control", "max-age=60"}, body: "0123456789", from: "backend", got: 206, text: "2345"},
		step{from: "store", text: "0123456789"})
	b.add("9111 3: a 416 is one client's",
		step{ask: []string{"Range", "bytes=20-"}, status: 416, from: "backend"},
		step{from: "backend", text: "step 2"})
	b.add("9110 13.1.5: If-Range",
		step{say: []string{"Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend", body: "0123456789"},
		step{ask: []string{"Range", "bytes=0-1", "If-Range", `"a"`}, from: "store", got: 206, text: "01"},
		step{ask: []string{"Range", "bytes=0-1", "If-Range", `"b"`}, from: "store", text: "0123456789"})
}

// variants is about Vary.
func (b book) variants() {
	by := func(names ...string) []string {
		say := []string{"Cache-Control", "max-age=60"}
		for _, n := range names {
			say = append(say, "Vary", n)
		}
		return say
	}
	for _, c := range []struct {
		name         string
		names        []string
		first, other []string
		same         bool
	}{
		{"the same", []string{"Foo"}, []string{"Foo", "1", "Bar", "1"}, []string{"Foo", "1", "Bar", "2"}, true},
		{"another", []string{"Foo"}, []string{"Foo", "1"}, []string{"Foo", "2"}, false},
		{"none", []string{"Foo"}, []string{"Foo", "1"}, nil, false},
		{"none at first", []string{"Foo"}, nil, []string{"Foo", "1"}, false},
		{"two lines of Vary", []string{"Foo", "Bar"}, []string{"Foo", "1", "Bar", "1"}, []string{"Foo", "1", "Bar", "2"}, false},
		{"two lines of a header", []string{"Foo"}, []string{"Foo", "1, 2"}, []string{"Foo", "1", "Foo", "2"}, true},
		{"white space", []string{"Foo"}, []string{"Foo", "1,2"}, []string{"Foo", "1 , 2"}, true},
		{"languages in another order", []string{"Accept-Language"}, []string{"Accept-Language", "en, de"}, []string{"Accept-Language", "DE,en"}, true},
		{"another language", []string{"Accept-Language"}, []string{"Accept-Language", "en"}, []string{"Accept-Language", "de"}, false},
		{"codings in another order", []string{"Accept-Encoding"}, []string{"Accept-Encoding", "gzip, br"}, []string{"Accept-Encoding", "br, gzip"}, true},
	} {
		second := step{ask: c.other, say: by(c.names...), from: "backend", text: "step 2"}
		if c.same {
			second.from, second.text = "store", "step 1"
		}
		b.add("9111 4.1: "+c.name, step{ask: c.first, say: by(c.names...), from: "backend"}, second,
			step{ask: c.first, from: "store", text: "step 1"})
	}
	german := append(by("Accept-Language"), "Content-Language", "de")
	b.add("an answer in the language that is wanted most",
		step{ask: []string{"Accept-Language", "en, de"}, say: german, from: "backend"},
		step{ask: []string{"Accept-Language", "fr;q=0.5, de"}, from: "store", text: "step 1"},
		step{ask: []string{"Accept-Language", "de;q=0.5, fr"}, say: german, from: "backend"})
	b.add("9111 4.3.1: the variant that is stale is the one that is validated",
		step{ask: []string{"Foo", "1"}, say: []string{"Vary", "Foo", "Cache-Control", "max-age=2", "Etag", `"a"`}, from: "backend"},
		step{ask: []string{"Foo", "2"}, say: []string{"Vary", "Foo", "Cache-Control", "max-age=60", "Etag", `"b"`}, from: "backend", sent: []string{"If-None-Match", "-"}},
		step{wait: 3 * time.Second, ask: []string{"Foo", "1"}, say: []string{"Vary", "Foo", "Cache-Control", "max-age=60", "Etag", `"a"`}, from: "backend", got: 200,
			text: "step 1", sent: []string{"If-None-Match", `"a"`, "Foo", "1"}},
		step{ask: []string{"Foo", "2"}, from: "store", text: "step 2"})
}

// invalidation is about unsafe methods.
func (b book) invalidation() {
	fresh := []string{"Cache-Control", "max-age=600"}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH"} {
		b.add("9111 4.4: after "+method,
			step{say: fresh, from: "backend"}, step{method: method, from: "backend"}, step{say: fresh, from: "backend", text: "step 3"})
		b.add("9111 4.4: not after a failed "+method,
			step{say: fresh, from: "backend"}, step{method: method, status: 500, from: "backend"}, step{from: "store"})
	}
	for _, method := range []string{"OPTIONS", "PROPFIND", "QUERY"} {
		b.add("9110 9.2.1: not after "+method,
			step{say: fresh, from: "backend"}, step{method: method, from: "backend"}, step{from: "store"})
	}
	b.add("9111 4.4: with all variants",
		step{ask: []string{"Foo", "1"}, say: append(fresh, "Vary", "Foo"), from: "backend"},
		step{ask: []string{"Foo", "2"}, say: append(fresh, "Vary", "Foo"), from: "backend"},
		step{method: "POST", from: "backend"},
		step{ask: []string{"Foo", "1"}, say: append(fresh, "Vary", "Foo"), from: "backend", text: "step 4"},
		step{ask: []string{"Foo", "2"}, say: append(fresh, "Vary", "Foo"), from: "backend", text: "step 5"})
	b.add("9111 4.4: but not of another query",
		step{at: "?a=1", say: fresh, from: "backend"}, step{method: "POST", at: "?a=2", from: "backend"}, step{at: "?a=1", from: "store"})
	for _, header := range []string{"Location", "Content-Location"} {
		b.add("9111 4.4: what "+header+" names",
			step{at: "/made", say: fresh, from: "backend"}, step{at: "/other", say: fresh, from: "backend"},
			step{method: "POST", at: "/", status: 201, say: []string{header, "made"}, from: "backend"},
			step{at: "/made", from: "backend"}, step{at: "/other", from: "store"})
		b.add("9111 4.4: unless it is elsewhere: "+header,
			step{at: "/made", say: fresh, from: "backend"},
			step{method: "POST", at: "/", status: 201, say: []string{header, "http://elsewhere.example/prod/x/made"}, from: "backend"},
			step{at: "/made", from: "store"})
	}
	grouped := func(groups string) []string { return append(fresh, "Cache-Groups", groups) }
	b.add("9875 3: a group goes as a whole",
		step{at: "/1", say: grouped(`"a", "b"`), from: "backend"}, step{at: "/2", say: grouped(`"b"`), from: "backend"},
		step{at: "/3", say: grouped(`"c"`), from: "backend"}, step{at: "/4", say: append(fresh, "Surrogate-Key", "b"), from: "backend"},
		step{method: "POST", at: "/", say: []string{"Cache-Group-Invalidation", `"b", "x"`}, from: "backend"},
		step{at: "/1", from: "backend"}, step{at: "/2", from: "backend"}, step{at: "/3", from: "store"}, step{at: "/4", from: "store"})
	b.add("9875 3: with its variants",
		step{at: "/1", ask: []string{"Foo", "1"}, say: append(grouped(`"a"`), "Vary", "Foo"), from: "backend"},
		step{method: "PUT", at: "/", say: []string{"Cache-Group-Invalidation", `"a"`}, from: "backend"},
		step{at: "/1", ask: []string{"Foo", "1"}, from: "backend"})
	b.add("9875 3: not by a safe method, nor by an error, nor by what is malformed",
		step{at: "/1", say: grouped(`"d"`), from: "backend"},
		step{at: "/2", say: []string{"Cache-Group-Invalidation", `"d"`}, from: "backend"},
		step{method: "POST", at: "/", status: 500, say: []string{"Cache-Group-Invalidation", `"d"`}, from: "backend"},
		step{method: "POST", at: "/", say: []string{"Cache-Group-Invalidation", `d`}, from: "backend"},
		step{at: "/1", from: "store"})
	b.add("9110 9.3.3: a POST that says what it is the answer to",
		step{method: "POST", say: append(fresh, "Content-Location", "?"), from: "backend"},
		step{from: "store", text: "step 1"})
	b.add("9110 9.3.3: and one that does not",
		step{method: "POST", say: fresh, from: "backend"}, step{from: "backend", text: "step 2"})
	b.add(fmt.Sprintf("9110 9.3.3: nor one that is a %d", 201),
		step{method: "POST", status: 201, say: append(fresh, "Content-Location", "?"), from: "backend"}, step{from: "backend"})
}
