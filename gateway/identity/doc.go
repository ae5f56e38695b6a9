// Package identity knows who may invalidate and administer: the users of a configuration, their credentials and policies.
//
//	d := identity.New(cfg, memory)
//	claim := d.Claim(header, rawQuery)                    // is there a credential of ours in the request? nil: none
//	user, err := d.Verify(claim, &request, check)         // is it true?
//	decision := user.Policy.Decide(...)                   // may that user do it?
//
// A credential is ours where its access key id, or the hash of its token, is one of the configuration's. Everything else in an
// Authorization header belongs to somebody behind the gateway, and is none of our business. Ours is removed before a request goes
// to a backend (Claim.Strip), whether it is true or not: a backend that logs headers must not learn what opens the gateway.
//
// What has to outlive a reload is in Memory: which signatures were used already, and how often each caller has refreshed.
package identity
