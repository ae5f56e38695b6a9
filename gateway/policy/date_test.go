package policy

import (
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		// RFC 9110 5.6.7, and its examples.
		"Sun, 06 Nov 1994 08:49:37 GMT":  "1994-11-06T08:49:37Z",
		"Sunday, 06-Nov-94 08:49:37 GMT": "1994-11-06T08:49:37Z",
		"Sun Nov  6 08:49:37 1994":       "1994-11-06T08:49:37Z",
		"Sun Nov 16 08:49:37 1994":       "1994-11-16T08:49:37Z",
		// Two digits: not more than 50 years ahead.
		"Thursday, 18-Aug-50 02:01:18 GMT":  "2050-08-18T02:01:18Z",
		"Wednesday, 25-Nov-76 00:00:00 GMT": "2076-11-25T00:00:00Z",
		"Thursday, 26-Nov-76 00:00:00 GMT":  "1976-11-26T00:00:00Z",
		"Sunday, 06-Nov-77 08:49:37 GMT":    "1977-11-06T08:49:37Z",
		// Case of names, and a day that does not fit, are of no consequence.
		"SUN, 06 nOV 1994 08:49:37 gmt": "1994-11-06T08:49:37Z",
		"Mon, 06 Nov 1994 08:49:37 GMT": "1994-11-06T08:49:37Z",
		"Sat, 31 Dec 2016 23:59:60 GMT": "2016-12-31T23:59:59Z",
		// Everything else is.
		"": "", "0": "", "-1": "", "Sun": "", "Sun,": "", "Sun, ": "",
		"Sun, 06 Nov 1994 08:49:37 UTC":    "",
		"Sun, 06 Nov 1994 08:49:37 +0000":  "",
		"Sun, 06 Nov 94 08:49:37 GMT":      "",
		"Sun 06 Nov 1994 08:49:37 GMT":     "",
		"Sun, 06  Nov  1994 08:49:37 GMT":  "",
		"Sun, 06-Nov-1994 08:49:37 GMT":    "",
		"Sun, 06 Nov 1994 08.49.37 GMT":    "",
		"Sun, 06 Nov 1994 8:49:37 GMT":     "",
		"Sun, 6 Nov 1994 08:49:37 GMT":     "",
		"Sun, 06 Nov 1994 24:00:00 GMT":    "",
		"Sun, 06 Nov 1994 08:60:00 GMT":    "",
		"Sun, 31 Feb 1994 08:00:00 GMT":    "",
		"Sun, 00 Nov 1994 08:00:00 GMT":    "",
		"Sun, 06 Nox 1994 08:49:37 GMT":    "",
		"Sux, 06 Nov 1994 08:49:37 GMT":    "",
		"Sun, +6 Nov 1994 08:49:37 GMT":    "",
		"Sun, 06 Nov 1994 08:49:37 GMT ":   "",
		"Sunday, 06 Nov 1994 08:49:37 GMT": "",
		"Sun, 06-Nov-94 08:49:37 GMT":      "",
		"Sun Nov 6 08:49:37 1994":          "",
		"Sunday Nov  6 08:49:37 1994":      "",
	} {
		got, ok := ParseDate(in, now)
		if text := got.Format(time.RFC3339); ok != (want != "") || ok && text != want {
			t.Errorf("%q: %s, %t; want %q", in, text, ok, want)
		}
	}
	if got, ok := ParseDate("Sunday, 06-Nov-94 08:49:37 GMT", time.Time{}); !ok || got.Year() != 1994 {
		t.Errorf("without a time to compare with: %s", got)
	}
}
