package fuzz

import (
	"strings"
	"testing"

	"stagecache/gateway/policy"
)

func FuzzPolicyConditional(f *testing.F) {
	const lm, date = "Tue, 02 Jan 2024 00:00:00 GMT", "Wed, 03 Jan 2024 00:00:00 GMT"
	for _, s := range []string{"", "*", `"a"`, `W/"a"`, `"b", "a"`, `"b" "a"`, `"x,y",W/"a"`, `"`, "a", lm, "Tuesday, 02-Jan-24 00:00:00 GMT", "Tue Jan  2 00:00:00 2024", `W/`} {
		f.Add(s, `"a"`, lm, date)
		f.Add(s, `W/"a"`, lm, lm)
	}
	f.Add(`"a"`, "", "", "")
	f.Fuzz(func(t *testing.T, s, etag, modified, date string) {
		v := policy.Validators{ETag: etag, LastModified: modified, Date: date}
		line := []string{s}
		if got := policy.Evaluate(policy.Conditional{}, v); got != policy.Proceed {
			t.Fatalf("no condition: %v", got)
		}
		match := policy.Evaluate(policy.Conditional{IfMatch: line}, v)
		none := policy.Evaluate(policy.Conditional{IfNoneMatch: line}, v)
		since := policy.Evaluate(policy.Conditional{IfModifiedSince: line}, v)
		unmodified := policy.Evaluate(policy.Conditional{IfUnmodifiedSince: line}, v)
		if match == policy.NotModified || none == policy.PreconditionFailed || since == policy.PreconditionFailed || unmodified == policy.NotModified {
			t.Fatalf("%q: %v %v %v %v", s, match, none, since, unmodified)
		}
		// What matches strongly matches weakly.
		if match == policy.Proceed && none != policy.NotModified {
			t.Fatalf("%q matches %q strongly and not weakly", s, etag)
		}
		// A date can be both the same or earlier and the same or later only if it is the same.
		if since == policy.Proceed && unmodified == policy.PreconditionFailed && modified == "" {
			t.Fatalf("%q was compared with nothing", s)
		}
		// The first of each pair of headers decides alone.
		if got := policy.Evaluate(policy.Conditional{IfNoneMatch: line, IfModifiedSince: []string{modified}}, v); got != none {
			t.Fatalf("%q: If-Modified-Since changed %v to %v", s, none, got)
		}
		// An If-Range that holds is a strong match, or a date that has not changed.
		if policy.RangeAllowed(line, v) {
			if strings.Contains(s, `"`) && (match != policy.Proceed || strings.HasPrefix(etag, "W/")) {
				t.Fatalf("If-Range %q holds for %q", s, etag)
			}
			if !strings.Contains(s, `"`) && (since != policy.NotModified || unmodified != policy.Proceed) {
				t.Fatalf("If-Range %q holds for %q", s, modified)
			}
		}
	})
}
