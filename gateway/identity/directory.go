package identity

import (
	"crypto/sha256"
	"crypto/subtle"

	"stagecache/gateway/config"
	"stagecache/gateway/iam"
)

// User is one identity of the configuration.
type User struct {
	Name   string
	Policy *iam.Policy // nil allows nothing
}

// Directory is the users of one configuration. It does not change; a reload makes a new one.
type Directory struct {
	Names  Names
	keys   map[string]accessKey // by access key id
	tokens []token
	memory *Memory
}

type accessKey struct {
	user   *User
	secret config.Secret
}

type token struct {
	user *User
	hash [32]byte
}

// New makes the directory of a configuration that was loaded with its secrets. The memory is kept from one to the next.
func New(cfg *config.Config, memory *Memory) *Directory {
	d := &Directory{
		Names:  Names{Region: cfg.IAM.Region, Account: cfg.IAM.Account, API: cfg.API.ID},
		keys:   make(map[string]accessKey),
		memory: memory,
	}
	for _, u := range cfg.IAM.Users {
		user := &User{Name: u.Name, Policy: u.Policy}
		for _, k := range u.AccessKeys {
			if k.Secret.Reveal() != "" { // without one, anybody could sign
				d.keys[k.ID] = accessKey{user, k.Secret}
			}
		}
		for _, t := range u.Tokens {
			if t.Hash != [32]byte{} {
				d.tokens = append(d.tokens, token{user, t.Hash})
			}
		}
	}
	return d
}

// Empty tells that there is nobody: no request can carry a credential of ours.
func (d *Directory) Empty() bool { return d == nil || len(d.keys)+len(d.tokens) == 0 }

// tokenUser finds whose a token is. It looks at all of them and compares hashes, so that how long it takes tells nothing.
func (d *Directory) tokenUser(text string) *User {
	hash := sha256.Sum256([]byte(text))
	var found *User
	for _, t := range d.tokens {
		if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
			found = t.user
		}
	}
	return found
}
