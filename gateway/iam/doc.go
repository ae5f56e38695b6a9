// Package iam reads identity policies in the language of AWS IAM and decides by them. It is pure: no files, no clock, no network.
//
//	p, err := iam.Parse(text)                 // JSON, or the same as YAML
//	d := p.Decide(iam.Request{Actions: ..., Resource: ..., SourceIP: ..., Time: ...})
//
// Known are Version, Id, Statement and in it Sid, Effect, Action or NotAction, Resource or NotResource, and Condition with the
// operators IpAddress, NotIpAddress, StringEquals, StringLike, DateLessThan and Bool over aws:SourceIp, aws:CurrentTime and
// aws:SecureTransport. Whatever else a policy holds is an error that names line and element: what is not understood must not
// be taken for a permission, nor a prohibition be passed over.
//
// A request is decided as AWS does it: a statement that denies it decides first, then one that allows it, and without either
// it is denied. Actions are compared without regard to case, resources with it; "*" stands for any text and "?" for one
// character, in both.
package iam
