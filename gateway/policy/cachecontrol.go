package policy

import "strings"

// maxSeconds is where numbers of seconds saturate (RFC 9111 1.2.2).
const maxSeconds = 1 << 31

// Seconds is the argument of a directive.
type Seconds struct {
	Value int64 // 0 to 2^31
	Set   bool  // the directive is there
	Bad   bool  // a number was missing or malformed: Value is 0 for that reason
}

// Directives is what a Cache-Control says, of a request or of a response.
type Directives struct {
	NoStore         bool
	NoCache         bool // also no-cache="field"
	Private         bool // also private="field"
	Public          bool
	MustRevalidate  bool
	ProxyRevalidate bool
	NoTransform     bool
	OnlyIfCached    bool
	Immutable       bool
	MustUnderstand  bool

	MaxAge               Seconds
	SMaxAge              Seconds
	MaxStale             Seconds // without an argument: any, so 2^31
	MinFresh             Seconds
	StaleWhileRevalidate Seconds
	StaleIfError         Seconds
}

// ParseCacheControl reads the lines of a Cache-Control header (RFC 9111 5.2).
// It never fails; wherever the text is doubtful it takes the reading that stores
// and reuses less:
//
//   - private and no-cache count in full even if they name fields (RFC 9111
//     5.2.2.4 and 5.2.2.7 permit it)
//   - of a repeated number the lowest counts, of min-fresh the highest (RFC 9111
//     4.2.1)
//   - a number that is missing or malformed is 0 and Bad (RFC 9111 4.2.1:
//     such answers are stale); one that is too large saturates at 2^31
//   - numbers may stand in quotes (RFC 9111 5.2); a quote that is never closed
//     hides nothing behind it
//   - where members are separated by a semicolon or a space, a common slip, a
//     directive that forbids still counts, and one that permits does not
//
// Names are compared without regard to case; unknown ones are ignored (RFC 9111
// 5.2.3).
func ParseCacheControl(values []string) Directives {
	var d Directives
	for _, line := range values {
		quotes := true
		for rest := line; rest != ""; {
			var member string
			member, rest, quotes = cutMember(rest, quotes)
			d.addMember(trimOWS(member), quotes)
		}
	}
	return d
}

// cutMember cuts a list member off at the next comma outside quotes. The first
// quote of a line that is not closed properly makes it and all that follow
// ordinary bytes (quotes is false from then on): it cannot swallow a no-store
// further on, and the line is not scanned again for each of them.
func cutMember(s string, quotes bool) (member, rest string, stillQuotes bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ',':
			return s[:i], s[i+1:], quotes
		case s[i] == '"' && quotes:
			end, ok := closingQuote(s, i)
			if !ok {
				quotes = false
				continue
			}
			i = end
		}
	}
	return s, "", quotes
}

// closingQuote gives the index of the quote that closes the one at s[i]. A
// separator or the end must follow it.
func closingQuote(s string, i int) (int, bool) {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			return j, j+1 == len(s) || strings.IndexByte(",; \t", s[j+1]) >= 0
		}
	}
	return i, false
}

// addMember adds one member. Separators that do not belong there make its
// pieces doubtful.
func (d *Directives) addMember(m string, quotes bool) {
	start, doubtful := 0, false
	for i := 0; i < len(m); i++ {
		switch m[i] {
		case ';', ' ', '\t':
			doubtful = true
			d.add(m[start:i], true)
			start = i + 1
		case '"':
			if quotes {
				i, quotes = closingQuote(m, i)
			}
		}
	}
	d.add(m[start:], doubtful)
}

func (d *Directives) add(directive string, doubtful bool) {
	name, arg, hasArg := strings.Cut(directive, "=")
	permits := !hasArg && !doubtful
	is := func(s string) bool { return strings.EqualFold(name, s) }
	switch {
	case is(""):
	case is("no-store"):
		d.NoStore = true
	case is("no-cache"):
		d.NoCache = true
	case is("private"):
		d.Private = true
	case is("must-revalidate"):
		d.MustRevalidate = true
	case is("proxy-revalidate"):
		d.ProxyRevalidate = true
	case is("no-transform"):
		d.NoTransform = true
	case is("only-if-cached"):
		d.OnlyIfCached = true
	case is("public"):
		d.Public = d.Public || permits
	case is("immutable"):
		d.Immutable = d.Immutable || permits
	case is("must-understand"):
		d.MustUnderstand = d.MustUnderstand || permits
	case is("max-age"):
		d.MaxAge.lower(parseSeconds(arg, doubtful))
	case is("s-maxage"):
		d.SMaxAge.lower(parseSeconds(arg, doubtful))
	case is("max-stale"):
		if permits {
			d.MaxStale.lower(Seconds{Value: maxSeconds, Set: true})
			break
		}
		d.MaxStale.lower(parseSeconds(arg, doubtful))
	case is("min-fresh"):
		s := parseSeconds(arg, doubtful)
		d.MinFresh = Seconds{max(d.MinFresh.Value, s.Value), true, d.MinFresh.Bad || s.Bad}
	case is("stale-while-revalidate"):
		d.StaleWhileRevalidate.lower(parseSeconds(arg, doubtful))
	case is("stale-if-error"):
		d.StaleIfError.lower(parseSeconds(arg, doubtful))
	}
}

// lower takes the lower of two values of one directive.
func (s *Seconds) lower(o Seconds) {
	if s.Set {
		o.Value = min(o.Value, s.Value)
		o.Bad = o.Bad || s.Bad
	}
	*s = o
}

// parseSeconds reads delta-seconds (RFC 9111 1.2.2), in quotes or not.
func parseSeconds(s string, doubtful bool) Seconds {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		s = s[1 : n-1]
	}
	if s == "" || doubtful {
		return Seconds{Set: true, Bad: true}
	}
	var v int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return Seconds{Set: true, Bad: true}
		}
		v = min(v*10+int64(s[i]-'0'), maxSeconds)
	}
	return Seconds{Value: v, Set: true}
}
