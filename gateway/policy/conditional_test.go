package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	before = "Mon, 01 Jan 2024 00:00:00 GMT"
	lm     = "Tue, 02 Jan 2024 00:00:00 GMT"
	after  = "Wed, 03 Jan 2024 00:00:00 GMT"
)

func TestEvaluate(t *testing.T) {
	v := Validators{ETag: `"a"`, LastModified: lm}
	weak := Validators{ETag: `W/"a"`, LastModified: lm}
	l := func(s ...string) []string { return s }
	for _, c := range []struct {
		source string
		c      Conditional
		v      Validators
		want   Condition
	}{
		{"no conditions", Conditional{}, v, Proceed},
		{"RFC 9110 13.1.2: match", Conditional{IfNoneMatch: l(`"a"`)}, v, NotModified},
		{"no match", Conditional{IfNoneMatch: l(`"b"`)}, v, Proceed},
		{"in a list", Conditional{IfNoneMatch: l(`"x,y", W/"b" ,"a"`)}, v, NotModified},
		{"on another line", Conditional{IfNoneMatch: l(`"b"`, `"a"`)}, v, NotModified},
		{"star", Conditional{IfNoneMatch: l("*")}, v, NotModified},
		{"star without an entity tag", Conditional{IfNoneMatch: l("*")}, Validators{}, NotModified},
		{"RFC 9110 8.8.3.2: weak comparison, request weak", Conditional{IfNoneMatch: l(`W/"a"`)}, v, NotModified},
		{"weak comparison, answer weak", Conditional{IfNoneMatch: l(`"a"`)}, weak, NotModified},
		{"w/ is no weak tag", Conditional{IfNoneMatch: l(`w/"a"`)}, v, Proceed},
		{"unquoted never matches", Conditional{IfNoneMatch: l(`a`)}, Validators{ETag: "a"}, Proceed},
		{"no entity tag", Conditional{IfNoneMatch: l(`""`)}, Validators{}, Proceed},
		{"the empty tag", Conditional{IfNoneMatch: l(`""`)}, Validators{ETag: `""`}, NotModified},
		{"what follows garbage is not read", Conditional{IfNoneMatch: l(`x, "a"`)}, v, Proceed},
		{"tags without a comma", Conditional{IfNoneMatch: l(`"b" "a"`)}, v, Proceed},
		{"a comma inside a tag", Conditional{IfNoneMatch: l(`"x,"a",y"`)}, v, Proceed},
		{"an open quote", Conditional{IfNoneMatch: l(`"a`)}, v, Proceed},
		{"RFC 9110 13.1.3: same date", Conditional{IfModifiedSince: l(lm)}, v, NotModified},
		{"later date", Conditional{IfModifiedSince: l(after)}, v, NotModified},
		{"earlier date", Conditional{IfModifiedSince: l(before)}, v, Proceed},
		{"RFC 9110 5.6.7: RFC 850 form", Conditional{IfModifiedSince: l("Tuesday, 02-Jan-24 00:00:00 GMT")}, v, NotModified},
		{"RFC 9110 5.6.7: asctime form", Conditional{IfModifiedSince: l("Tue Jan  2 00:00:00 2024")}, v, NotModified},
		{"no date", Conditional{IfModifiedSince: l("yesterday, or the day before it")}, v, Proceed},
		{"another zone is no HTTP date", Conditional{IfModifiedSince: l("Tue, 02 Jan 2024 00:00:00 EST")}, v, Proceed},
		{"RFC 9110 13.1.3: two lines", Conditional{IfModifiedSince: l(lm, lm)}, v, Proceed},
		{"RFC 9110 13.1.3: no Last-Modified", Conditional{IfModifiedSince: l(lm)}, Validators{ETag: `"a"`}, Proceed},
		{"malformed Last-Modified", Conditional{IfModifiedSince: l(lm)}, Validators{LastModified: "x"}, Proceed},
		{"RFC 9110 13.2.2: If-None-Match comes before If-Modified-Since", Conditional{IfNoneMatch: l(`"b"`), IfModifiedSince: l(lm)}, v, Proceed},
		{"RFC 9110 13.1.1: match", Conditional{IfMatch: l(`"a"`)}, v, Proceed},
		{"no match fails", Conditional{IfMatch: l(`"b"`)}, v, PreconditionFailed},
		{"If-Match star", Conditional{IfMatch: l("*")}, Validators{}, Proceed},
		{"RFC 9110 8.8.3.2: strong comparison", Conditional{IfMatch: l(`W/"a"`)}, weak, PreconditionFailed},
		{"strong comparison, request weak", Conditional{IfMatch: l(`W/"a"`)}, v, PreconditionFailed},
		{"If-Match garbage", Conditional{IfMatch: l("a")}, v, PreconditionFailed},
		{"RFC 9110 13.1.4: not modified since", Conditional{IfUnmodifiedSince: l(lm)}, v, Proceed},
		{"modified since", Conditional{IfUnmodifiedSince: l(before)}, v, PreconditionFailed},
		{"RFC 9110 13.1.4: no Last-Modified", Conditional{IfUnmodifiedSince: l(before)}, Validators{}, Proceed},
		{"RFC 9110 13.1.4: no date", Conditional{IfUnmodifiedSince: l("x")}, v, Proceed},
		{"RFC 9110 13.2.2: If-Match comes before If-Unmodified-Since", Conditional{IfMatch: l(`"a"`), IfUnmodifiedSince: l(before)}, v, Proceed},
		{"RFC 9110 13.2.2: then If-None-Match", Conditional{IfMatch: l(`"a"`), IfNoneMatch: l(`"a"`)}, v, NotModified},
		{"RFC 9110 13.2.2: 412 comes before 304", Conditional{IfMatch: l(`"b"`), IfNoneMatch: l(`"a"`)}, v, PreconditionFailed},
		{"If-Unmodified-Since, then If-Modified-Since", Conditional{IfUnmodifiedSince: l(after), IfModifiedSince: l(after)}, v, NotModified},
	} {
		if got := Evaluate(c.c, c.v); got != c.want {
			t.Errorf("%s: %v, want %v", c.source, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Evaluate(Conditional{}, v) }); n != 0 {
		t.Errorf("no conditions: %v allocations", n)
	}
	c := Conditional{IfNoneMatch: []string{`"b", "a"`}}
	if n := testing.AllocsPerRun(100, func() { Evaluate(c, v) }); n != 0 {
		t.Errorf("If-None-Match: %v allocations", n)
	}
}

func TestRangeAllowed(t *testing.T) {
	strong := Validators{ETag: `"a"`, LastModified: lm, Date: after}
	l := func(s ...string) []string { return s }
	for _, c := range []struct {
		source string
		in     []string
		v      Validators
		want   bool
	}{
		{"no If-Range", nil, Validators{}, true},
		{"RFC 9110 13.1.5: match", l(`"a"`), strong, true},
		{"white space", l(` "a" `), strong, true},
		{"no match", l(`"b"`), strong, false},
		{"RFC 9110 13.1.5: weak never", l(`W/"a"`), Validators{ETag: `W/"a"`}, false},
		{"answer weak", l(`"a"`), Validators{ETag: `W/"a"`}, false},
		{"two tags", l(`"a", "b"`), strong, false},
		{"two lines", l(`"a"`, `"a"`), strong, false},
		{"star is no validator", l("*"), strong, false},
		{"empty", l(""), strong, false},
		{"RFC 9110 8.8.2.2: a date a second before Date", l(lm), Validators{LastModified: lm, Date: "Tue, 02 Jan 2024 00:00:01 GMT"}, true},
		{"the same date in another form", l("Tuesday, 02-Jan-24 00:00:00 GMT"), strong, true},
		{"RFC 9110 8.8.2.2: changed in the second it was sent", l(lm), Validators{LastModified: lm, Date: lm}, false},
		{"no Date", l(lm), Validators{LastModified: lm}, false},
		{"RFC 9110 13.1.5: a later date is no match", l(after), strong, false},
	} {
		if got := RangeAllowed(c.in, c.v); got != c.want {
			t.Errorf("%s: %v, want %v", c.source, got, c.want)
		}
	}
}

func TestParseDateReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "seconds"), 0).UTC()
		for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.ANSIC} {
			if got, ok := parseDate(want.Format(layout)); !ok || !got.Equal(want) {
				t.Fatalf("%s: %v %v", want.Format(layout), got, ok)
			}
		}
	})
}
