package policy

import (
	"net/http"
	"testing"
)

func TestRestOf(t *testing.T) {
	const old, now = "Wed, 25 Nov 2026 12:00:00 GMT", "Wed, 25 Nov 2026 12:00:01 GMT"
	tag := Validators{ETag: `"a"`}
	for _, c := range []struct {
		rule string
		part Part
		v    Validators
		ask  string // "": nothing
		with string
	}{
		{"the end is missing", Part{0, 4, 10}, tag, "bytes=5-9", `"a"`},
		{"the beginning is missing", Part{4, 9, 10}, tag, "bytes=0-3", `"a"`},
		{"one byte is missing", Part{0, 8, 10}, tag, "bytes=9-9", `"a"`},
		{"both are missing", Part{2, 5, 10}, tag, "", ""},
		{"nothing is missing", Part{0, 9, 10}, tag, "", ""},
		{"9110 13.1.5: a weak entity tag", Part{0, 4, 10}, Validators{ETag: `W/"a"`}, "", ""},
		{"9110 13.1.5: no date beside an entity tag", Part{0, 4, 10}, Validators{ETag: `W/"a"`, LastModified: old, Date: now}, "", ""},
		{"9110 8.8.3: what is no entity tag", Part{0, 4, 10}, Validators{ETag: `a`}, "", ""},
		{"9110 8.8.2.2: a date that is strong", Part{0, 4, 10}, Validators{LastModified: old, Date: now}, "bytes=5-9", old},
		{"9110 8.8.2.2: a date that is not", Part{0, 4, 10}, Validators{LastModified: now, Date: now}, "", ""},
		{"9110 8.8.2.2: a date without Date", Part{0, 4, 10}, Validators{LastModified: old}, "", ""},
		{"9111 3.4: no validator", Part{0, 4, 10}, Validators{Date: now}, "", ""},
	} {
		rest, ok := RestOf(c.part, c.v)
		if ok != (c.ask != "") {
			t.Errorf("%s: %+v, %t", c.rule, rest, ok)
			continue
		}
		if !ok {
			continue
		}
		h := http.Header{}
		rest.Ask(h)
		if h.Get("Range") != c.ask || h.Get("If-Range") != c.with {
			t.Errorf("%s: asks with %v", c.rule, h)
		}
	}
}

func TestRestIs(t *testing.T) {
	const date = "Wed, 25 Nov 2026 12:00:00 GMT"
	byTag := Rest{Part{5, 9, 10}, `"a"`}
	byDate := Rest{Part{5, 9, 10}, date}
	for _, c := range []struct {
		rule  string
		rest  Rest
		where string
		tag   string
		date  string
		want  bool
	}{
		{"just that", byTag, "bytes 5-9/10", `"a"`, "", true},
		{"9110 15.3.7.3: another body", byTag, "bytes 5-9/10", `"b"`, "", false},
		{"9110 15.3.7.3: a weak entity tag", byTag, "bytes 5-9/10", `W/"a"`, "", false},
		{"9110 15.3.7.3: no entity tag", byTag, "bytes 5-9/10", "", date, false},
		{"another size", byTag, "bytes 5-9/11", `"a"`, "", false},
		{"an unknown size", byTag, "bytes 5-9/*", `"a"`, "", false},
		{"less", byTag, "bytes 5-8/10", `"a"`, "", false},
		{"elsewhere", byTag, "bytes 4-8/10", `"a"`, "", false},
		{"nowhere", byTag, "", `"a"`, "", false},
		{"by date", byDate, "bytes 5-9/10", "", date, true},
		{"by another date", byDate, "bytes 5-9/10", "", "Wed, 25 Nov 2026 12:00:01 GMT", false},
		{"by date, but there is an entity tag now", byDate, "bytes 5-9/10", `"a"`, date, false},
	} {
		h := http.Header{}
		for name, v := range map[string]string{"Content-Range": c.where, "Etag": c.tag, "Last-Modified": c.date} {
			if v != "" {
				h.Set(name, v)
			}
		}
		if got := c.rest.Is(h); got != c.want {
			t.Errorf("%s: %t", c.rule, got)
		}
	}
}

func TestCombine(t *testing.T) {
	stored := http.Header{"X": {"old"}, "Y": {"kept"}, "Age": {"5"}, "Date": {"then"}, "Via": {"1.1 a"}, "Content-Range": {"bytes 0-4/10"}, "Content-Type": {"a/b"}}
	update := http.Header{"X": {"new"}, "Date": {"now"}, "Content-Range": {"bytes 5-9/10"}, "Content-Length": {"5"}, "Etag": {`"a"`}}
	got := Combine(stored, update)
	want := http.Header{"X": {"new"}, "Y": {"kept"}, "Date": {"now"}, "Content-Type": {"a/b"}, "Etag": {`"a"`}}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for name, v := range want {
		if len(got[name]) != 1 || got[name][0] != v[0] {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if len(stored) != 7 || len(update) != 5 {
		t.Error("an argument was changed")
	}
}
