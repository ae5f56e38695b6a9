package iam

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Condition is one operator over one key: true where any of its values fits.
type Condition struct {
	Operator string
	Key      string
	Values   []string

	networks []netip.Prefix
	times    []time.Time
	flags    []bool
}

// The keys that requests are known by.
const (
	keySourceIP        = "aws:SourceIp"
	keyCurrentTime     = "aws:CurrentTime"
	keySecureTransport = "aws:SecureTransport"
)

var keys = []string{keySourceIP, keyCurrentTime, keySecureTransport}

// operators say which keys each may be used with; the string operators compare texts, whatever they mean.
var operators = map[string][]string{
	"IpAddress":    {keySourceIP},
	"NotIpAddress": {keySourceIP},
	"StringEquals": keys,
	"StringLike":   keys,
	"DateLessThan": {keyCurrentTime},
	"Bool":         {keySecureTransport},
}

func buildConditions(t *tree, element string) ([]Condition, error) {
	if t.kind != object {
		return nil, fail(t, element, "must be an object, not %v", t.kind)
	}
	var out []Condition
	for _, op := range t.names {
		at := element + "." + clip(op.name)
		allowed, known := operators[op.name]
		if !known {
			return nil, &Error{Line: op.line, Element: at, Message: "unknown operator; known are IpAddress, NotIpAddress, StringEquals, StringLike, DateLessThan and Bool"}
		}
		if op.value.kind != object || len(op.value.names) == 0 {
			return nil, fail(op.value, at, "must be an object with a key such as %s", allowed[0])
		}
		for _, k := range op.value.names {
			c, err := buildCondition(op.name, allowed, k, at)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func buildCondition(operator string, allowed []string, m member, element string) (Condition, error) {
	c := Condition{Operator: operator}
	at := element + "." + clip(m.name)
	for _, k := range keys {
		if strings.EqualFold(k, m.name) { // AWS does not regard the case of keys
			c.Key = k
		}
	}
	switch {
	case c.Key == "":
		return c, &Error{Line: m.line, Element: at, Message: "unknown key; known are " + strings.Join(keys, ", ")}
	case !slices.Contains(allowed, c.Key):
		return c, &Error{Line: m.line, Element: at, Message: fmt.Sprintf("%s works on %s alone", operator, strings.Join(allowed, ", "))}
	}
	var err error
	c.Values, err = texts(m.value, at, func(s string) string { return c.take(s) })
	return c, err
}

// take reads one value as the operator needs it.
func (c *Condition) take(s string) (problem string) {
	switch c.Operator {
	case "IpAddress", "NotIpAddress":
		p, err := parseNetwork(s)
		if err != nil {
			return "is not an address or a network such as 10.0.0.0/8"
		}
		c.networks = append(c.networks, p)
	case "DateLessThan":
		at, ok := parseTime(s)
		if !ok {
			return "is not a time such as 2030-01-31T12:00:00Z"
		}
		c.times = append(c.times, at)
	case "Bool":
		if !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
			return "is not true or false"
		}
		c.flags = append(c.flags, strings.EqualFold(s, "true"))
	default:
		if strings.Contains(s, "${") {
			return "has a policy variable, which is not supported"
		}
	}
	return ""
}

func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("not an address: %w", err)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func parseTime(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && n < 1<<40 {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}

// holds tells whether the condition is true of a request. What is not known of a request fits nothing; that alone makes a
// negated operator true, as in AWS.
func (c *Condition) holds(r Request) bool {
	switch c.Operator {
	case "IpAddress", "NotIpAddress":
		inside := false
		if ip := r.SourceIP.Unmap(); ip.IsValid() {
			inside = slices.ContainsFunc(c.networks, func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) })
		}
		return inside == (c.Operator == "IpAddress")
	case "DateLessThan":
		return !r.Time.IsZero() && slices.ContainsFunc(c.times, r.Time.Before)
	case "Bool":
		return slices.Contains(c.flags, r.Secure)
	}
	value, known := c.text(r)
	if !known {
		return false
	}
	return slices.ContainsFunc(c.Values, func(v string) bool {
		return v == value || c.Operator == "StringLike" && Match(v, value)
	})
}

// text is the value of the condition's key as a text.
func (c *Condition) text(r Request) (string, bool) {
	switch c.Key {
	case keySourceIP:
		return r.SourceIP.Unmap().String(), r.SourceIP.IsValid()
	case keyCurrentTime:
		return r.Time.UTC().Format(time.RFC3339), !r.Time.IsZero()
	}
	return strconv.FormatBool(r.Secure), true
}
