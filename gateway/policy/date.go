package policy

import (
	"strings"
	"time"
)

// ParseDate reads the three forms of an HTTP date (RFC 9110 5.6.7): the fixed one, RFC 850's and asctime's. All of them are
// in UTC. Names of days, months and the zone are taken in any case; everything else must be as the grammar has it, so that
// a date that another cache takes for invalid (RFC 9111 5.3: the answer is then stale) is invalid here too. That the day of
// the week fits the date is not checked.
//
// An RFC 850 year has two digits: it is the one that is at most 50 years after now, else the last before (RFC 9110 5.6.7).
// Where now is zero, 70 to 99 are of the last century.
func ParseDate(s string, now time.Time) (time.Time, bool) {
	day, rest, ok := cutDay(s)
	if !ok {
		return time.Time{}, false
	}
	switch {
	case len(day) > 3 && strings.HasPrefix(rest, ", "):
		return rfc850Date(rest[2:], now)
	case len(day) == 3 && strings.HasPrefix(rest, ", "):
		return fixedDate(rest[2:])
	case len(day) == 3 && strings.HasPrefix(rest, " "):
		return ansiDate(rest[1:])
	}
	return time.Time{}, false
}

// parseDate is ParseDate where there is no better time to compare an old year with.
func parseDate(s string) (time.Time, bool) { return ParseDate(s, time.Time{}) }

var weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// cutDay cuts the name of a day off, long or in three letters.
func cutDay(s string) (day, rest string, ok bool) {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	for _, name := range weekdays {
		if strings.EqualFold(s[:n], name) || strings.EqualFold(s[:n], name[:3]) {
			return s[:n], s[n:], true
		}
	}
	return "", s, false
}

// fixedDate reads "02 Jan 2006 15:04:05 GMT".
func fixedDate(s string) (time.Time, bool) {
	if len(s) != len("02 Jan 2006 15:04:05 GMT") || s[2] != ' ' || s[6] != ' ' || s[11] != ' ' || s[20] != ' ' || !strings.EqualFold(s[21:], "GMT") {
		return time.Time{}, false
	}
	return dateOf(s[7:11], s[3:6], s[:2], s[12:20])
}

// rfc850Date reads "02-Jan-06 15:04:05 GMT".
func rfc850Date(s string, now time.Time) (time.Time, bool) {
	if len(s) != len("02-Jan-06 15:04:05 GMT") || s[2] != '-' || s[6] != '-' || s[9] != ' ' || s[18] != ' ' || !strings.EqualFold(s[19:], "GMT") {
		return time.Time{}, false
	}
	yy, ok := digits(s[7:9])
	if !ok {
		return time.Time{}, false
	}
	limit := now.UTC().Year() + 50
	if now.IsZero() {
		limit = 2069
	}
	year := limit - (limit-yy)%100
	t, ok := dateOf(decimal(year), s[3:6], s[:2], s[10:18])
	if ok && !now.IsZero() && t.After(now.AddDate(50, 0, 0)) {
		t, ok = dateOf(decimal(year-100), s[3:6], s[:2], s[10:18])
	}
	return t, ok
}

// ansiDate reads "Jan  2 15:04:05 2006".
func ansiDate(s string) (time.Time, bool) {
	if len(s) != len("Jan  2 15:04:05 2006") || s[3] != ' ' || s[6] != ' ' || s[15] != ' ' {
		return time.Time{}, false
	}
	day := s[4:6]
	if day[0] == ' ' {
		day = "0" + day[1:]
	}
	return dateOf(s[16:], s[:3], day, s[7:15])
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

func dateOf(year, month, day, clock string) (time.Time, bool) {
	m := 0
	for i, name := range months {
		if strings.EqualFold(month, name) {
			m = i + 1
		}
	}
	y, ok1 := digits(year)
	d, ok2 := digits(day)
	hh, ok3 := digits(clock[:2])
	mm, ok4 := digits(clock[3:5])
	ss, ok5 := digits(clock[6:])
	if m == 0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || clock[2] != ':' || clock[5] != ':' || hh > 23 || mm > 59 || ss > 60 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, hh, mm, min(ss, 59), 0, time.UTC) // 60 is a leap second
	return t, d > 0 && t.Day() == d && t.Month() == time.Month(m)
}

// digits reads a number of nothing but digits, few enough not to overflow.
func digits(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// decimal writes a year in four digits.
func decimal(year int) string {
	b := [4]byte{}
	for i := 3; i >= 0; i-- {
		b[i] = byte('0' + year%10)
		year /= 10
	}
	return string(b[:])
}
