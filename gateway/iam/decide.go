package iam

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Request is what is to be decided. A Time or SourceIP that is not known is left empty, and fits no condition.
type Request struct {
	// Actions are the names under which the one thing that is asked for is known: a statement over any of them is over it.
	Actions  []string
	Resource string // ARN
	SourceIP netip.Addr
	Time     time.Time
	Secure   bool // it came over TLS
}

// Decision is what a policy says to a request.
type Decision struct {
	Allowed   bool
	Statement *Statement // that made it; nil: none allows it
}

// Reason is the decision in words, for operators.
func (d Decision) Reason() string {
	switch {
	case d.Statement == nil:
		return "no statement allows it"
	case d.Allowed:
		return d.Statement.Name() + " allows it"
	}
	return d.Statement.Name() + " denies it"
}

// Decide applies the policy. A nil policy allows nothing.
func (p *Policy) Decide(r Request) Decision {
	if p == nil {
		return Decision{}
	}
	var allowed *Statement
	for i := range p.Statements {
		s := &p.Statements[i]
		switch {
		case !s.applies(r):
		case s.Effect == Deny:
			return Decision{Statement: s}
		case allowed == nil:
			allowed = s
		}
	}
	return Decision{Allowed: allowed != nil, Statement: allowed}
}

func (s *Statement) applies(r Request) bool {
	return s.covers(r.Actions) && s.about(r.Resource) &&
		!slices.ContainsFunc(s.Conditions, func(c Condition) bool { return !c.holds(r) })
}

// covers tells whether the statement is over an action that has several names. "All but this" leaves it out under any of
// them.
func (s *Statement) covers(actions []string) bool {
	named := func(patterns []string) bool {
		return slices.ContainsFunc(actions, func(a string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return Match(strings.ToLower(p), strings.ToLower(a)) })
		})
	}
	if s.NotActions != nil {
		return !named(s.NotActions)
	}
	return named(s.Actions)
}

func (s *Statement) about(resource string) bool {
	fits := func(p string) bool { return Match(p, resource) }
	if s.NotResources != nil {
		return !slices.ContainsFunc(s.NotResources, fits)
	}
	return slices.ContainsFunc(s.Resources, fits)
}

// Match tells whether a text fits a pattern in which "*" stands for any text, also none, and "?" for one character. It takes
// time in proportion to the product of their lengths at most, whatever they hold.
func Match(pattern, s string) bool {
	p, i := 0, 0
	star, back := -1, 0 // the last "*", and where what it stands for ends so far
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += width(s[i:])
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			back += width(s[back:])
			p, i = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// width is the length of the first character, in bytes: of a byte that begins none, one.
func width(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}
