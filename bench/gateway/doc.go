// Command gateway measures what a cache hit costs in the gateway, beside a bare net/http handler that serves the same bytes
// from fastcache.
//
//	go run ./bench/gateway           # under five minutes
//	go run ./bench/gateway -short    # under one minute
//	go run ./bench/gateway -profile DIR
//
// The gateway, the bare server and the client each run in a process of their own, so that what a server uses of the
// processors is its own (getrusage). Where there are two processors or more, the servers share one half of them and the client
// has the other half: the server is then what limits the rate. The two sides take turns, round by round, and a figure is the ratio of
// their medians. The gateway is one as "cachectl serve" makes it: an encrypted store with a memory tier, a stage with a
// backend, no access log. Every answer that counts is a hit; its counters prove it.
//
// The output ends with a line per figure; see package report for its form. Comparisons with other caches are not made here.
package main
