package gateway

import "time"

// rests is about parts that are made whole.
func (b book) rests() {
	const old = "Thu, 01 Jan 1998 00:00:00 GMT" // before the time in a bubble of synctest
	begin := []string{"Cache-Control", "max-age=60", "Etag", `"a"`, "Content-Range", "bytes 0-3/10", "X", "old", "Y", "kept"}
	end := []string{"Cache-Control", "max-age=60", "Etag", `"a"`, "Content-Range", "bytes 4-9/10", "X", "new"}
	with := func(say []string, more ...string) []string { return append(append([]string{}, say...), more...) }
	first := step{ask: []string{"Range", "bytes=0-3"}, status: 206, say: begin, body: "0123", from: "backend"}

	b.add("9111 3.4: the end comes to the beginning", first,
		step{status: 206, say: end, body: "456789", from: "backend", got: 200, text: "0123456789",
			sent: []string{"Range", "bytes=4-9", "If-Range", `"a"`},
			have: []string{"X", "new", "Y", "kept", "Content-Range", "-", "Range", "-", "Cache-Status", "stagecache; fwd=partial; fwd-status=206; stored"}},
		step{from: "store", text: "0123456789", have: []string{"X", "new", "Y", "kept", "Content-Range", "-", "Content-Length", "10"}},
		step{ask: []string{"Range", "bytes=2-5"}, from: "store", got: 206, text: "2345"})
	b.add("9111 3.4: the beginning comes to the end",
		step{ask: []string{"Range", "bytes=-6"}, status: 206, say: end, body: "456789", from: "backend"},
		step{status: 206, say: begin, body: "0123", from: "backend", got: 200, text: "0123456789", sent: []string{"Range", "bytes=0-3"}},
		step{from: "store", text: "0123456789"})
	b.add("9111 3.4: another range is answered from the whole", first,
		step{ask: []string{"Range", "bytes=3-4"}, status: 206, say: end, body: "456789", from: "backend", text: "34", sent: []string{"Range", "bytes=4-9"}},
		step{from: "store", text: "0123456789"})
	b.add("9111 3.4: by a date",
		step{ask: []string{"Range", "bytes=0-3"}, status: 206, body: "0123", from: "backend",
			say: []string{"Cache-Control", "max-age=60", "Last-Modified", old, "Content-Range", "bytes 0-3/10"}},
		step{status: 206, say: []string{"Cache-Control", "max-age=60", "Last-Modified", old, "Content-Range", "bytes 4-9/10"}, body: "456789",
			from: "backend", got: 200, text: "0123456789", sent: []string{"Range", "bytes=4-9", "If-Range", old}})
	b.add("9110 13.1.5: the body is another by now", first,
		step{say: []string{"Cache-Control", "max-age=60", "Etag", `"b"`}, body: "another body", from: "backend", text: "another body", sent: []string{"If-Range", `"a"`},
			have: []string{"X", "-", "Y", "-"}},
		step{from: "store", text: "another body"})
	b.add("9111 3.4: the new answer's word on storing counts", first,
		step{status: 206, say: with(end, "Cache-Control", "no-store"), body: "456789", from: "backend", got: 200, text: "0123456789"},
		step{say: []string{"Cache-Control", "max-age=60"}, from: "backend", text: "step 3"})
	b.add("9111 3.4: a strong validator is needed",
		step{ask: []string{"Range", "bytes=0-3"}, status: 206, body: "0123", from: "backend",
			say: []string{"Cache-Control", "max-age=60", "Etag", `W/"a"`, "Content-Range", "bytes 0-3/10"}},
		step{body: "0123456789", from: "backend", text: "0123456789", sent: []string{"Range", "-", "If-Range", "-"}})
	b.add("9111 3.4: a part that is stale is not asked about", first,
		step{wait: 61 * time.Second, body: "0123456789", from: "backend", sent: []string{"Range", "-"}})
	b.add("9111 4.4: nor one from before a POST", first,
		step{method: "POST", from: "backend"},
		step{body: "0123456789", from: "backend", text: "0123456789", sent: []string{"Range", "-"}})
	b.add("an error is what it is", first,
		step{status: 404, from: "backend", text: "step 2", sent: []string{"Range", "bytes=4-9"}})
}
