package config

import "stagecache/gateway/iam"

// IAM says who may invalidate and administer over the network. Without users nobody may.
type IAM struct {
	Account string // of ARNs: twelve digits
	Region  string // of ARNs, and of the signatures that are accepted
	Users   []User // sorted by name
}

// User is one identity. What it may do is its policy's word alone; without one that is nothing.
type User struct {
	Name       string
	Line       int
	AccessKeys []AccessKey
	Tokens     []Token
	Policy     *iam.Policy
	PolicyFile string // where the policy was read from; empty: the file itself, or there is none
}

// AccessKey is a credential that requests are signed with.
type AccessKey struct {
	ID         string
	Line       int
	SecretEnv  string
	SecretFile string
	Secret     Secret // empty with Options.SkipFiles
}

// Token is a credential that stands in requests as it is. Only its hash is kept.
type Token struct {
	Line int
	Env  string
	File string
	Hash [32]byte // SHA-256; zero with Options.SkipFiles
}

// Secret is a text that no message, log or JSON shows by accident.
type Secret struct{ text string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the text, to whoever has to compute with it.
func (s Secret) Reveal() string { return s.text }

func (Secret) String() string               { return "[secret]" }
func (Secret) GoString() string             { return "[secret]" }
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
