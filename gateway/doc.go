// Package gateway is the data plane: an HTTP gateway whose stages answer from a cache of their own (package engine) and
// otherwise ask a backend.
//
//	g, err := gateway.New(gateway.Options{Config: cfg, Root: root, Logger: log})
//	err = g.Serve(ctx, listener) // until ctx ends: then it drains, and closes the stores
//	err = g.Reload(changed)      // a new configuration, or an error and the old one
//
// What a request goes through, and the file where to read about it:
//
//	lane.go      a plain hit in memory, answered before net/http learns of it (lanehead.go, laneanswer.go)
//	serve.go     what is refused; stage, route and settings; does caching apply?
//	exchange.go  the cache key; what of the request belongs to its client alone
//	lookup.go    the entry, through the marker of a resource that varies (vary.go)
//	hit.go       the answer from an entry: whole, a part, or "not modified"
//	miss.go      the lease: who asks the backend, who waits, who goes alone
//	attend.go    waiting for an answer, and passing it on as it comes
//	fetch.go     the fetch: may the answer be stored? receive, store, then release its end
//	fill.go      the answer on its way to everybody who waits; window.go where it is too large to keep
//	passthrough.go  requests that the cache has no part in
//
// What decides (keys, freshness, may it be stored) is in package policy, as pure functions; this package moves bytes and
// keeps time. The promises it makes are:
//
//   - What is forwarded is what is keyed. A header that is not forwarded is not keyed, a parameter that is not keyed is not
//     forwarded, and what Connection lists counts as absent for both.
//   - However many ask for one entry at a time, the backend is asked once, if its answer may be shared. If not, all go
//     alone at once, and for two minutes nobody waits for that entry again.
//   - A client that has got its whole answer finds it in the store. An answer that was cut is stored by nobody, and every
//     client that was reading it sees the cut.
//   - An answer to a request with credentials or cookies of its own goes to nobody else, unless the backend calls it public.
//   - Nothing waits for ever: every wait for a backend or a client has a deadline, a body that trickles is cut (pace.go), and a
//     slow one of either harms no other.
//   - What an answer's trailers say reaches a client that the answer is for alone; a shared answer is kept and sent without.
//   - A panic in a request is a 500 for that request.
package gateway
