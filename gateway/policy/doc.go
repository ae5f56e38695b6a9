// Package policy holds the decisions of the gateway: which route a request
// takes, what its cache key is, whether an answer may be stored and for how
// long, and what a stored answer says to a conditional or a range request.
//
// Everything here is a pure function over strings, bytes, times and header
// maps: no request, no clock, no I/O, nothing shared. A result depends on the
// arguments alone, so each rule can be tested from a table, fuzzed, and used
// behind another front than net/http. Each function names the rule it follows:
// a section of an RFC, a page of the API Gateway documentation, or an attack
// that it stops.
//
// # The way of a request
//
// A caller that serves requests uses the functions in this order:
//
//	CheckTarget, CleanHost         refuse what no key may hold
//	Resolve                        keep out of the cache what the backend may read as another path
//	RemoveHopByHop                 first of all header work: what it removes must not be keyed
//	Table.Lookup                   path -> route, method -> settings
//	Query                          the query as keyed and as forwarded
//	RemoveUnkeyed, RemoveConditionals, RemoveBodyFields, KeepOnly
//	AppendKey or AppendDeclaredKey, then AppendVariantKey
//	Evaluate, RangeAllowed, ParseRange, Age, CacheStatus      on a hit
//	DecideAPIGateway                                          on a miss
//
// # One rule above the others
//
// What is forwarded is what is keyed. A parameter or a header that is dropped
// from the key is dropped from the backend's request too, and the query that
// the backend gets is byte for byte the one in the key. That rule alone stops
// most cache poisoning; a caller that takes a value from elsewhere (the parsed
// query of net/url, the decoded path) breaks it.
//
// # Header maps
//
// Headers are map[string][]string with canonical names, as in net/http; an
// http.Header can be passed as it is. The functions that remove fields change
// the map that they are given.
//
// # Keys
//
// The bytes of a key are an encoding, not a hash: whoever stores them may hash
// them, and must compare the full bytes on a hit. The first byte is the version
// of the encoding; it changes whenever the meaning of the rest does, so that an
// entry of an older layout is a miss and never a wrong answer.
package policy
