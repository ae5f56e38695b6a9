// Command gateway measures what a cache hit costs in the gateway, beside a bare net/http handler that serves the same bytes
// from fastcache, and beside nginx (proxy_cache) and Varnish where they are installed.
//
//	go run ./bench/gateway           # about five minutes
//	go run ./bench/gateway -short    # under two minutes
//	go run ./bench/gateway -profile DIR
//
// Every server and the client run in processes of their own. The processor time of a server is that of its process and all its
// children, from /proc, by the requests that were answered. The client is wrk where it is installed, else one of ours. Where
// there are two processors or more, the servers share one half of them and the client has the other half: the server is then
// what limits the rate. All sides get the same bytes and take turns, round by round, and a figure is the ratio of medians.
//
// The gateway is one as "cachectl serve" makes it: an encrypted store with a memory tier, a stage with a backend, and no access
// log. nginx has none either; it caches on disk, in files that stay in the page cache, with sendfile. Varnish caches in memory,
// by the rules that it comes with and a lifetime. The rivals' configurations are written into a temporary folder. Every
// answer that counts is a hit: the backend behind all three caches is not asked meanwhile, and the gateway's counters agree.
//
// The output ends with a line per figure; see package report for its form.
package main
