package iam

import (
	"fmt"
	"strings"
)

// Policy is one policy, checked.
type Policy struct{ Statements []Statement }

// Effects of a statement.
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// Statement is one statement of a policy. Of Actions and NotActions exactly one is set, of Resources and NotResources likewise.
type Statement struct {
	Index                   int // in the policy, from 1
	Line                    int // in the text that the policy was read from
	Sid                     string
	Effect                  string
	Actions, NotActions     []string
	Resources, NotResources []string
	Conditions              []Condition
}

// Name is how messages call a statement: by its Sid, or its number.
func (s *Statement) Name() string {
	if s.Sid != "" {
		return fmt.Sprintf("statement %d (%s)", s.Index, s.Sid)
	}
	return fmt.Sprintf("statement %d", s.Index)
}

func fail(t *tree, element, format string, args ...any) error {
	return &Error{Line: t.line, Element: element, Message: fmt.Sprintf(format, args...)}
}

// only refuses members that are not known.
func (t *tree) only(element string, known ...string) error {
	if t.kind != object {
		return fail(t, element, "must be an object, not %v", t.kind)
	}
	for _, m := range t.names {
		found := false
		for _, k := range known {
			found = found || k == m.name
		}
		if !found {
			return &Error{Line: m.line, Element: below(element, clip(m.name)), Message: "unknown element; known here: " + strings.Join(known, ", ")}
		}
	}
	return nil
}

func below(element, name string) string {
	if element == "" {
		return name
	}
	return element + "." + name
}

func build(t *tree) (*Policy, error) {
	if err := t.only("", "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	if v := t.get("Version"); v != nil && (v.kind != text || v.text != "2012-10-17" && v.text != "2008-10-17") {
		return nil, fail(v, "Version", `must be "2012-10-17"`)
	}
	if id := t.get("Id"); id != nil && id.kind != text {
		return nil, fail(id, "Id", "must be text, not %v", id.kind)
	}
	statements := t.get("Statement")
	if statements == nil {
		return nil, fail(t, "Statement", "is missing")
	}
	all := statements.items
	if statements.kind != list {
		all = []*tree{statements}
	}
	switch {
	case len(all) == 0:
		return nil, fail(statements, "Statement", "is empty")
	case len(all) > maxStatements:
		return nil, fail(statements, "Statement", "has more than %d statements", maxStatements)
	}
	p := &Policy{}
	for i, s := range all {
		element := "Statement"
		if statements.kind == list {
			element = fmt.Sprintf("Statement[%d]", i)
		}
		st, err := buildStatement(s, element)
		if err != nil {
			return nil, err
		}
		st.Index = i + 1
		p.Statements = append(p.Statements, st)
	}
	return p, nil
}

func buildStatement(t *tree, element string) (s Statement, err error) {
	if err := t.only(element, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"); err != nil {
		return s, err
	}
	s.Line = t.line
	if sid := t.get("Sid"); sid != nil {
		if sid.kind != text {
			return s, fail(sid, element+".Sid", "must be text, not %v", sid.kind)
		}
		s.Sid = clip(sid.text)
	}
	effect := t.get("Effect")
	switch {
	case effect == nil:
		return s, fail(t, element, "has no Effect")
	case effect.kind != text || effect.text != Allow && effect.text != Deny:
		return s, fail(effect, element+".Effect", "must be Allow or Deny")
	}
	s.Effect = effect.text
	if s.Actions, s.NotActions, err = either(t, element, "Action", "NotAction", checkAction); err != nil {
		return s, err
	}
	if s.Resources, s.NotResources, err = either(t, element, "Resource", "NotResource", checkResource); err != nil {
		return s, err
	}
	if c := t.get("Condition"); c != nil {
		s.Conditions, err = buildConditions(c, element+".Condition")
	}
	return s, err
}

// either reads the one of two elements that is there.
func either(t *tree, element, name, not string, check func(string) string) (is, isNot []string, err error) {
	a, b := t.get(name), t.get(not)
	switch {
	case a == nil && b == nil:
		return nil, nil, fail(t, element, "has no %s", name)
	case a != nil && b != nil:
		return nil, nil, fail(b, element, "has both %s and %s", name, not)
	case a != nil:
		is, err = texts(a, element+"."+name, check)
	default:
		isNot, err = texts(b, element+"."+not, check)
	}
	return is, isNot, err
}

// texts reads a text, or a list of them.
func texts(t *tree, element string, check func(string) string) ([]string, error) {
	items := t.items
	switch t.kind {
	case object:
		return nil, fail(t, element, "must be text or a list, not an object")
	case text:
		items = []*tree{t}
	}
	if len(items) == 0 {
		return nil, fail(t, element, "is empty")
	}
	var out []string
	for _, item := range items {
		if item.kind != text {
			return nil, fail(item, element, "must hold texts, not %v", item.kind)
		}
		if problem := check(item.text); problem != "" {
			return nil, fail(item, element, "%q %s", clip(item.text), problem)
		}
		out = append(out, item.text)
	}
	return out, nil
}

func checkAction(s string) string {
	service, action, ok := strings.Cut(s, ":")
	switch {
	case s == "*":
		return ""
	case !ok || service == "" || action == "" || strings.ContainsAny(s, " \t\n"):
		return `is not an action: write "execute-api:InvalidateCache", or "*"`
	}
	return ""
}

func checkResource(s string) string {
	switch {
	case strings.Contains(s, "${"):
		return "has a policy variable, which is not supported"
	case s == "*" || strings.HasPrefix(s, "arn:") && strings.Count(s, ":") >= 5:
		return ""
	case strings.HasPrefix(s, "arn:") && strings.HasSuffix(s, "*"):
		return ""
	}
	return `is not an ARN: write "arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/path", or "*"`
}
