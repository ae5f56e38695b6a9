package identity

import (
	"errors"
	"strings"
	"time"

	"stagecache/gateway/sigv4"
)

// Claim is what a request says of itself: that it comes from one of our users. Nothing of it is proven.
type Claim struct {
	user   *User // of a token, which is its own proof
	signed bool  // header or query hold a signature
	inHead []int // which values of Authorization are ours
	query  bool  // the query holds a signature under a key of ours
	others bool  // there are other credentials beside
}

// Claim finds a credential of ours. It costs next to nothing where there is none.
func (d *Directory) Claim(header map[string][]string, rawQuery string) *Claim {
	values := header["Authorization"]
	if d.Empty() || len(values) == 0 && rawQuery == "" {
		return nil
	}
	c := &Claim{}
	for i, v := range values {
		user, signed := d.claimOf(v)
		if user == nil {
			continue
		}
		c.inHead = append(c.inHead, i)
		if c.signed = c.signed || signed; !signed {
			c.user = user
		}
	}
	if sigv4.QueryHasKey(rawQuery, func(id string) bool { return d.keys[id].user != nil }) {
		c.query, c.signed = true, true
	}
	if len(c.inHead) == 0 && !c.query {
		return nil
	}
	c.others = len(values) > 1 || c.query && len(values) > 0
	return c
}

// claimOf tells whose the credential in one Authorization header is.
func (d *Directory) claimOf(value string) (user *User, signed bool) {
	if id := sigv4.HeaderKeyID(value); id != "" {
		return d.keys[id].user, true
	}
	scheme, text, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(d.tokens) == 0 {
		return nil, false
	}
	return d.tokenUser(strings.Trim(text, " ")), false
}

// signatureHeaders belong to a signature in the Authorization header, and are of no use without it.
var signatureHeaders = []string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"}

// Strip removes the credential from the header and gives the query without it. What else is there stays.
func (c *Claim) Strip(header map[string][]string, rawQuery string) string {
	if len(c.inHead) > 0 {
		var rest []string
		for i, v := range header["Authorization"] {
			ours := false
			for _, at := range c.inHead {
				ours = ours || at == i
			}
			if !ours {
				rest = append(rest, v)
			}
		}
		header["Authorization"] = rest
		if rest == nil {
			delete(header, "Authorization")
		}
		if c.signed {
			for _, name := range signatureHeaders {
				delete(header, name)
			}
		}
	}
	if c.query {
		rawQuery = sigv4.StripQuery(rawQuery)
	}
	return rawQuery
}

// Errors of Verify beside those of the signature itself.
var (
	ErrReplayed = errors.New("the signature was used already")
	errSeveral  = errors.New("the request carries more than one credential")
	errFull     = errors.New("too many signatures are in use at once; try again later")
	errBefore   = errors.New("the presigned request was made before this gateway started, so whether it was used is not known")
)

// Verify proves a claim. The check's Now is the time of the request. The error is for the log: a caller learns only that it
// was refused.
func (d *Directory) Verify(c *Claim, r *sigv4.Request, check sigv4.Check) (*User, error) {
	if c.others || len(c.inHead) > 1 {
		return nil, errSeveral
	}
	if !c.signed {
		return c.user, nil
	}
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	key, known := d.keys[s.AccessKeyID]
	if !known {
		return nil, &sigv4.Error{Reason: "the access key id is not known"}
	}
	check.Region = d.Names.Region
	if err := s.Verify(key.secret.Reveal(), r, check); err != nil {
		return nil, err
	}
	// Only now: what anybody can make up must not fill the memory.
	return key.user, d.memory.once(s, check.Now)
}

// once takes a signature that is right, unless it was taken before.
func (m *Memory) once(s *sigv4.Signature, now time.Time) error {
	if s.Presigned && s.Time.Before(m.begun.Add(-sigv4.Skew)) {
		// Those live for days, and what was used before a restart is forgotten.
		return errBefore
	}
	return m.used.take(s.Value, s.ValidUntil(), now)
}

// Signed tells a signature from a token.
func (c *Claim) Signed() bool { return c.signed }
